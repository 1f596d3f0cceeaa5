"""What the original Radiology-GPT makes of small hand-written reports."""

import pytest

from radgpt.reports.original import sections

REPORT = """\
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)
 
 INDICATION:  Cough.
 
 FINDINGS: 
 
 Clear
 lungs.
 
 NORMAL HEART
 
 IMPRESSION:  Normal.
"""


def test_lines_are_joined_as_they_are() -> None:
    assert sections(REPORT) == {
        "examination": "CHEST (PA AND LAT)",
        "indication": "Cough.",
        "findings": " Clear lungs.",
        "impression": "Normal.",
    }


def test_stripped_lines_fuse() -> None:
    assert sections("FINDINGS: Clear\nlungs.") == {"findings": "Clearlungs."}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FINDINGS: Clear.\n Seen at 8:45.\n More.", {"findings": "Clear."}),
        ("FINDINGS: Clear.\n Dr. ___: called.", {"findings": "Clear."}),
        ("EXAM: Chest.\nConclusion: Normal.\nfindings: Clear.", {}),
        ("FINDINGS: Old.\n FINDINGS: New.", {"findings": "New."}),
        ("FINDINGS: Old.\n FINDINGS:", {}),
        ("Clear.\n FINDINGS: Clear.", {"findings": "Clear."}),
        ("FINDINGS: Clear.\n :\n Lost.", {"findings": "Clear."}),
        ("IMPRESSION: b: c", {"impression": "b: c"}),
        ("", {}),
    ],
)
def test_quirks(text: str, expected: dict[str, str]) -> None:
    assert sections(text) == expected


def test_sections_come_in_our_order() -> None:
    assert list(sections("IMPRESSION: 2.\nFINDINGS: 1.")) == ["findings", "impression"]
