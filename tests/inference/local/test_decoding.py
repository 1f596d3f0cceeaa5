"""Tokens are drawn by transformers' rules, with each row's own randomness."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_model import greedy, tiny_model

from radgpt.config import Decoding
from radgpt.draws import derived_seed
from radgpt.inference.local.decoding import Draws, Row, ends_of


def row(seed: int = 0, prompt: list[int] | None = None) -> Row:
    return Row(prompt or [0], 100, seed, frozenset())


def drawn(decoding: Decoding, scores: list[float], times: int) -> list[int]:
    """Tokens drawn `times` over from the same scores by rows of different seeds."""
    import torch

    rows = [row(seed) for seed in range(times)]
    Draws(decoding).draw(torch.tensor([scores]).repeat(times, 1), rows)
    return [one.new[0] for one in rows]


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 1.0, "top_p": 1.0, "top_k": 0},
        {"temperature": 0.5, "top_p": 1.0, "top_k": 0},
        {"temperature": 2.0, "top_p": 1.0, "top_k": 3},
        {"temperature": 1.0, "top_p": 0.7, "top_k": 0},
        {"temperature": 1.5, "top_p": 0.8, "top_k": 5},
    ],
)
def test_frequencies_are_transformers_probabilities(settings: dict[str, Any]) -> None:
    import torch
    from transformers import GenerationConfig

    scores = [0.0, 2.0, 1.0, 2.0, -1.0, 0.5, 1.5]
    config = GenerationConfig(do_sample=True, **{**settings, "top_k": settings["top_k"] or None})
    warped = tiny_model()[0]._get_logits_processor(config, input_ids_seq_length=1)(torch.tensor([[0]]), torch.tensor([scores]))
    expected = warped.softmax(-1)[0].tolist()
    tokens = drawn(Decoding(do_sample=True, repetition_penalty=1.0, **settings), scores, 4000)
    for token, probability in enumerate(expected):
        assert abs(tokens.count(token) / 4000 - probability) < 4 * (0.25 / 4000) ** 0.5
        assert probability > 0 or token not in tokens


def test_equals_at_the_last_place_of_top_k_all_stay() -> None:
    decoding = Decoding(do_sample=True, temperature=1.0, top_p=1.0, top_k=2, repetition_penalty=1.0)
    assert set(drawn(decoding, [1.0, 2.0, 1.0, 1.0, 0.0], 200)) == {0, 1, 2, 3}


def test_a_row_draws_the_same_whatever_rows_stand_beside_it() -> None:
    import torch

    torch.manual_seed(0)
    scores = torch.randn(3, 50)
    draws = Draws(Decoding(repetition_penalty=1.3))
    together = [row(seed, [seed, 7]) for seed in range(3)]
    for _ in range(5):
        draws.draw(scores, together)
    for seed in range(3):
        alone = row(seed, [seed, 7])
        for _ in range(5):
            draws.draw(scores[seed : seed + 1], [alone])
        assert alone.new == together[seed].new


def test_the_penalty_counts_a_rows_own_tokens_once() -> None:
    import torch

    one = row(prompt=[2, 2, 0])
    draws = Draws(greedy(repetition_penalty=2.0))
    scores = torch.tensor([[-1.0, 1.9, 3.0, 1.4]])
    for _ in range(3):
        draws.draw(scores, [one])
    # 2 counts for 1.5; then 1 for 0.95; then 3 for 0.7.
    assert one.new == [1, 2, 2]
    assert torch.equal(scores, torch.tensor([[-1.0, 1.9, 3.0, 1.4]]))


def test_the_penalty_lowers_scores_below_zero_too() -> None:
    import torch

    one = row(prompt=[1])
    # Divided as a score above zero is, -1 would come to -0.5 and win; it is multiplied instead, and comes to -2.
    Draws(greedy(repetition_penalty=2.0)).draw(torch.tensor([[-1.5, -1.0, -3.0]]), [one])
    assert one.new == [0]


def test_how_a_row_ends() -> None:
    one = Row([1], 3, 0, frozenset({9}))
    assert one.finish_reason is None
    one.new = [5, 9]
    assert (one.finish_reason, one.text_ids) == ("stop", [5])
    one.new = [5, 6, 7]
    assert (one.finish_reason, one.text_ids) == ("length", [5, 6, 7])
    one.new = [5, 6, 9]
    assert (one.finish_reason, one.text_ids) == ("stop", [5, 6])


def test_ends_are_the_models_the_tokenizers_and_the_templates() -> None:
    _, tokenizer = tiny_model()
    own = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=[7, 9]))
    assert ends_of(own, tokenizer) == sorted({7, 9, tokenizer.eos_token_id})
    own.generation_config.eos_token_id = None
    assert ends_of(own, tokenizer) == [tokenizer.eos_token_id]

    class Qwen:
        """A base model's tokenizer: `<|end|>` ends turns, but the end of text is another token."""

        eos_token_id = 11

        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def __len__(self) -> int:
            return len(tokenizer)

        def __call__(self, text: str, **settings: Any) -> Any:
            return tokenizer(text, **settings)

    assert ends_of(own, Qwen()) == sorted({11, tokenizer.eos_token_id})
    untrainable = copy.copy(tokenizer)
    untrainable.chat_template = "{{ messages[0].content }}"
    assert ends_of(own, untrainable) == [tokenizer.eos_token_id]


def test_derived_seeds_differ() -> None:
    assert len({derived_seed(0, "a"), derived_seed(1, "a"), derived_seed(0, "b"), derived_seed(0, "a", "b"), derived_seed(0, "a", 1)}) == 5
    assert 0 <= derived_seed(-3, "a") < 2**63


def test_equals_at_the_edge_of_top_p_do_not_depend_on_rows_beside() -> None:
    import torch

    torch.manual_seed(0)
    decoding = Decoding(do_sample=True, temperature=0.75, top_p=0.9, top_k=100, repetition_penalty=1.0)
    for seed in range(200):
        scores = (torch.randn(1, 2000) * 2).bfloat16().float()  # many equal ones, as models in 16 bits give
        alone, beside = row(seed), row(seed)
        Draws(decoding).draw(scores, [alone])
        Draws(decoding).draw(torch.cat([scores, torch.zeros(1, 2000)]), [beside, row(1)])
        assert alone.new == beside.new
