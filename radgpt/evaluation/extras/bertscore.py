"""BERTScore of a local model, as the package `bert-score` computes it without idf weights and without rescaling.

Zhang et al. 2020, https://arxiv.org/abs/1904.09675: each token is matched with the most similar one of the other text, by the cosine of
their contextual embeddings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from radgpt.config import Evaluation
from radgpt.errors import UserError

if TYPE_CHECKING:
    import torch

    from radgpt.evaluation.extras import Columns, Extra

LAYERS = "9 of bert-base-uncased, 17 of roberta-large, 5 of distilbert-base-uncased, 40 of deberta-xlarge-mnli"
"""Layers that the authors chose by agreement with people, for the message."""

BATCH = 32
LONGEST = 512
"""Tokens that are read of a text, at most."""


def open_bertscore(evaluation: Evaluation) -> "Extra":
    """Load the model of `evaluation.weights.bertscore`; raises UserError where it or its layer is not stated."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from radgpt.evaluation.extras import Extra, digest_of, loading, weights_of

    source = "a BERT-like model's folder (config.json, weights, tokenizer)"
    folder = weights_of("bertscore", evaluation, ["config.json"], source)
    layer = evaluation.bertscore_layer
    if layer is None:
        raise UserError(f"evaluation.bertscore_layer=null: scores of different layers differ, so name one ({LAYERS})")
    with loading("bertscore", folder, source):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    layers = model.config.num_hidden_layers
    if not 0 < layer <= layers:
        raise UserError(f"evaluation.bertscore_layer={layer}: the model has layers 1 to {layers}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)

    def score(answers: Sequence[str], references: Sequence[str]) -> "Columns":
        found = [0.0] * len(answers)
        by_length = sorted(range(len(answers)), key=lambda place: len(answers[place]) + len(references[place]))
        for start in range(0, len(by_length), BATCH):
            places = by_length[start : start + BATCH]
            known = dict(embedded(list(dict.fromkeys(text for place in places for text in (answers[place], references[place])))))
            for place in places:
                found[place] = f1(known[answers[place]], known[references[place]])
        return {"bertscore": [(value, 1.0) for value in found]}

    def embedded(texts: list[str]) -> "Iterator[tuple[str, Embedded]]":
        limit = min(tokenizer.model_max_length, LONGEST, getattr(model.config, "max_position_embeddings", LONGEST))
        batch: Any = tokenizer(
            [text.strip() for text in texts],
            padding=True,
            truncation=True,
            max_length=limit,
            return_tensors="pt",
            return_special_tokens_mask=True,
        )
        special = batch.pop("special_tokens_mask")
        with torch.inference_mode():
            hidden = model(**batch.to(device), output_hidden_states=True).hidden_states[layer].float().cpu()
        for text, vectors, there, added in zip(texts, hidden, batch["attention_mask"].cpu() == 1, special, strict=True):
            yield text, Embedded(torch.nn.functional.normalize(vectors[there], dim=-1), added[there] == 0)

    about = {
        "package": f"transformers {version('transformers')}",
        "model_sha256": digest_of(list(folder.glob("*.safetensors")) or list(folder.glob("*.bin"))),
        "layer": layer,
        "layers": layers,
        "idf": False,
        "rescaled": False,
    }
    return Extra("bertscore", score, about)


@dataclass(frozen=True)
class Embedded:
    """The tokens of one text."""

    vectors: "torch.Tensor"
    """(tokens, width), each of unit length."""
    own: "torch.Tensor"
    """(tokens,), whether it is the text's own: tokens that the tokenizer adds may be matched, but look for no match."""


def f1(answer: Embedded, reference: Embedded) -> float:
    """F1 of greedy matching; 0 where either text has no token of its own."""
    if not answer.own.any() or not reference.own.any():
        return 0.0
    similar = answer.vectors @ reference.vectors.T
    precision = float(similar.max(dim=1).values[answer.own].mean())
    recall = float(similar.max(dim=0).values[reference.own].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
