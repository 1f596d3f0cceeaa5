"""What MIT-LCP's code makes of small hand-written reports, its mistakes among it."""

import pytest

from radgpt.config import Sectioning
from radgpt.records import Section
from radgpt.reports.document import Document
from radgpt.reports.exports import sectioned_row
from radgpt.reports.mit_lcp import meaning, report_sections, sections
from radgpt.reports.sectioning import as_report

REPORT = """\
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)
 
 COMPARISON:  None.
 
 FINDINGS: 
 
 Clear lungs.
 
 IMPRESSION:  Normal.
"""


def row(text: str) -> list[str | None]:
    """The CSV row without its study."""
    found = row_of("invented", text)
    assert found is not None and found[0] == "invented"
    return found[1:]


def row_of(report_id: str, text: str) -> list[str | None] | None:
    return sectioned_row(as_report(Document(report_id, "p", text), Sectioning.mit_lcp), Sectioning.mit_lcp)


def parts(text: str) -> list[tuple[str, str, str, str]]:
    """Name, header, provenance and text of every span."""
    return [(span.name, span.header, span.provenance, text[span.start : span.end]) for span in sections(text)]


def test_sections_stand_where_offsets_say() -> None:
    assert parts(REPORT) == [
        ("preamble", "", "none", "FINAL REPORT"),
        ("examination", "EXAMINATION", "header", "CHEST (PA AND LAT)"),
        ("comparison", "COMPARISON", "header", "None."),
        ("findings", "FINDINGS", "header", "Clear lungs."),
        ("impression", "IMPRESSION", "header", "Normal."),
    ]
    assert row(REPORT) == ["Normal.", "Clear lungs.", None, "None."]


@pytest.mark.parametrize("line_break", ["\r\n", "\r"])
def test_line_breaks_are_read_as_python_reads_files_and_offsets_are_those_of_the_text_as_given(line_break: str) -> None:
    text = " TITLE\n HISTORY:\n Two\n lines.\n \n FINDINGS: Clear\n lungs.\n".replace("\n", line_break)
    assert parts(text)[1:] == [
        ("history", "HISTORY", "header", f"Two{line_break} lines."),
        ("findings", "FINDINGS", "header", f"Clear{line_break} lungs."),
    ]
    assert row(text) == [None, "Clear\n lungs.", None, None]
    assert report_sections("invented", text)[0] == {"history": "Two\n lines.", "findings": "Clear\n lungs."}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("IMPRESSION", ("impression", "header")),
        ("CONCLUSION", ("impression", "header")),
        ("IMPRESSOIN", ("impression", "header")),
        ("NDICATION", ("impression", "header")),
        ("FINDINGS AND IMPRESSION", ("impression", "merged")),
        ("FINIDNGS", ("findings", "header")),
        ("COMMUNICATION OF FINDINGS", ("findings", "header")),
        ("CHEST, TWO VIEWS", ("findings", "title")),
        ("REASON FOR CHEST X-RAY", ("findings", "title")),
        ("PA AND LATERAL", ("findings", "title")),
        ("LATERAL AND AP", ("findings", "title")),
        ("FRONTAL SEMI-UPRIGHT", ("findings", "title")),
        ("FRONTAL PA", ("frontal pa", "header")),
        ("PFI", ("history", "header")),
        ("CLINICAL HISTORY", ("history", "header")),
        ("REASON FOR EXAM", ("indication", "header")),
        ("REFERENCE EXAM", ("comparison", "header")),
        ("COMPARISON FILM", ("comparison", "header")),
        ("TYPE OF EXAMINATION", ("examination", "header")),
        ("RECOMMENDATION(S)", ("recommendations", "header")),
        ("WETREAD", ("wet read", "header")),
        ("FINAL ADDENDUM", ("addendum", "header")),
        (" NOTE ", ("note", "header")),
    ],
)
def test_what_a_header_means(header: str, expected: tuple[str, str]) -> None:
    assert meaning(header) == expected


@pytest.mark.parametrize("line", [" FINDINGS 2: Clear.", " FINDINGS & MORE: Clear.", " Findings: Clear.", " FINDINGS", " FINDINGS:Clear."])
def test_what_is_no_header(line: str) -> None:
    assert parts(f" TITLE\n{line}\n") == [("other", "", "none", f"TITLE\n{line}")]


@pytest.mark.parametrize(("indent", "found"), [("", None), (" ", "Clear."), ("   ", "Clear."), ("\t", None)])
def test_a_header_begins_behind_at_least_one_space(indent: str, found: str | None) -> None:
    assert row(f" TITLE\n{indent}FINDINGS: Clear.\n") == [None, found, None, None]


def test_the_first_line_is_no_header_and_stripped_text_has_none() -> None:
    assert parts(" FINDINGS: Clear.\n") == [("other", "", "none", "FINDINGS: Clear.")]
    assert row("FINDINGS: Clear.\nIMPRESSION: Normal.\n") == [None, None, None, None]


def test_a_header_without_text_hides_the_next() -> None:
    assert row("\n COMPARISON:\n FINDINGS: Clear.\n IMPRESSION: Normal.\n") == ["Normal.", None, None, "FINDINGS: Clear."]
    assert row("\n COMPARISON: \n FINDINGS: Clear.\n") == [None, "Clear.", None, None]


def test_the_last_of_a_name_counts_but_not_without_text_in_the_narrative() -> None:
    assert row("\n FINDINGS: Old.\n FINDINGS: New.\n COMPARISON: CT.\n COMPARISON: \n") == [None, "New.", None, None]
    assert row("\n FINDINGS: Clear.\n COMMUNICATION OF FINDINGS: By phone.\n IMPRESSION: Normal.\n IMPRESSION: \n") == [
        "Normal.",
        "By phone.",
        None,
        None,
    ]


def test_the_last_section_gives_up_what_follows_its_first_paragraph() -> None:
    text = " TITLE\n INDICATION:  Cough.\n \n Clear lungs.\n \n Normal heart.\n"
    assert parts(text)[1:] == [
        ("indication", "INDICATION", "header", "Cough."),
        ("last_paragraph", "", "last_paragraph", "Clear lungs.\n \n Normal heart."),
    ]
    assert row(text) == [None, None, "Clear lungs.\n \n Normal heart.", None]


def test_blank_lines_without_their_space_part_nothing() -> None:
    text = "\n COMPARISON:  None.\n\n Clear lungs.\n"
    assert row(text) == [None, None, None, "None.\n\n Clear lungs."]


def test_a_report_without_headers_is_cut_behind_its_first_paragraph() -> None:
    assert parts(" CHEST\n \n Clear lungs.\n") == [
        ("other", "", "none", "CHEST"),
        ("last_paragraph", "", "last_paragraph", "Clear lungs."),
    ]


def test_an_empty_impression_is_left_out_before_the_last_section_is_cut() -> None:
    assert row(" TITLE\n \n Clear lungs.\n IMPRESSION: \n") == [None, None, "Clear lungs.", None]


def test_names_that_we_have_none_for_are_other() -> None:
    text = "\n WET READ: Clear.\n DATE: Today.\n FINDINGS: Clear.\n"
    assert [(span.name, span.header) for span in sections(text)] == [
        ("preamble", ""),
        ("wet_read", "WET READ"),
        ("other", "DATE"),
        ("findings", "FINDINGS"),
    ]


def test_a_report_holds_the_last_of_each_section() -> None:
    found, spans, flags = report_sections(
        "invented", "\n COMPARISON: CT.\n FINDINGS: Old.\n FINDINGS: New.\n COMPARISON: \n DATE: Today.\n"
    )
    assert found == {"findings": "New."}
    assert [span.name for span in spans] == ["preamble", "comparison", "findings", "findings", "comparison", "other"]
    assert flags == []


@pytest.mark.parametrize(
    ("text", "found", "flags"),
    [
        ("\n FINDINGS/IMPRESSION: Clear.\n", {"impression": "Clear."}, ["merged"]),
        ("\n HISTORY: Cough.\n \n Clear.\n", {"history": "Cough.", "last_paragraph": "Clear."}, ["unheaded"]),
        ("\n HISTORY: Cough.\n", {"history": "Cough."}, ["no_narrative"]),
        ("", {}, ["no_narrative"]),
    ],
)
def test_flags(text: str, found: dict[str, str], flags: list[str]) -> None:
    assert report_sections("invented", text)[0] == found
    assert report_sections("invented", text)[2] == flags


def test_studies_with_an_override_have_no_row_and_findings_of_their_own() -> None:
    by_name, by_offsets, without = "s51491012", "s51410602", "s50798377"
    text = "\n HISTORY: Clear lungs.\n TECHNIQUE: Portable.\n"
    assert row_of(by_name, text) is None
    assert report_sections(by_name, text) == (
        {"technique": "Portable.", "findings": "Clear lungs."},
        [
            Section("preamble", "", "none", 0, 0),
            Section("findings", "HISTORY", "override", 11, 23),
            Section("technique", "TECHNIQUE", "header", 36, 45),
        ],
        ["override"],
    )
    text = "\n HISTORY: " + "Cough and fever for many days. ".ljust(40) + "Clear lungs."
    assert row_of(by_offsets, text) is None
    assert report_sections(without, "\n FINDINGS: No films.\n") == (
        {},
        [Section("preamble", "", "none", 0, 0), Section("other", "FINDINGS", "none", 12, 21)],
        ["override", "no_narrative"],
    )
