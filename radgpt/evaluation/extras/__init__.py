"""Metrics that need a model of their own: each from weights on this disk, none fetched.

`bertscore` and `chexbert` run on transformers, which the project has anyway: the packages `bert-score` 0.3.13 (fails with transformers 5 on
empty texts and on tokenizers without a stated length) and `f1chexbert` 0.0.2 (fetches by fixed names) are not needed. `radgraph`,
`ratescore`, `radcliq` and `green` come from the package `radeval`, in a process of its own.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from radgpt.config import Evaluation
from radgpt.errors import UserError
from radgpt.evaluation.extras.metrics import EXTRA_METRICS
from radgpt.evaluation.metrics import Metric, Row, Scores, Statistics

Columns = dict[str, list[Statistics | None]]
"""Metric to the numbers of each row."""


@dataclass(frozen=True)
class Extra:
    """One optional metric, its model loaded or ready to be asked."""

    name: str
    """One of `radgpt.config.evaluation.EXTRAS`."""
    score: Callable[[Sequence[str], Sequence[str]], Columns]
    """Answers and references, of equal number, to numbers."""
    about: dict[str, Any] = field(default_factory=dict)
    """What makes its scores comparable: package, version, digest of the weights, settings. It goes into the results."""


def extra_metrics(evaluation: Evaluation) -> dict[str, Metric]:
    """Name to metric, of those that `evaluation.extras` asks for."""
    chosen = evaluation.extras or []
    return {metric.name: metric for name in dict.fromkeys(chosen) for metric in EXTRA_METRICS[name]}


def open_extras(evaluation: Evaluation) -> list[Extra]:
    """What `evaluation.extras` asks for, ready to score.

    Raises:
        UserError: weights or a package are missing, with the way to get them.
    """
    return [_opened(name, evaluation) for name in dict.fromkeys(evaluation.extras or [])]


def score_extras(extras: Sequence[Extra], rows: Sequence[Row]) -> list[Scores]:
    """The numbers of each row for each metric of `extras`; None for rows without a reference. Equal pairs are scored once."""
    wanted = [None if row.reference is None else (row.text, row.reference) for row in rows]
    places = {pair: number for number, pair in enumerate(dict.fromkeys(pair for pair in wanted if pair is not None))}
    scores: list[Scores] = [{} for _ in rows]
    for extra in extras:
        columns = extra.score([answer for answer, _ in places], [reference for _, reference in places]) if places else {}
        for pair, found in zip(wanted, scores, strict=True):
            for metric in EXTRA_METRICS[extra.name]:
                found[metric.name] = None if pair is None else columns[metric.name][places[pair]]
    return scores


def weights_of(name: str, evaluation: Evaluation, wanted: Sequence[str], source: str) -> Path:
    """The folder of a metric's weights.

    Args:
        wanted: files of which each must be there.
        source: where a user gets them, for the message.

    Raises:
        UserError: it is not set, not there, or lacks one of `wanted`.
    """
    folder = evaluation.weights.get(name)
    if folder is None:
        raise UserError(f"evaluation.extras=[{name}]: its weights are not set; get {source} and set evaluation.weights.{name}=FOLDER")
    place = Path(folder).expanduser()
    missing = [file for file in wanted if not (place / file).is_file()]
    if not place.is_dir() or missing:
        lacks = f"has no {missing[0]}" if place.is_dir() else "is no folder"
        raise UserError(f"evaluation.weights.{name}={folder} {lacks}; get {source}")
    return place


@contextmanager
def loading(name: str, folder: Path, source: str) -> Iterator[None]:
    """Turn what libraries raise over files that are not what they should be into a line for the user."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, UnpicklingError) as error:
        raise UserError(f"evaluation.weights.{name}={folder} cannot be loaded ({type(error).__name__}); get {source}") from None


def digest_of(files: Sequence[Path]) -> str:
    """SHA-256 of the bytes of some files, in the order of their names."""
    found = hashlib.sha256()
    for file in sorted(files):
        with open(file, "rb") as opened:
            found.update(hashlib.file_digest(opened, "sha256").digest())
    return found.hexdigest()


def _opened(name: str, evaluation: Evaluation) -> Extra:
    if name == "bertscore":
        from radgpt.evaluation.extras.bertscore import open_bertscore

        return open_bertscore(evaluation)
    if name == "chexbert":
        from radgpt.evaluation.extras.chexbert import open_chexbert

        return open_chexbert(evaluation)
    from radgpt.evaluation.extras.radeval_process import open_radeval

    return open_radeval(name, evaluation)
