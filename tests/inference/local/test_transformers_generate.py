"""What transformers' `generate` answers in our padded batches is what it answers to each prompt alone."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
from asked_questions import answered, backend, generated, questions
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import greedy, sampled, tiny_model

from radgpt.inference.local.decoding import Row
from radgpt.inference.local.network import Network
from radgpt.inference.local.streamed_text import text_of
from radgpt.inference.local.transformers_generate import answer_alone, plan, settings_for


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_beams_in_batches_are_those_of_each_prompt_alone(penalty: float, tmp_path: Path) -> None:
    asked = questions(7, 2)
    model = tiny_model()[0]
    settings = {"max_new_tokens": 8, "num_beams": 3, "do_sample": False, "repetition_penalty": penalty}
    answers = answered(asked, replace(greedy(8, penalty), num_beams=3), tmp_path / "a.jsonl")
    assert [(answer.text, answer.new_tokens) for answer in answers] == [generated(model, one.messages, **settings) for one in asked]


def test_sampled_beams_follow_from_question_and_seed(tmp_path: Path) -> None:
    asked, decoding = questions(4, 0), replace(sampled(8), num_beams=2)
    together = answered(asked, decoding, tmp_path / "a.jsonl")
    assert answered(asked[::-1], decoding, tmp_path / "b.jsonl", batch_size=2)[::-1] == together
    assert answered(asked, decoding, tmp_path / "c.jsonl", seed=1) != together


def test_padding_with_the_end_token_is_neither_penalised_nor_read_as_an_end(tmp_path: Path) -> None:
    """Llama-2 has no padding token of its own: its end token fills rows up."""
    asked, decoding = questions(5, 0), replace(greedy(8, 1.5), num_beams=2)
    expected = answered(asked, decoding, tmp_path / "a.jsonl")
    padded = backend(4)
    padded._tokenizer = copy.deepcopy(tiny_model()[1])
    padded._tokenizer.pad_token = padded._tokenizer.eos_token
    assert list(padded.answer(asked, decoding, 0, tmp_path / "b.jsonl", lambda answer: None)) == expected


def test_greedy_decoding_carries_no_sampling_settings() -> None:
    assert settings_for(greedy(), [5], None, 3).temperature is None
    assert settings_for(sampled(), [5], None, 3).top_k == 100
    assert settings_for(sampled(), [5, 6], None, 3).pad_token_id == 5
    assert settings_for(sampled(), [], None, 3).eos_token_id is None


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 4))), st.integers(1, 5))
def test_every_row_is_planned_once(shapes: list[tuple[int, int]], size: int) -> None:
    rows = [Row([0] * length, limit, 0, frozenset()) for length, limit in shapes]
    batches = list(plan(rows, size))
    assert sorted(id(row) for batch in batches for row in batch) == sorted(map(id, rows))
    for batch in batches:
        assert 1 <= len(batch) <= size
        assert len({row.limit for row in batch}) == 1
        assert [len(row.prompt) for row in batch] == sorted((len(row.prompt) for row in batch), reverse=True)


@pytest.mark.parametrize("beams", [1, 2])
def test_a_model_in_training_answers_with_its_adapter(beams: int) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    base, tokenizer = tiny_model()
    torch.manual_seed(0)
    adapted = get_peft_model(copy.deepcopy(base), LoraConfig(r=4, init_lora_weights=False, task_type="CAUSAL_LM")).eval()
    messages = questions(1, 0)[0].messages
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    row = Row(list(ids), 10, 0, frozenset({tokenizer.eos_token_id}))
    answer_alone(Network(adapted), row, replace(greedy(10), num_beams=beams), tokenizer.pad_token_id)
    settings = {"max_new_tokens": 10, "do_sample": False, "num_beams": beams}
    assert (text_of(tokenizer, row.text_ids), len(row.new)) == generated(adapted, messages, **settings)
    assert text_of(tokenizer, row.text_ids) != generated(base, messages, **settings)[0]
