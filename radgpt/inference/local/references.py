"""How likely a model finds the answers that are held for right, behind what it has read of their prompts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from radgpt.chat_format import training_examples
from radgpt.errors import UserError
from radgpt.inference.backend import Message
from radgpt.inference.local.network import Network
from radgpt.inference.local.reading import Past, read_together

if TYPE_CHECKING:
    import torch

    from radgpt.inference.local.decoding import Row

MOST_SCORES = 2**25
"""Scores (tokens times vocabulary) that are computed at once: 128 MB in float32."""


def reference_ids(tokenizer: Any, messages: list[Message], reference: str, prompt: list[int], window: int | None) -> list[int]:
    """The ids of a reference answer with the one that ends it, as training learns them behind this prompt.

    Empty where that is not defined: the chat template cannot be trained with, or prompt and answer do not fit the model's window.
    """
    try:
        example = training_examples(tokenizer, [*messages, {"role": "assistant", "content": reference}])[-1]
    except UserError:
        return []
    start, end = example.answers[-1]
    if example.ids[:start] != prompt or (window is not None and end > window):
        return []
    return example.ids[start:end]


def measure(network: Network, rows: Sequence["Row"], pasts: Sequence[Past], first: "torch.Tensor") -> None:
    """Set `reference_nll` of rows that have a reference. Only within `Network.turn`.

    Args:
        pasts: each row's whole prompt, read.
        first: scores of the token after it, (rows, vocabulary), float32.
    """
    measured = sorted((place for place, row in enumerate(rows) if row.reference), key=lambda place: len(rows[place].reference))
    for place in measured:
        rows[place].reference_nll = surprise(first[place : place + 1], rows[place].reference[:1])
    longer = [place for place in measured if len(rows[place].reference) > 1]
    while longer:
        together = 1
        while (
            network.attends_fully
            and together < len(longer)
            and (together + 1) * len(rows[longer[together]].reference) * network.vocabulary <= MOST_SCORES
        ):
            together += 1
        places, longer = longer[:together], longer[together:]
        texts = [rows[place].reference[:-1] for place in places]
        reading = read_together(network, texts, [pasts[place] for place in places], keep=max(map(len, texts)))
        for number, place in enumerate(places):
            told = rows[place].reference[1:]
            rows[place].reference_nll += surprise(reading.scores[number, -len(told) :], told)  # type: ignore[operator]


def surprise(scores: "torch.Tensor", ids: Sequence[int]) -> float:
    """Summed negative log-likelihood of ids, in nats; `scores` are (ids, vocabulary)."""
    import torch

    chosen = scores.gather(-1, torch.tensor(ids, device=scores.device)[:, None])[:, 0]
    return float((scores.logsumexp(-1) - chosen).double().sum())
