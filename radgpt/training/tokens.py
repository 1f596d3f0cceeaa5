"""Tokenise the pairs of a dataset, and batch them with the loss on answers only."""

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from radgpt.artifacts import count_rows, write_folder, write_text
from radgpt.chat_format import training_ids
from radgpt.config import Training
from radgpt.errors import UserError
from radgpt.records import Pair, read_records

if TYPE_CHECKING:
    import datasets
    import torch
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""The label that torch's cross-entropy passes over."""


@dataclass(frozen=True)
class Tokens:
    """A dataset as token ids: rows with `input_ids` and, of equal length, `mask` (1 where the token is learned)."""

    train: "datasets.Dataset"
    validation: "datasets.Dataset | None"
    """None where the dataset holds no validation pair that fits."""
    dropped_too_long: int
    """Pairs of both splits that are longer than `training.model_max_length`; none is truncated."""


def write_tokens(dataset: Path, training: Training, seed: int, tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Tokenise the train and validation pairs of a dataset into a folder that `read_tokens` reads.

    Raises:
        UserError: no training pair is short enough, or the model's chat template cannot be trained with.
    """
    dropped = 0
    with write_folder(folder) as temporary:
        for split, limit in (("train", training.max_train_samples), ("validation", training.max_eval_samples)):
            path = dataset / f"{split}.jsonl"
            pairs = drawn(path, limit, seed)
            kept, too_long = write_split(pairs, tokenizer, training.model_max_length, temporary / f"{split}.arrow")
            if split == "train" and kept == 0:
                raise UserError(nothing_to_train_on(path, too_long, training))
            dropped += too_long
        write_text(temporary / "dropped.json", json.dumps(dropped))


def nothing_to_train_on(path: Path, too_long: int, training: Training) -> str:
    """Why there is no training pair."""
    if too_long:
        return f"training.model_max_length={training.model_max_length}: all {too_long} training pairs are longer; raise it"
    return f"{path} holds no pair; make more reports or keep more instructions, and run stage=postprocess_answers again"


def read_tokens(folder: Path) -> Tokens:
    """What `write_tokens` wrote, mapped into memory rather than loaded."""
    import datasets

    # An empty split leaves no record batch to read.
    splits = {split: datasets.Dataset.from_file(str(folder / f"{split}.arrow")) for split in ("train", "validation")}
    return Tokens(
        splits["train"], splits["validation"] if len(splits["validation"]) else None, json.loads((folder / "dropped.json").read_text())
    )


def drawn(path: Path, limit: int | None, seed: int) -> Iterator[Pair]:
    """The pairs of a split in file order: all, or `limit` of them drawn by seed and the split's name."""
    rows = count_rows(path) if path.is_file() else 0
    chosen = set(range(rows or 0))
    if limit is not None and limit < len(chosen):
        source = random.Random(hashlib.sha256(f"{seed}/{path.stem}".encode()).hexdigest())
        chosen = set(source.sample(range(len(chosen)), limit))
    pairs = tqdm(read_records(path, Pair), total=rows, desc=f"tokenise {path.stem}", unit=" pairs", disable=None, leave=False)
    return (pair for row, pair in enumerate(pairs) if row in chosen)


def write_split(pairs: Iterator[Pair], tokenizer: "PreTrainedTokenizerBase", max_length: int, file: Path) -> tuple[int, int]:
    """Write the token ids of pairs that fit into an Arrow file; give (pairs kept, pairs too long)."""
    import datasets
    from datasets.arrow_writer import ArrowWriter

    features = datasets.Features({"input_ids": datasets.List(datasets.Value("int32")), "mask": datasets.List(datasets.Value("int8"))})
    kept = too_long = 0
    with ArrowWriter(path=str(file), features=features) as writer:
        for pair in pairs:
            ids, mask = training_ids(tokenizer, pair.messages)
            if len(ids) > max_length:
                too_long += 1
                continue
            kept += 1
            writer.write({"input_ids": ids, "mask": mask})
        writer.finalize()
    return kept, too_long


@dataclass(frozen=True)
class Collator:
    """Pads the rows of a micro-batch on the right to the longest of them."""

    pad_token_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> "dict[str, torch.Tensor]":
        """Batch rows of `input_ids` and `mask`.

        Returns:
            input_ids, attention_mask and labels, each (rows, longest row), int64. Labels are the token itself where it is
            learned and IGNORED elsewhere; they go by the mask, never by the padding token, which in many models also ends a turn.
        """
        import torch

        width = max(len(row["input_ids"]) for row in rows)
        input_ids = torch.full((len(rows), width), self.pad_token_id)
        attention_mask = torch.zeros((len(rows), width), dtype=torch.long)
        labels = torch.full((len(rows), width), IGNORED)
        for number, row in enumerate(rows):
            ids, mask = torch.tensor(row["input_ids"]), torch.tensor(row["mask"], dtype=torch.bool)
            input_ids[number, : len(ids)] = ids
            attention_mask[number, : len(ids)] = 1
            labels[number, : len(ids)] = torch.where(mask, ids, IGNORED)
        return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
