"""Reports made of documents: each way of finding sections, and sections that the source tells apart."""

import pytest

from radgpt.config import Sectioning
from radgpt.records import Report, Section
from radgpt.reports.document import Document
from radgpt.reports.sectioning import as_report

LAID_OUT = " CHEST (PA AND LAT)\n \n HISTORY:  Cough.\n \n Lungs are clear.\n"
"""As MIMIC-CXR lays reports out, without a header for what was seen."""
NOTHING_THERE = "s50798377"
IN_THE_HISTORY = "s51491012"
"""Studies that MIT-LCP's published overrides know."""


def given(*sections: tuple[str, str], text: str = "", flags: tuple[str, ...] = ()) -> Report:
    return as_report(Document("r", "p", text, given=sections, flags=flags), Sectioning.radgpt)


def texts(report: Report) -> list[tuple[str, str, str, str]]:
    return [(span.name, span.header, span.provenance, report.text[span.start : span.end]) for span in report.spans]


def test_given_sections_make_up_the_text_each_under_its_label() -> None:
    assert given(("indication", "Cough."), ("findings", "Clear.\nNo effusion."), ("impression", "Normal.")) == Report(
        "r",
        "p",
        "INDICATION: Cough.\n\nFINDINGS: Clear.\nNo effusion.\n\nIMPRESSION: Normal.",
        {"indication": "Cough.", "findings": "Clear.\nNo effusion.", "impression": "Normal."},
        spans=[
            Section("indication", "INDICATION", "source", 12, 18),
            Section("findings", "FINDINGS", "source", 30, 49),
            Section("impression", "IMPRESSION", "source", 63, 70),
        ],
    )


def test_a_given_section_is_found_behind_its_label_though_that_holds_the_same_word() -> None:
    report = given(("examination", "EXAM"), ("findings", "FIND"), ("impression", "PRESS"))
    assert report.text == "EXAMINATION: EXAM\n\nFINDINGS: FIND\n\nIMPRESSION: PRESS"
    assert [span.start for span in report.spans] == [13, 29, 47]


def test_labels_in_any_case_unknown_ones_and_none_at_all() -> None:
    report = given(("", "Chest."), ("Findings", "Clear."), ("Plan", "Return."), ("FINDINGS", "Still clear."), ("impression", "Normal."))
    assert texts(report) == [
        ("preamble", "", "source", "Chest."),
        ("findings", "FINDINGS", "source", "Clear."),
        ("other", "PLAN", "source", "Return."),
        ("findings", "FINDINGS", "source", "Still clear."),
        ("impression", "IMPRESSION", "source", "Normal."),
    ]
    assert report.sections == {"findings": "Clear.\n\nStill clear.", "impression": "Normal."}
    assert report.text.startswith("Chest.\n\nFINDINGS: Clear.\n\nPLAN: Return.")


def test_a_text_beside_given_sections_stays_and_those_have_places_that_stand_in_it_once() -> None:
    text = "CXR. Meant: Normal. Seen: Clear. Signed: Clear."
    report = given(("comparison", "None."), ("findings", "Clear."), ("impression", "Normal."), ("history", "Signed"), text=text)
    assert report.text == text
    assert report.spans == [Section("impression", "", "source", 12, 19), Section("history", "", "source", 33, 39)]
    assert report.sections == {"history": "Signed", "comparison": "None.", "findings": "Clear.", "impression": "Normal."}
    assert list(report.sections) == ["history", "comparison", "findings", "impression"]


def test_given_sections_are_not_parsed_and_no_override_moves_them() -> None:
    report = as_report(Document(NOTHING_THERE, "p", "", given=[("findings", "IMPRESSION: Clear.")]), Sectioning.mit_lcp)
    assert report.sections == {"findings": "IMPRESSION: Clear."}
    assert report.flags == []


@pytest.mark.parametrize("sections", [(), (("history", "Cough."),)])
def test_given_sections_without_narrative_are_flagged(sections: tuple[tuple[str, str], ...]) -> None:
    assert given(*sections).flags == ["no_narrative"]


def test_our_own_sections() -> None:
    report = as_report(Document("s1", "p", LAID_OUT), Sectioning.radgpt)
    assert report.sections == {"history": "Cough.", "findings": "Lungs are clear."}
    assert report.flags == ["unheaded"]
    assert texts(report) == [
        ("preamble", "", "none", "CHEST (PA AND LAT)"),
        ("history", "HISTORY", "header", "Cough."),
        ("findings", "", "last_paragraph", "Lungs are clear."),
    ]


def test_sections_as_mit_lcp_finds_them_keep_the_last_paragraph_beside_the_seven() -> None:
    report = as_report(Document("s1", "p", LAID_OUT), Sectioning.mit_lcp)
    assert report.sections == {"history": "Cough.", "last_paragraph": "Lungs are clear."}
    assert report.flags == ["unheaded"]
    assert texts(report) == [
        ("preamble", "", "none", "CHEST (PA AND LAT)"),
        ("history", "HISTORY", "header", "Cough."),
        ("last_paragraph", "", "last_paragraph", "Lungs are clear."),
    ]


def test_sections_as_the_original_finds_them_have_no_places() -> None:
    report = as_report(Document("s1", "p", LAID_OUT), Sectioning.original)
    assert report.sections == {"history": "Cough. Lungs are clear."}
    assert report.spans == []
    assert report.flags == ["no_narrative"]
    assert as_report(Document("s1", "p", "FINDINGS: Clear."), Sectioning.original).flags == []


def test_a_published_place_of_the_narrative_applies() -> None:
    text = " CHEST\n \n HISTORY:  Cough.  Lungs are clear.\n"
    assert as_report(Document("s1", "p", text), Sectioning.radgpt).sections["history"] == "Cough.  Lungs are clear."
    report = as_report(Document(IN_THE_HISTORY, "p", text), Sectioning.radgpt)
    assert report.sections == {"findings": "Cough.  Lungs are clear."}
    assert report.flags == ["override"]
    assert texts(report)[-1] == ("findings", "HISTORY", "override", "Cough.  Lungs are clear.")


def test_a_study_that_is_published_to_have_no_narrative_has_none() -> None:
    report = as_report(Document(NOTHING_THERE, "p", " HISTORY: Cough.\n \n FINDINGS: No films.\n"), Sectioning.radgpt)
    assert report.sections == {"history": "Cough."}
    assert report.flags == ["override", "no_narrative"]
    assert texts(report)[-1] == ("other", "FINDINGS", "none", "No films.")


def test_a_published_place_changes_nothing_in_another_text() -> None:
    report = as_report(Document(IN_THE_HISTORY, "p", "FINDINGS AND IMPRESSION: Clear."), Sectioning.radgpt)
    assert (report.sections, report.flags) == ({"findings": "Clear."}, ["merged"])


@pytest.mark.parametrize("sectioning", Sectioning)
@pytest.mark.parametrize("sections", [None, [("history", "Cough.")]])
def test_what_the_source_says_beside_the_text_is_kept(sectioning: Sectioning, sections: list[tuple[str, str]] | None) -> None:
    document = Document("s1", "p1", "HISTORY: Cough.", sections, "test", ("split_conflict",), {"views": ["PA"]})
    report = as_report(document, sectioning)
    assert (report.report_id, report.patient_id, report.split, report.metadata) == ("s1", "p1", "test", {"views": ["PA"]})
    assert report.flags == ["split_conflict", "no_narrative"]
    assert document.flags == ("split_conflict",)
