"""F1 of the labels that CheXbert gives, read from its published checkpoint.

Smit et al. 2020, https://arxiv.org/abs/2004.09167: BERT-base with one linear head for each of fourteen observations, on the first token.
Uncertain counts as `evaluation.uncertain` says: by default positive, as the package `f1chexbert` counts it for generated reports.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from radgpt.config import Evaluation
from radgpt.errors import UserError
from radgpt.evaluation.observations import FIVE, OBSERVATIONS, counted_as_positive, hits

if TYPE_CHECKING:
    from radgpt.evaluation.extras import Columns, Extra

HEADS = (*OBSERVATIONS[1:], "No Finding")
"""The observations in the order of the checkpoint's heads: as in OBSERVATIONS, but «No Finding» last."""

CLASSES = ("blank", "positive", "negative", "uncertain")
"""What a head tells apart; that of «No Finding» has the first two."""

CHECKPOINT = "chexbert.pth"
BATCH = 32
LONGEST = 512


def open_chexbert(evaluation: Evaluation) -> "Extra":
    """Load the checkpoint of `evaluation.weights.chexbert`; raises UserError where it is not there or is another model's."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    from radgpt.evaluation.extras import Extra, digest_of, loading, weights_of

    source = f"{CHECKPOINT} of StanfordAIMI/RRG_scorers and, beside it, config.json and the tokenizer of bert-base-uncased"
    folder = weights_of("chexbert", evaluation, [CHECKPOINT, "config.json"], source)
    with loading("chexbert", folder, source):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        bert = BertModel(BertConfig.from_pretrained(folder, local_files_only=True))
        heads = torch.nn.ModuleList([torch.nn.Linear(bert.config.hidden_size, 2 if name == "No Finding" else 4) for name in HEADS])
        saved = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
        state = {name.removeprefix("module."): value for name, value in saved.get("model_state_dict", saved).items()}
        network = torch.nn.ModuleDict({"bert": bert, "linear_heads": heads})
        # Older checkpoints carry position ids as a buffer.
        fits = network.load_state_dict({name: value for name, value in state.items() if not name.endswith("position_ids")}, strict=False)
    if fits.missing_keys or fits.unexpected_keys:
        raise UserError(f"evaluation.weights.chexbert={folder}: {CHECKPOINT} and config.json are not those of CheXbert; get {source}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.eval().to(device)

    def labelled(texts: list[str]) -> list[dict[str, str]]:
        # One space between words, as the checkpoint was trained.
        cleaned = [" ".join(text.split()) for text in texts]
        batch: Any = tokenizer(cleaned, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt").to(device)
        with torch.inference_mode():
            first = bert(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state[:, 0]
            chosen = [head(first).argmax(dim=-1).tolist() for head in heads]
        return [{name: CLASSES[kind] for name, kind in zip(HEADS, row, strict=True)} for row in zip(*chosen, strict=True)]

    def score(answers: Sequence[str], references: Sequence[str]) -> "Columns":
        texts = sorted({*answers, *references}, key=len)
        known: dict[str, dict[str, str]] = {}
        for start in range(0, len(texts), BATCH):
            part = texts[start : start + BATCH]
            known |= zip(part, labelled(part), strict=True)
        positive = counted_as_positive(evaluation.uncertain)
        pairs = [(known[answer], known[reference]) for answer, reference in zip(answers, references, strict=True)]
        fourteen = [hits(said, wanted, OBSERVATIONS, positive) for said, wanted in pairs]
        five = [hits(said, wanted, FIVE, positive) for said, wanted in pairs]
        return {
            "chexbert_micro_f1": list(fourteen),
            "chexbert_macro_f1": list(fourteen),
            "chexbert5_micro_f1": list(five),
            "chexbert5_macro_f1": list(five),
        }

    about = {
        "package": f"transformers {version('transformers')}",
        "model_sha256": digest_of([folder / CHECKPOINT]),
        "uncertain": evaluation.uncertain,
    }
    return Extra("chexbert", score, about)
