"""Make the token files of a dataset or of reports, once for all runs that train on the same tokens, and read them.

A stage asks for `prepared_tokens`, first on rank 0 and then, when that is through, on the others, which find the same folder;
`read_tokens` opens it.
"""

import hashlib
import json
import random
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from radgpt import chat_format
from radgpt.artifacts import count_rows, digest, write_folder, write_text
from radgpt.config import Dataset, Training
from radgpt.errors import UserError
from radgpt.instructions.splits import assign_splits, prescribed_splits
from radgpt.records import Pair, Report, canonical_digest, read_rows
from radgpt.training.data import tokenise
from radgpt.training.data.tokenise import Line, Maker, Work, blocks, pair_rows, report_rows

if TYPE_CHECKING:
    import datasets
    import pyarrow
    from transformers import PreTrainedTokenizerBase

SPLITS = ("train", "validation")

OF_TOKENS = ("model_max_length", "too_long", "faithful", "max_train_samples", "max_eval_samples")
"""Settings of `training` that token files depend on."""

Writer = Callable[..., None]
"""`write_tokens` or `write_report_tokens`."""


@dataclass(frozen=True)
class SplitCounts:
    """How much a split holds."""

    examples: int = 0
    tokens: int = 0
    learned_tokens: int = 0
    longest: int = 0
    """Tokens of its longest example."""


@dataclass(frozen=True)
class Counts:
    """What became of a dataset's examples, over both splits, and what each split holds."""

    dropped_too_long: int = 0
    """Left out, as they are longer than `training.model_max_length`."""
    cut_reports: int = 0
    """Kept with the end of their report left out (`training.too_long=cut_report`)."""
    train: SplitCounts = SplitCounts()
    validation: SplitCounts = SplitCounts()


@dataclass(frozen=True)
class Tokens:
    """A dataset as token ids.

    Rows have `input_ids` and, of equal length, `mask` (1 where the token is learned), `id` (of a pair or a report) and `task`.
    """

    train: "datasets.Dataset"
    validation: "datasets.Dataset | None"
    """None where the dataset holds no validation example that fits."""
    counts: Counts


def prepared_tokens(
    write: Writer,
    source: Path,
    training: Training,
    seed: int,
    tokenizer: "PreTrainedTokenizerBase",
    shared: Path,
    dataset: Dataset | None = None,
) -> Path:
    """The folder under `shared` with the tokens of a source, made by `write` unless another run, or another process, has made it.

    Its name is a digest of all that the tokens depend on. `dataset` is for `write_report_tokens`. Raises UserError as `write` does.
    """
    folder = shared / tokens_key(write, source, training, seed, tokenizer, dataset)
    if folder.is_dir():
        return folder
    from filelock import FileLock

    shared.mkdir(parents=True, exist_ok=True)
    with FileLock(shared / f".{folder.name}.lock"):
        # Another process may have made it while this one waited.
        if not folder.is_dir():
            write(source, training, seed, tokenizer, folder, *([dataset] if dataset else []))
    return folder


def tokens_key(
    write: Writer, source: Path, training: Training, seed: int, tokenizer: "PreTrainedTokenizerBase", dataset: Dataset | None = None
) -> str:
    """A digest of the source's files, the tokenizer's with its chat template, the settings that matter, and the code that tokenises."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        tokenizer_sha256 = digest(Path(folder))
    files = [source] if source.is_file() else [source / f"{split}.jsonl" for split in SPLITS]
    settings = {name: getattr(training, name) for name in OF_TOKENS}
    return canonical_digest(
        {
            "write": write.__name__,
            "source": [digest(file) if file.is_file() else None for file in files],
            "tokenizer": tokenizer_sha256,
            "settings": settings | {"too_long": training.too_long.name, "seed": seed},
            "splits": dataset and [dataset.validation_fraction, dataset.test_fraction],
            "code": [digest(Path(file)) for file in (__file__, tokenise.__file__, chat_format.__file__)],
        }
    )[:16]


def write_tokens(dataset: Path, training: Training, seed: int, tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Tokenise the train and validation pairs of a dataset into a folder that `read_tokens` reads.

    Raises:
        UserError: no training pair is short enough, or the model's chat template cannot be trained with.
    """
    parts = []
    for split in SPLITS:
        path = dataset / f"{split}.jsonl"
        parts.append(Part(split, path, range(count_rows(path) or 0) if path.is_file() else range(0)))
    write_parts(parts, Pair, pair_rows, training, seed, tokenizer, folder)


def write_report_tokens(
    reports: Path, training: Training, seed: int, tokenizer: "PreTrainedTokenizerBase", folder: Path, dataset: Dataset | None = None
) -> None:
    """Tokenise the text of reports into a folder that `read_tokens` reads; reports of the test split are left out.

    Args:
        dataset: what says how patients without a prescribed split are split, so that they stand where their pairs do;
            None: all of them are for training.

    Raises:
        UserError: no report is left to train on, or the source puts a patient into two splits.
    """
    patients = patients_of(reports)
    splits = report_splits(patients, dataset, seed)
    rows = {split: [row for row, (patient, _) in enumerate(patients) if splits[patient] == split] for split in SPLITS}
    parts = [Part(split, reports, rows[split]) for split in SPLITS]
    write_parts(parts, Report, report_rows, training, seed, tokenizer, folder)


def patients_of(reports: Path) -> list[tuple[str, str | None]]:
    """(patient id, prescribed split) of each report of a file."""
    return [(str(row.get("patient_id")), row.get("split")) for _, row in read_rows(reports)]


def report_splits(patients: list[tuple[str, str | None]], dataset: Dataset | None, seed: int) -> dict[str, str]:
    """Patient id to split, as `write_report_tokens` takes them; `patients` as `patients_of` gives them."""
    prescribed = prescribed_splits(patients)
    if dataset is None:
        return {patient: split or "train" for patient, split in prescribed.items()}
    return assign_splits(prescribed, set(prescribed), dataset, seed)


@dataclass(frozen=True)
class Part:
    """The lines of a file that make up a split."""

    split: str
    path: Path
    rows: Sequence[int]
    """Numbers of its lines, from 0, in rising order."""


def write_parts(
    parts: list[Part], kind: type, make: Maker, training: Training, seed: int, tokenizer: "PreTrainedTokenizerBase", folder: Path
) -> None:
    """Write a folder of one Arrow file for each part, and the counts."""
    limits = {"train": training.max_train_samples, "validation": training.max_eval_samples}
    dropped, cut = 0, 0
    splits = {}
    with write_folder(folder) as temporary:
        for part in parts:
            chosen = drawn(part.rows, limits[part.split], f"{seed}/{part.split}")
            work = Work(part.path, kind, make, tokenizer, training)
            kept, too_long, shortened = write_split(work, lines_of(part.path, chosen), len(chosen), temporary / f"{part.split}.arrow")
            if part.split == "train" and kept.examples == 0:
                raise UserError(nothing_to_train_on(part.path, too_long, training))
            splits[part.split] = kept
            dropped, cut = dropped + too_long, cut + shortened
        write_text(temporary / "counts.json", json.dumps(asdict(Counts(dropped, cut, **splits)), indent=2) + "\n")


def nothing_to_train_on(path: Path, too_long: int, training: Training) -> str:
    """Why there is no training example."""
    if too_long:
        return f"training.model_max_length={training.model_max_length}: all {too_long} training pairs are longer; raise it"
    if path.stem != "train":
        return f"{path} holds no report of the training split; see data.split, or give another file with inputs.reports=FILE"
    return f"{path} holds no pair; make more reports or keep more instructions, and run stage=postprocess_answers again"


def drawn(rows: Sequence[int], limit: int | None, seed: str) -> Collection[int]:
    """Some numbers, of which no more than `limit`, drawn by seed, are kept."""
    if limit is None or limit >= len(rows):
        return rows if isinstance(rows, range) else set(rows)
    source = random.Random(hashlib.sha256(seed.encode()).hexdigest())
    return {rows[place] for place in source.sample(range(len(rows)), limit)}


def lines_of(path: Path, chosen: Collection[int]) -> Iterator[Line]:
    """The chosen lines of a file, in its order."""
    if not chosen:
        return
    with open(path, "rb") as file:
        for row, line in enumerate(file):
            if row in chosen:
                yield row + 1, line


def write_split(work: Work, lines: Iterator[Line], count: int, file: Path) -> tuple[SplitCounts, int, int]:
    """Write the rows of `count` lines into an Arrow file; give (what it holds, too long ones, ones with a cut report)."""
    import datasets
    from datasets.arrow_writer import ArrowWriter

    of_tokens, of_mask, text = datasets.List(datasets.Value("int32")), datasets.List(datasets.Value("int8")), datasets.Value("string")
    features = datasets.Features({"input_ids": of_tokens, "mask": of_mask, "id": text, "task": text})
    kept, too_long, cut = SplitCounts(), 0, 0
    name = f"tokenise {file.stem}"
    with (
        ArrowWriter(path=str(file), features=features) as writer,
        tqdm(total=count, desc=name, unit=" rows", disable=None, leave=False) as bar,
    ):
        for block in blocks(work, lines, count):
            writer.write_table(block.table)
            kept, too_long, cut = with_table(kept, block.table), too_long + block.too_long, cut + block.cut
            bar.update(block.lines)
        writer.finalize()
    return kept, too_long, cut


def with_table(counts: SplitCounts, table: "pyarrow.Table") -> SplitCounts:
    """Counts with those of another block of rows added."""
    import pyarrow.compute as compute

    if not len(table):
        return counts
    lengths = compute.list_value_length(table.column("input_ids"))
    return SplitCounts(
        counts.examples + len(table),
        counts.tokens + compute.sum(lengths).as_py(),
        counts.learned_tokens + compute.sum(compute.list_flatten(table.column("mask"))).as_py(),
        max(counts.longest, compute.max(lengths).as_py()),
    )


def read_tokens(folder: Path) -> Tokens:
    """What `write_tokens` wrote, mapped into memory rather than loaded."""
    import datasets

    # An empty split leaves no record batch to read.
    splits = {split: datasets.Dataset.from_file(str(folder / f"{split}.arrow")) for split in SPLITS}
    counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    return Tokens(
        splits["train"],
        splits["validation"] if len(splits["validation"]) else None,
        Counts(**counts | {split: SplitCounts(**counts[split]) for split in SPLITS}),
    )
