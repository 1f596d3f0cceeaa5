"""Published places of the narrative, put over the spans of small hand-written reports."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radgpt.records import Section
from radgpt.reports import mit_lcp, overrides
from radgpt.reports.overrides import NAMES, NOTHING, OFFSETS, apply

AT_47_TO_320 = "s51410602"
NOTHING_THERE = "s50798377"
IN_THE_HISTORY = "s51491012"
IN_THE_NOTE = "s56451190"

BEFORE, NARRATIVE, AFTER = "Cough. ".ljust(46), "Clear lungs. ".ljust(272), "Thanks."
TEXT = f"\n{BEFORE}{NARRATIVE} {AFTER}"


def parts(text: str, spans: list[Section]) -> list[tuple[str, str, str, str]]:
    return [(span.name, span.header, span.provenance, text[span.start : span.end]) for span in spans]


def test_the_lists_are_whole_and_apart() -> None:
    assert (len(NAMES), len(OFFSETS), list(OFFSETS.values()).count(NOTHING)) == (23, 31, 8)
    assert len(overrides.STUDIES) == 54
    assert all(start < end for start, end in OFFSETS.values() if (start, end) != NOTHING)


def test_other_studies_are_left_as_they_are() -> None:
    spans = [Section("findings", "FINDINGS", "header", 1, 7)]
    assert apply("invented", TEXT, spans) is spans


def test_a_stretch_is_cut_out_of_the_span_that_holds_it() -> None:
    spans = [Section("indication", "INDICATION", "header", 1, len(TEXT))]
    assert parts(TEXT, apply(AT_47_TO_320, TEXT, spans)) == [
        ("indication", "INDICATION", "header", "Cough."),
        ("findings", "", "override", "Clear lungs."),
        ("other", "", "none", "Thanks."),
    ]


def test_a_stretch_takes_the_place_of_spans_within_and_trims_those_beside() -> None:
    text = "x" * 400
    spans = [
        Section("examination", "EXAM", "header", 0, 10),
        Section("history", "HISTORY", "header", 20, 60),
        Section("technique", "TECHNIQUE", "header", 70, 90),
        Section("comparison", "COMPARISON", "header", 100, 100),
        Section("impression", "IMPRESSION", "header", 300, 350),
        Section("addendum", "ADDENDUM", "header", 360, 400),
    ]
    assert apply(AT_47_TO_320, text, spans) == [
        Section("examination", "EXAM", "header", 0, 10),
        Section("history", "HISTORY", "header", 20, 47),
        Section("findings", "", "override", 47, 320),
        Section("impression", "IMPRESSION", "header", 320, 350),
        Section("addendum", "ADDENDUM", "header", 360, 400),
    ]


def test_guesses_give_way_to_a_published_stretch() -> None:
    spans = [Section("findings", "", "last_paragraph", 1, len(TEXT)), Section("last_paragraph", "", "last_paragraph", len(TEXT), len(TEXT))]
    assert [(name, text) for name, _, _, text in parts(TEXT, apply(AT_47_TO_320, TEXT, spans))] == [
        ("other", "Cough."),
        ("findings", "Clear lungs."),
        ("other", "Thanks."),
        ("other", ""),
    ]


def test_offsets_count_a_line_break_once() -> None:
    text = TEXT.replace("\n", "\r\n")
    assert parts(text, apply(AT_47_TO_320, text, []))[0][-1] == "Clear lungs."


@pytest.mark.parametrize("text", [TEXT[:319], " " * 400, ""])
def test_offsets_of_another_text_change_nothing(text: str) -> None:
    spans = [Section("findings", "", "last_paragraph", 0, len(text.strip()))]
    assert apply(AT_47_TO_320, text, spans) == spans


def test_a_study_without_narrative_keeps_none() -> None:
    spans = [
        Section("history", "HISTORY", "header", 0, 5),
        Section("findings", "FINDINGS", "header", 6, 9),
        Section("impression", "", "last_paragraph", 9, 12),
    ]
    assert apply(NOTHING_THERE, TEXT, spans) == [
        Section("history", "HISTORY", "header", 0, 5),
        Section("other", "FINDINGS", "none", 6, 9),
        Section("other", "", "none", 9, 12),
    ]


def test_the_last_span_of_a_name_becomes_the_findings() -> None:
    spans = [
        Section("history", "HISTORY", "header", 0, 5),
        Section("history", "PATIENT HISTORY", "header", 6, 9),
        Section("comparison", "COMPARISON", "header", 12, 15),
    ]
    assert apply(IN_THE_HISTORY, TEXT, spans) == [
        Section("history", "HISTORY", "header", 0, 5),
        Section("findings", "PATIENT HISTORY", "override", 6, 9),
        Section("comparison", "COMPARISON", "header", 12, 15),
    ]


def test_a_name_that_we_have_none_for_is_found_by_its_header() -> None:
    assert apply(IN_THE_NOTE, TEXT, [Section("other", "Note", "header", 0, 5)]) == [Section("findings", "Note", "override", 0, 5)]


@pytest.mark.parametrize(
    "spans",
    [
        [Section("history", "HISTORY", "header", 0, 5), Section("impression", "IMPRESSION", "header", 6, 9)],
        [Section("history", "HISTORY", "header", 0, 5), Section("findings", "FINDINGS/IMPRESSION", "merged", 6, 9)],
        [Section("history", "HISTORY", "header", 5, 5)],
        [Section("technique", "TECHNIQUE", "header", 0, 5)],
    ],
)
def test_a_name_changes_nothing_where_headers_say_otherwise_or_it_is_not_there(spans: list[Section]) -> None:
    assert apply(IN_THE_HISTORY, TEXT, spans) == spans


PIECES = st.sampled_from(
    ["\n ", "\n \n ", "\r\n ", "FINDINGS: ", "HISTORY: ", "NOTE: ", "IMPRESSION: \n", "Clear. " * 12, "x" * 50, " " * 30]
)


@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from(sorted(overrides.STUDIES)))
def test_spans_stay_in_order_apart_and_trimmed(text: str, study: str) -> None:
    spans = apply(study, text, mit_lcp.sections(text))
    assert all(before.end <= after.start for before, after in pairwise(spans))
    assert all(text[span.start : span.end] == text[span.start : span.end].strip() for span in spans)
