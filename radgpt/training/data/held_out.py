"""Refuse to go on from a training that has seen the patients whose pairs are held out."""

from collections.abc import Collection
from pathlib import Path

from radgpt.artifacts import write_text
from radgpt.config import refuse
from radgpt.records import read_rows

TRAINED_PATIENTS = "trained_patients.txt"
"""Ids of the patients that a model was trained on, one a line: in the run's folder, beside the weights rather than among them."""

HELD_OUT = ("validation", "test")


def record_trained(folder: Path, patients: Collection[str]) -> None:
    """Leave the patients in a run's folder."""
    write_text(folder / TRAINED_PATIENTS, "".join(f"{patient}\n" for patient in sorted(patients)))


def trained_on(before: Path) -> set[str]:
    """The patients that the weights in `before` were trained on, as the folder of their run tells; none where it tells nothing."""
    file = before.parent / TRAINED_PATIENTS
    return set(file.read_text(encoding="utf-8").splitlines()) if file.is_file() else set()


def patients_of(dataset: Path, splits: Collection[str]) -> set[str]:
    """The patients with pairs in these splits of a dataset."""
    return {str(row.get("patient_id")) for split in splits if (path := dataset / f"{split}.jsonl").is_file() for _, row in read_rows(path)}


def refuse_seen(before: Path, dataset: Path, setting: str) -> None:
    """Raise UserError where the training that left `before` has learned reports of patients whose pairs the dataset holds out.

    Few patients with pairs are split by themselves (`splits.assign_splits`), which pre-training, before there are pairs, cannot
    know; another seed splits otherwise, too. What says nothing of its patients is taken as it is.

    Args:
        before: the folder of weights; its run's folder is the one above.
        setting: what named it, for the message.
    """
    trained = trained_on(before)
    if not trained:
        return
    held_out = patients_of(dataset, HELD_OUT)
    seen = held_out & trained
    refuse(
        bool(seen),
        f"{setting}: it was trained on reports of {len(seen)} of the {len(held_out)} patients whose pairs are held out for validation and "
        "test, so that scores would tell nothing; use one seed for both stages and make pairs of more reports, or pre-train with "
        "inputs.reports=FILE where each report has its split",
    )
