"""Split patients into train, validation and test; the reports of a patient never part."""

import hashlib
from collections.abc import Collection, Iterable, Mapping

from radgpt.config import Dataset
from radgpt.errors import UserError
from radgpt.records import SPLITS

FEWEST_PATIENTS = 10
"""From so many patients on, validation and test get at least one each (unless their fraction is 0)."""


def prescribed_splits(rows: Iterable[tuple[str, str | None]]) -> dict[str, str | None]:
    """Patient id to the split that the source prescribes, or None; `rows` are (patient id, split) of the reports.

    A patient of whom only some reports carry a split has that one for all.

    Raises:
        UserError: a split has a strange name, or the source puts one patient into two.
    """
    splits: dict[str, str | None] = {}
    for patient, split in rows:
        if split is not None and split not in SPLITS:
            raise UserError(f"patient {patient}: the source prescribes split '{split}'; splits are {', '.join(SPLITS)}")
        known = splits.get(patient)
        if known is not None and split is not None and known != split:
            raise UserError(f"patient {patient}: the source prescribes both {known} and {split}; mend it, or say data.split=patient")
        splits[patient] = known or split
    return splits


def assign_splits(prescribed: Mapping[str, str | None], with_pairs: Collection[str], dataset: Dataset, seed: int) -> dict[str, str]:
    """Patient id to split, for every patient of `prescribed`.

    Where the source prescribes a split, that holds. The others are put in the order of sha256(seed, patient id) and cut by
    the fractions of `dataset`; so the split depends neither on the order of the reports nor on which answers were kept. Only if
    that would leave validation or test without a pair although FEWEST_PATIENTS have some, patients without a pair go to train
    and the rest is cut by itself.
    """
    splits = {patient: split for patient, split in prescribed.items() if split is not None}
    free = sorted((patient for patient, split in prescribed.items() if split is None), key=lambda patient: _rank(seed, patient))
    cut = _cut(free, dataset)
    useful = [patient for patient in free if patient in with_pairs]
    if len(useful) >= FEWEST_PATIENTS and set(map(cut.get, useful)) != set(cut.values()):
        cut = {**dict.fromkeys(free, "train"), **_cut(useful, dataset)}
    return splits | cut


def _cut(patients: list[str], dataset: Dataset) -> dict[str, str]:
    counts = {}
    for split, fraction in (("test", dataset.test_fraction), ("validation", dataset.validation_fraction)):
        least = int(fraction > 0 and len(patients) >= FEWEST_PATIENTS)
        counts[split] = max(least, round(len(patients) * fraction))
    test, held_out = counts["test"], counts["test"] + counts["validation"]
    return {patient: "test" if rank < test else "validation" if rank < held_out else "train" for rank, patient in enumerate(patients)}


def _rank(seed: int, patient: str) -> tuple[str, str]:
    return hashlib.sha256(f"{seed}\0{patient}".encode("utf-8", "surrogatepass")).hexdigest(), patient
