"""Sections of small hand-written reports, one quirk of real reports each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radgpt.records import SECTIONS
from radgpt.reports.headers import Mark, opens
from radgpt.reports.sections import as_mapping, as_report, parse

MIMIC_LAYOUT = """\
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)
 
 INDICATION:  ___ year old man with cough at 8:45.
 
 COMPARISON:  None.
 
 FINDINGS: 
 
 The lungs are clear.  Dr. ___: no change
 from before.
 
 The heart is normal.
 
 IMPRESSION:  No acute process.
 
"""
EXPECTED = {
    "examination": "CHEST (PA AND LAT)",
    "indication": "___ year old man with cough at 8:45.",
    "comparison": "None.",
    "findings": "The lungs are clear.  Dr. ___: no change\nfrom before.\n\nThe heart is normal.",
    "impression": "No acute process.",
}


def stripped(text: str) -> str:
    return "\n".join(line.strip() for line in text.split("\n"))


@pytest.mark.parametrize(
    "text", [MIMIC_LAYOUT, stripped(MIMIC_LAYOUT), MIMIC_LAYOUT.replace("\n", "\r\n"), MIMIC_LAYOUT.replace("\n", "\r")]
)
def test_layout_and_line_ends_do_not_matter(text: str) -> None:
    parsed = parse(text)
    assert parsed.sections == EXPECTED
    assert list(parsed.sections) == [name for name in SECTIONS if name in EXPECTED]
    assert parsed.flags == []


@pytest.mark.parametrize(
    ("header", "section"),
    [
        ("TYPE OF EXAMINATION", "examination"),
        ("EXAM", "examination"),
        ("STUDY", "examination"),
        ("PROCEDURE", "examination"),
        ("CLINICAL HISTORY", "history"),
        ("CLINICAL INFORMATION", "history"),
        ("REASON FOR EXAM", "indication"),
        ("REASON FOR EXAMINATION", "indication"),
        ("REASON FOR CHEST X-RAY", "indication"),
        ("INDICATIONS", "indication"),
        ("TECHNIQUE", "technique"),
        ("COMPARISONS", "comparison"),
        ("REFERENCE EXAM", "comparison"),
        ("FINDINGS (portable)", "findings"),
        ("TECHNIQUE AND FINDINGS", "findings"),
        ("CONCLUSION", "impression"),
        ("OPINION", "impression"),
        ("IMPRESSION AND RECOMMENDATION(S)", "impression"),
        ("FINDINGS AND IMPRESSION", Mark.merged),
        ("IMPRESSION/FINDINGS", Mark.merged),
        ("COMMUNICATION OF FINDINGS", Mark.message),
        ("NOTIFICATION", Mark.message),
        ("RECOMMENDATION(S)", Mark.message),
        ("FINAL ADDENDUM", Mark.other_read),
        ("WET READ VERSION #2", Mark.other_read),
        ("CHEST, TWO VIEWS", Mark.title),
        ("CHEST PAIN", None),
        ("DR. ___", None),
        ("ADMIT COMMENTS", None),
    ],
)
def test_header_names(header: str, section: str | Mark | None) -> None:
    assert opens(header) == section
    assert opens(header.capitalize()) == section


def test_repeated_sections_are_joined_in_order() -> None:
    text = "FINDINGS: First.\nIMPRESSION: Second.\nFINDINGS: Third."
    assert as_mapping(text) == {"findings": "First.\n\nThird.", "impression": "Second."}


def test_labels_within_findings_are_text() -> None:
    text = "FINDINGS:\nLungs: Clear.\nHEART: Normal.\nCHEST: Fine.\nIMPRESSION: Normal."
    assert as_mapping(text) == {"findings": "Lungs: Clear.\nHEART: Normal.\nCHEST: Fine.", "impression": "Normal."}


def test_organ_labels_open_findings_that_have_no_header() -> None:
    text = "INDICATION: Cough.\n\nHEART: Normal.\nLUNGS: Clear.\n\nIMPRESSION: Normal."
    assert as_mapping(text) == {"indication": "Cough.", "findings": "HEART: Normal.\nLUNGS: Clear.", "impression": "Normal."}


def test_title_opens_findings_that_have_no_header() -> None:
    text = "HISTORY: Cough.\n\nCHEST, 2 VIEWS: Clear.\n\nIMPRESSION: Normal."
    assert as_mapping(text) == {"examination": "CHEST, 2 VIEWS", "history": "Cough.", "findings": "Clear.", "impression": "Normal."}


def test_empty_header_does_not_swallow_the_next() -> None:
    assert as_mapping("COMPARISON:\nFINDINGS:Clear.\nIMPRESSION:\n") == {"findings": "Clear."}


def test_header_without_colon_stands_alone_on_its_line() -> None:
    assert as_mapping("FINDINGS\n\nClear.\n\nImpression\n\nNormal.") == {"findings": "Clear.", "impression": "Normal."}


def test_underlined_header_keeps_its_text() -> None:
    rule = "_" * 12
    assert as_mapping(f"FINDINGS\n{rule}\nClear.\n{rule}\nIMPRESSION:\n{rule}\nNormal.") == {"findings": "Clear.", "impression": "Normal."}


def test_words_of_a_sentence_are_no_headers() -> None:
    text = " FINDINGS:  There is an\n impression: the aorta.  In\n Comparison with\n Technique\n is poor; history of CHF: stable."
    assert as_mapping(text) == {
        "findings": "There is an\nimpression: the aorta.  In\nComparison with\nTechnique\nis poor; history of CHF: stable."
    }


def test_mixed_and_small_case() -> None:
    expected = {"findings": "clear.", "impression": "normal."}
    assert as_mapping("Findings: clear.\nImpression: normal.") == expected
    assert as_mapping("findings: clear.\nimpression: normal.") == expected


def test_headers_within_a_line_are_found_in_capitals() -> None:
    text = "FINAL REPORT INDICATION: Cough. COMPARISON: None. FINDINGS: Clear. COMMUNICATION OF FINDINGS: By phone. IMPRESSION: Normal."
    assert as_mapping(text) == {"indication": "Cough.", "comparison": "None.", "findings": "Clear.", "impression": "Normal."}


def test_merged_header_gives_findings_and_a_flag() -> None:
    parsed = parse("HISTORY: Cough.\nFINDINGS AND IMPRESSION: Clear.")
    assert parsed.sections == {"history": "Cough.", "findings": "Clear."}
    assert parsed.flags == ["merged"]


def test_messages_are_left_out() -> None:
    text = "FINDINGS: Clear.\nRECOMMENDATION(S): CT.\nIMPRESSION: Normal.\nNOTIFICATION: At 8:45.\nCOMMUNICATION OF FINDINGS: By phone."
    assert as_mapping(text) == {"findings": "Clear.", "impression": "Normal."}


@pytest.mark.parametrize("title", ["ADDENDUM", "FINAL ADDENDUM", "WET READ: ___ 8:45 PM", "PRELIMINARY REPORT"])
def test_other_reads_above_the_report_are_left_out_with_their_headers(title: str) -> None:
    text = f"{title}\n FINDINGS: Old.\n IMPRESSION: Older.\n {'_' * 78}\n FINAL REPORT\n FINDINGS: Clear.\n IMPRESSION: Normal.\n"
    assert as_mapping(text) == {"findings": "Clear.", "impression": "Normal."}


def test_addendum_below_the_report_lasts_to_its_end() -> None:
    assert as_mapping("FINDINGS: Clear.\nIMPRESSION: Normal.\nADDENDUM: More.\nIMPRESSION: Other.") == {
        "findings": "Clear.",
        "impression": "Normal.",
    }


def test_unheaded_paragraphs_are_findings_and_flagged() -> None:
    parsed = parse(" INDICATION:  Cough.\n \n COMPARISON:  None.\n \n Clear lungs.\n \n Normal heart.\n \n IMPRESSION:  Normal.\n")
    assert parsed.sections == {
        "indication": "Cough.",
        "comparison": "None.",
        "findings": "Clear lungs.\n\nNormal heart.",
        "impression": "Normal.",
    }
    assert parsed.flags == ["unheaded"]


def test_title_above_all_does_not_stand_for_findings() -> None:
    parsed = parse(" PORTABLE CHEST:\n \n HISTORY:  Cough.\n \n Clear lungs.\n")
    assert parsed.sections == {"examination": "PORTABLE CHEST", "history": "Cough.", "findings": "Clear lungs."}
    assert parsed.flags == ["unheaded"]


def test_text_without_headers_is_findings_below_its_title() -> None:
    parsed = parse(" FINAL REPORT\n AP CHEST, 5:49 P.M., ___\n \n Clear lungs.\n \n Normal heart.\n")
    assert (parsed.sections, parsed.flags) == ({"findings": "Clear lungs.\n\nNormal heart."}, ["unheaded"])


@pytest.mark.parametrize("text", ["", " \n", "_" * 20, "INDICATION: Cough.", "FINDINGS:\nIMPRESSION:\n", "WET READ: Clear."])
def test_reports_without_narrative_are_flagged(text: str) -> None:
    parsed = parse(text)
    assert not parsed.sections.keys() & {"findings", "impression"}
    assert parsed.flags == ["no_narrative"]


def test_record_keeps_the_text_as_it_came() -> None:
    report = as_report("s1", "p1", MIMIC_LAYOUT, "train")
    assert (report.report_id, report.patient_id, report.text, report.sections, report.split) == (
        "s1",
        "p1",
        MIMIC_LAYOUT,
        EXPECTED,
        "train",
    )


PIECES = st.sampled_from(
    ["FINDINGS", "IMPRESSION", "ADDENDUM", "CHEST", "Heart", ":", "\n", " ", "\r", "_" * 12, "FINAL REPORT", "(", ".", "8", "é"]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=40).map("".join)))
def test_any_text_gives_named_sections_cut_out_of_it(text: str) -> None:
    parsed = parse(text)
    assert set(parsed.sections) <= set(SECTIONS)
    for section in parsed.sections.values():
        assert section == section.strip() != ""
        assert all("".join(line.split()) in "".join(text.split()) for line in section.split("\n"))
