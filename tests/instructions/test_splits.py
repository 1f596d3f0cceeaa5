"""Patients never part, prescribed splits hold, and small sets get every split."""

from collections import Counter

import pytest

from radgpt.config import Dataset
from radgpt.errors import UserError
from radgpt.instructions.splits import assign_splits, prescribed_splits

DATASET = Dataset(validation_fraction=0.1, test_fraction=0.2)


def patients(count: int) -> dict[str, str | None]:
    return {f"p{number}": None for number in range(count)}


def test_fractions_are_met_and_order_does_not_matter() -> None:
    known = patients(200)
    splits = assign_splits(known, known, DATASET, seed=0)
    assert Counter(splits.values()) == {"train": 140, "test": 40, "validation": 20}
    assert assign_splits(dict(reversed(known.items())), known, DATASET, seed=0) == splits
    assert assign_splits(known, known, DATASET, seed=1) != splits


@pytest.mark.parametrize("count", [10, 11, 14])
def test_ten_patients_fill_every_split(count: int) -> None:
    known = patients(count)
    splits = assign_splits(known, known, Dataset(validation_fraction=0.01, test_fraction=0.01), seed=3)
    assert Counter(splits.values()) == {"train": count - 2, "test": 1, "validation": 1}


def test_splits_without_a_pair_are_cut_again_among_those_who_have_some() -> None:
    known = patients(40)
    with_pairs = [patient for patient, split in assign_splits(known, known, DATASET, 0).items() if split == "train"]
    splits = assign_splits(known, with_pairs, DATASET, 0)
    assert {splits[patient] for patient in with_pairs} == {"train", "validation", "test"}
    assert {splits[patient] for patient in known if patient not in with_pairs} == {"train"}


def test_dropping_a_few_answers_moves_no_patient() -> None:
    known = patients(200)
    assert assign_splits(known, list(known)[5:], DATASET, 0) == assign_splits(known, known, DATASET, 0)


def test_what_the_source_prescribes_holds_for_all_reports_of_a_patient() -> None:
    rows = [("a", "test"), ("a", None), ("b", None), ("b", "validation"), *((f"p{n}", None) for n in range(20))]
    splits = assign_splits(prescribed_splits(rows), {"a"}, DATASET, 0)
    assert (splits["a"], splits["b"]) == ("test", "validation")
    assert Counter(splits[f"p{n}"] for n in range(20)) == {"train": 14, "test": 4, "validation": 2}


def test_conflicting_and_strange_splits_are_refused() -> None:
    with pytest.raises(UserError, match=r"^patient a: the source prescribes both train and test"):
        prescribed_splits([("a", "train"), ("b", "test"), ("a", "test")])
    with pytest.raises(UserError, match=r"^patient a: the source prescribes split 'dev'"):
        prescribed_splits([("a", "dev")])
