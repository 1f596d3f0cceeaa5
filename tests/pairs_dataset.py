"""A small dataset folder of made-up pairs, as `postprocess_answers` writes it, for tests of training."""

from pathlib import Path

from radgpt.artifacts import write_records
from radgpt.records import SPLITS, Pair

SIZES = ("small", "moderate", "large")
SIDES = ("left", "right")


def effusion_pair(number: int, split: str) -> Pair:
    """A question about a report of varying length."""
    side, size = SIDES[number % 2], SIZES[number % 3]
    report = f"There is a {size} {side} pleural effusion. " + "No pneumothorax. " * (1 + number % 5)
    messages = [
        {"role": "system", "content": "Answer from the report."},
        {"role": "user", "content": f"{report}\n\nIs there an effusion?"},
        {"role": "assistant", "content": f"Yes, a {size} one on the {side}." if number % 4 else "Yes."},
    ]
    return Pair(f"{split}{number}/0", f"{split}{number}", f"{split}{number}", "question_answering", split, messages, "", "", "")


def write_dataset(folder: Path, train: int = 22, other: int = 5) -> Path:
    """Write train.jsonl, validation.jsonl and test.jsonl."""
    folder.mkdir(parents=True)
    for split in SPLITS:
        with write_records(folder / f"{split}.jsonl") as write:
            for number in range(train if split == "train" else other):
                write(effusion_pair(number, split))
    return folder
