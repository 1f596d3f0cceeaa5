"""Repeated texts and patients, found in arrays that are packed here by hand."""

import pytest

from radgpt.reports import repeats
from radgpt.reports.repeats import (
    SPLIT_CODES,
    Duplicates,
    count_patients,
    count_straddling,
    find_duplicates,
    packed_id,
    patient_digest,
    text_digest,
    unpacked_ids,
)


def found(*rows: tuple[str, str, str, str | None]) -> Duplicates:
    """What is found in rows (report id, patient id, text, split)."""
    return find_duplicates(
        b"".join(text_digest(text) for _, _, text, _ in rows),
        b"".join(patient_digest(patient) for _, patient, _, _ in rows),
        bytes(SPLIT_CODES[split] for *_, split in rows),
        b"".join(packed_id(report_id) for report_id, *_ in rows),
    )


def test_texts_are_equal_but_for_white_space_and_capitals() -> None:
    rows = [(f"r{place}", "p", text, None) for place, text in enumerate(["Clear.", "Edema.", " clear.", "edema. \n", "CLEAR."])]
    assert found(*rows) == Duplicates(
        repeats=3, groups=2, across_patients=0, held_out=0, largest=[(3, ["r0", "r2", "r4"]), (2, ["r1", "r3"])]
    )


def test_a_text_of_two_patients() -> None:
    rows = [("r1", "p1", "Clear.", None), ("r2", "p1", "Clear.", None), ("r3", "p1", "Edema.", None), ("r4", "p2", "Edema.", None)]
    assert found(*rows).across_patients == 1


def test_held_out_are_reports_whose_text_was_trained_on() -> None:
    rows = [
        ("r1", "p", "Clear.", "test"),
        ("r2", "p", "Clear.", "train"),
        ("r3", "p", "Clear.", "validation"),
        # A text that is held out twice, and one that no split is prescribed for.
        ("r4", "p", "Edema.", "test"),
        ("r5", "p", "Edema.", "test"),
        ("r6", "p", "Edema.", None),
    ]
    assert found(*rows).held_out == 2


def test_groups_listed_are_the_largest_and_the_first_of_equal_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "GROUPS", 2)
    monkeypatch.setattr(repeats, "IDS_IN_GROUP", 2)
    rows = [(str(place), "p", text, None) for place, text in enumerate("bacabccbd")]
    assert found(*rows).largest == [(3, ["0", "4"]), (3, ["2", "5"])]


def test_reports_without_text_repeat_none() -> None:
    assert found(*((name, name, " \n", None) for name in "abc")) == Duplicates(0, 0, 0, 0, [])
    assert found() == Duplicates(0, 0, 0, 0, [])


def test_patients_are_counted_once() -> None:
    assert count_patients(b"".join(map(patient_digest, ("p1", "p2", "p1", "p3")))) == 3
    assert count_patients(b"") == 0


def test_ids_are_kept_as_they_are_but_for_the_byte_that_ends_them() -> None:
    ids = ["s1", "", "r\x1b[2J\n1", "r\0\ud800"]
    assert unpacked_ids(b"".join(map(packed_id, ids))) == ["s1", "", "r\x1b[2J\n1", "r�\ud800"]
    assert unpacked_ids(b"") == []


def test_patients_in_more_than_one_prescribed_split() -> None:
    rows = [("p", "train"), ("q", "train"), ("p", "test"), ("q", "train"), ("r", None), ("r", "test"), ("p", "validation")]
    rows += [("s", "test"), ("s", "train")]
    patients = b"".join(patient_digest(patient) for patient, _ in rows)
    assert count_straddling(patients, bytes(SPLIT_CODES[split] for _, split in rows)) == 2
    assert count_straddling(patients, bytes(len(rows))) == count_straddling(b"", b"") == 0
