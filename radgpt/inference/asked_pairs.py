"""Find what predictions were asked: the dataset's pairs, or the questions of a file, behind their ids."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from radgpt.config import ChatPrompt
from radgpt.config import Prediction as PredictionSettings
from radgpt.inference.questions import of_file
from radgpt.records import SPLITS, Pair, Prediction, read_records


def pairs_in(file: Path) -> list[Pair]:
    """The pairs of a split; none where the file is missing. Raises UserError as `read_records` does."""
    return list(read_records(file, Pair)) if file.exists() else []


def asked_in(
    predicted: Sequence[Prediction], dataset: Path | None, prediction: PredictionSettings, prompt: ChatPrompt
) -> list[Pair] | None:
    """What each row was asked: of `prediction.file`, or of the dataset, whose configured split is looked through first.

    Returns:
        A pair for each row; None where one is not found. Of questions without a reference, the pair's is empty.

    Raises:
        UserError: as `questions.of_file` and `read_records` do.
    """
    wanted = {row.pair_id for row in predicted}
    known: dict[str, Pair] = {}
    for pairs in sources(dataset, prediction, prompt):
        known |= {pair.pair_id: pair for pair in pairs if pair.pair_id in wanted and pair.pair_id not in known}
        if len(known) == len(wanted):
            return [known[row.pair_id] for row in predicted]
    return None


def sources(dataset: Path | None, prediction: PredictionSettings, prompt: ChatPrompt) -> Iterator[Iterable[Pair]]:
    """Where the questions may stand, the likeliest place first."""
    if prediction.file is not None:
        yield pairs_of_file(prediction.file, prompt)
    elif dataset is not None:
        for split in sorted(SPLITS, key=lambda split: split != prediction.split):
            yield pairs_in(dataset / f"{split}.jsonl")


def pairs_of_file(path: str, prompt: ChatPrompt) -> Iterator[Pair]:
    """The questions of a file of the user's as pairs."""
    for row in of_file("prediction.file", path, prompt):
        messages = [*row.messages, {"role": "assistant", "content": row.reference or ""}]
        yield Pair(row.pair_id, row.report_id, row.patient_id, row.task, "test", messages, "", "", "", row.report_span)
