"""Batched generation gives what each prompt gives alone, and says how each answer ended."""

import copy
import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import WORDS, greedy, sampled, tiny_model

from radgpt.chat_format import prompt_ids
from radgpt.config import ChatPrompt, Decoding
from radgpt.inference.generation import Answer, Answerer, Batch, context_window, derived_seed, plan_batches
from radgpt.inference.session import ChatSession


def prompts(count: int) -> list[list[int]]:
    """Prompts of very different length."""
    _, tokenizer = tiny_model()
    rng = random.Random(0)
    return [
        prompt_ids(tokenizer, [{"role": "user", "content": " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 9)))}])
        for _ in range(count)
    ]


def answers(decoding: Decoding, asked: list[list[int]], batch_size: int, seed: int = 0) -> list[Answer]:
    answerer = Answerer(*tiny_model(), decoding, seed)
    found: dict[int, Answer] = {}
    batches, _ = plan_batches([len(ids) for ids in asked], batch_size, decoding.max_new_tokens, None)
    for batch in batches:
        rows = batch.rows
        replies = answerer.answer([str(row) for row in rows], [asked[row] for row in rows], batch.max_new_tokens)
        found |= dict(zip(rows, replies, strict=True))
    return [found[row] for row in range(len(asked))]


@pytest.mark.parametrize("penalty", [1.0, 1.3])
@pytest.mark.parametrize("beams", [1, 3])
def test_batched_greedy_equals_single_greedy(penalty: float, beams: int) -> None:
    decoding = greedy(repetition_penalty=penalty)
    decoding.num_beams = beams
    asked = prompts(11)
    alone = answers(decoding, asked, 1)
    assert answers(decoding, asked, 4) == alone
    assert len({answer.text for answer in alone}) > 3


def test_padding_with_the_end_token_is_neither_penalised_nor_read_as_an_end() -> None:
    """Llama-2 has no padding token of its own: its end token fills rows up."""
    model, tokenizer = tiny_model()
    padded_with_end = copy.deepcopy(tokenizer)
    padded_with_end.pad_token = padded_with_end.eos_token
    asked = prompts(6)
    answerer = Answerer(model, padded_with_end, greedy(repetition_penalty=1.5), 0)
    together = answerer.answer(list("abcdef"), asked, 12)
    assert together == [answerer.answer([name], [ids], 12)[0] for name, ids in zip("abcdef", asked, strict=True)]


def test_sampling_follows_from_seed_and_names() -> None:
    asked = prompts(6)
    first = answers(sampled(), asked, 4)
    assert answers(sampled(), asked, 4) == first
    assert answers(sampled(), asked, 4, seed=1) != first


def test_sampling_leaves_the_generators_outside_alone() -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    answers(sampled(), prompts(2), 2)
    assert torch.equal(torch.rand(1), expected)


def test_finish_reason_and_count() -> None:
    _, tokenizer = tiny_model()
    answerer = Answerer(*tiny_model(), greedy(), 0)
    ids = tokenizer.encode("clear", add_special_tokens=False)
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    assert answerer.read([*ids, end, pad, pad]) == Answer("clear", "stop", len(ids) + 1)
    assert answerer.read(ids) == Answer("clear", "length", len(ids))
    assert answerer.read([end]) == Answer("", "stop", 1)


def test_generation_ends_at_an_end_token(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    model, tokenizer = tiny_model()
    prompt = prompts(1)[0]
    answerer = Answerer(model, tokenizer, greedy(), 0)
    free = model.generate(input_ids=torch.tensor([prompt]), generation_config=answerer.settings(12))[0, len(prompt) :].tolist()
    assert len(free) == 12
    monkeypatch.setattr(model.generation_config, "eos_token_id", free[2])
    stopped = Answerer(model, tokenizer, greedy(), 0).answer(["0"], [prompt], 12)[0]
    assert (stopped.finish_reason, stopped.new_tokens) == ("stop", free.index(free[2]) + 1)


def test_ends_are_the_models_the_tokenizers_and_the_templates() -> None:
    _, tokenizer = tiny_model()
    own = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=[7, 9]))
    assert Answerer(own, tokenizer, greedy(), 0).ends == sorted({7, 9, tokenizer.eos_token_id})

    class Qwen:
        """A base model's tokenizer: `<|end|>` ends turns, but the end of text is another token."""

        eos_token_id = 11

        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def __len__(self) -> int:
            return len(tokenizer)

        def __call__(self, text: str, **settings: Any) -> Any:
            return tokenizer(text, **settings)

    assert Answerer(own, Qwen(), greedy(), 0).ends == sorted({7, 9, 11, tokenizer.eos_token_id})


def test_greedy_decoding_carries_no_sampling_settings() -> None:
    answerer = Answerer(*tiny_model(), greedy(), 0)
    assert answerer.settings(5).temperature is None
    assert Answerer(*tiny_model(), sampled(), 0).settings(5).top_k == 100


def test_prompts_that_leave_less_room_are_batched_apart() -> None:
    batches, overlong = plan_batches([10, 90, 95, 30, 100, 95, 20], batch_size=2, max_new_tokens=20, window=100)
    assert overlong == [4]
    assert batches == [Batch((2, 5), 5), Batch((1,), 10), Batch((3, 6), 20), Batch((0,), 20)]


@given(st.lists(st.integers(1, 60)), st.integers(1, 5), st.integers(1, 30), st.one_of(st.none(), st.integers(1, 50)))
def test_every_prompt_is_planned_once(lengths: list[int], batch_size: int, max_new_tokens: int, window: int | None) -> None:
    batches, overlong = plan_batches(lengths, batch_size, max_new_tokens, window)
    assert sorted([row for batch in batches for row in batch.rows] + overlong) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch.rows) <= batch_size
        for row in batch.rows:
            assert batch.max_new_tokens == (max_new_tokens if window is None else min(max_new_tokens, window - lengths[row]))


def test_window_is_the_models() -> None:
    assert context_window(tiny_model()[0]) == 8192


def test_derived_seeds_differ() -> None:
    assert len({derived_seed(0, "a"), derived_seed(1, "a"), derived_seed(0, "b"), derived_seed(0, "a", "b"), derived_seed(0, "a", 1)}) == 5
    assert 0 <= derived_seed(-3, "a") < 2**63


def test_an_adapter_beside_its_base_generates_and_chats() -> None:
    """What `load_trained` gives in bfloat16: a model of peft's around the base."""
    import torch
    from peft import LoraConfig, get_peft_model

    base, tokenizer = tiny_model()
    torch.manual_seed(0)
    adapted = get_peft_model(copy.deepcopy(base), LoraConfig(r=4, init_lora_weights=False, task_type="CAUSAL_LM")).eval()
    answerer = Answerer(adapted, tokenizer, greedy(), 0)
    asked = prompts(3)
    together = answerer.answer(list("abc"), asked, 12)
    assert together == [answerer.answer([name], [ids], 12)[0] for name, ids in zip("abc", asked, strict=True)]
    assert together != Answerer(base, tokenizer, greedy(), 0).answer(list("abc"), asked, 12)
    session = ChatSession(answerer, ChatPrompt(system="", first_turn="{report} {instruction}"))
    turns = [session.reply("Is there a fracture?", lambda text: None, lambda line: None) for _ in range(2)]
    assert [turn.turns_in_view for turn in turns] == [0, 1]
