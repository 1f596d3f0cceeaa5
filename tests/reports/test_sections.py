"""Sections of small hand-written reports, one quirk of real reports each."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radgpt.records import EXTRA_SECTIONS, PROVENANCES, SECTIONS, Section
from radgpt.reports.sections import Parsed, as_mapping, as_text, parse

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


def seven(text: str) -> dict[str, str]:
    return parse(text).sections


def provenances(parsed: Parsed) -> dict[str, str]:
    return {span.name: span.provenance for span in parsed.spans}


@pytest.mark.parametrize(
    "text", [MIMIC_LAYOUT, stripped(MIMIC_LAYOUT), MIMIC_LAYOUT.replace("\n", "\r\n"), MIMIC_LAYOUT.replace("\n", "\r")]
)
def test_layout_and_line_ends_do_not_matter(text: str) -> None:
    parsed = parse(text)
    assert parsed.sections == EXPECTED
    assert list(parsed.sections) == [name for name in SECTIONS if name in EXPECTED]
    assert parsed.flags == []


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
    assert seven(text) == {"indication": "Cough.", "comparison": "None.", "findings": "Clear.", "impression": "Normal."}


def test_headers_within_a_line_in_small_letters_where_line_breaks_are_lost() -> None:
    text = "Indication: Cough. Findings: Clear at 8:45.  Impression: Normal. Note: none."
    assert as_mapping(text) == {"indication": "Cough.", "findings": "Clear at 8:45.", "impression": "Normal. Note: none."}


def test_a_header_within_a_line_below_headers_without_colons() -> None:
    text = "HISTORY\n\nCough.\n\nFINDINGS\n\nClear.\n\nIMPRESSION\n\nNormal.  RECOMMENDATION: CT."
    assert as_mapping(text) == {"history": "Cough.", "findings": "Clear.", "impression": "Normal.", "recommendations": "CT."}


def test_capitals_that_end_a_section_are_no_part_of_the_next_header() -> None:
    text = "EXAMINATION: DX CHEST PORTABLE PICC LINE PLACEMENT CLINICAL HISTORY: Cough. FINDINGS: Clear. IMPRESSION: Normal."
    assert as_mapping(text)["examination"] == "DX CHEST PORTABLE PICC LINE PLACEMENT"
    assert as_mapping(text)["history"] == "Cough."


def test_a_header_quoted_within_a_line_is_text() -> None:
    text = "INDICATION:  INDICATION: Cough.\nFINDINGS: Clear; FINDINGS: as before.\nIMPRESSION: Normal.  See FINDINGS: above."
    assert as_mapping(text) == {
        "indication": "INDICATION: Cough.",
        "findings": "Clear; FINDINGS: as before.",
        "impression": "Normal.  See FINDINGS: above.",
    }


def test_dash_for_a_colon_and_marks_around_headers() -> None:
    assert as_mapping("FINDINGS - Clear.\n\nIMPRESSION -- Normal.") == {"findings": "Clear.", "impression": "Normal."}
    assert as_mapping("**FINDINGS:** Clear.\n# IMPRESSION: Normal.") == {"findings": "** Clear.", "impression": "Normal."}
    assert as_mapping("FINDINGS： Clear.\nIMPRESSION： Normal.") == {"findings": "Clear.", "impression": "Normal."}


def test_times_and_dates_are_no_headers() -> None:
    text = "AP CHEST, 5:49 P.M., ___\nFINDINGS:\nAT 8:45 a tube was placed.\nON 3/4 at 10:20: removed.\nIMPRESSION: Normal."
    assert as_mapping(text)["findings"] == "AT 8:45 a tube was placed.\nON 3/4 at 10:20: removed."


def test_comment_is_the_conclusion_where_there_is_none() -> None:
    assert as_mapping("FINDINGS: Clear.\nCOMMENT: Normal.") == {"findings": "Clear.", "impression": "Normal."}
    assert seven("COMMENT: Poor film.\nFINDINGS: Clear.\nIMPRESSION: Normal.") == {"findings": "Clear.", "impression": "Normal."}


def test_a_numbered_impression_goes_on_after_a_message() -> None:
    text = "FINDINGS: Seen.\nIMPRESSION:\n1. Nodule.\n2. Effusion.\nRECOMMENDATION: CT.\n3. Emphysema.\n"
    text += "NOTIFICATION: By phone.\n5. Not a point."
    assert provenances(parse(text))["impression"] == "header"
    assert as_mapping(text) == {
        "findings": "Seen.",
        "impression": "1. Nodule.\n2. Effusion.\n\n3. Emphysema.",
        "recommendations": "CT.",
        "notification": "By phone.\n5. Not a point.",
    }


@pytest.mark.parametrize("header", ["DOSE", "CONTRAST", "RADIOPHARMACEUTICAL", "CONTACT NAME"])
def test_what_a_report_tells_beside_is_no_findings(header: str) -> None:
    parsed = parse(f"INDICATION: Embolus?\n\n{header}: Ten of these were given then.\n\nIMPRESSION: No embolus.")
    assert parsed.sections == {"indication": "Embolus?", "impression": "No embolus."}


def test_parts_of_the_body_outside_of_the_chest_open_findings_too() -> None:
    text = "INDICATION: Pain.\n\nLOWER THORAX: Clear.\nLIVER: Normal.\nSPLEEN: Large.\n\nIMPRESSION: Splenomegaly."
    assert as_mapping(text)["findings"] == "LOWER THORAX: Clear.\nLIVER: Normal.\nSPLEEN: Large."


def test_interpretation_above_an_impression_is_the_findings() -> None:
    text = "HISTORY: Cough.\nINTERPRETATION: Clear.\nIMPRESSION: Normal."
    assert as_mapping(text) == {"history": "Cough.", "findings": "Clear.", "impression": "Normal."}
    assert as_mapping("HISTORY: Cough.\nINTERPRETATION: Normal.") == {"history": "Cough.", "impression": "Normal."}


@pytest.mark.parametrize(
    "label",
    [
        "Comparison: this was 5 mm.",
        "It has grown.  PRIOR: 5 mm.",
        "Technique: adequate.",
        "VIEWS: adequate.",
        "OTHER FINDINGS: none.",
    ],
)
def test_words_of_the_findings_are_no_headers(label: str) -> None:
    text = f"HISTORY: Cough.\nFINDINGS:\nNodule of 6 mm.\n{label}\nHeart normal.\nIMPRESSION: Nodule."
    assert as_mapping(text)["findings"] == f"Nodule of 6 mm.\n{label}\nHeart normal."


def test_a_context_section_may_stand_below_the_findings() -> None:
    text = "FINDINGS: Clear.\nCOMPARISON: None.\nIMPRESSION: Normal."
    assert as_mapping(text) == {"comparison": "None.", "findings": "Clear.", "impression": "Normal."}
    assert as_mapping("Findings: clear.\n\nComparison: none.\n\nImpression: normal.")["comparison"] == "none."


@pytest.mark.parametrize("start", ["ADDENDUM by Dr. A on 3/4: ", "ADDENDUM BY DR A AT 08:15: ", "Addendum #1 (3/4): ", "*** ADDENDUM *** "])
def test_an_addendum_is_one_whoever_signed_it(start: str) -> None:
    assert seven(f"FINDINGS: Clear.\nIMPRESSION: Normal.\n\n{start}more.\nIMPRESSION: Changed.") == {
        "findings": "Clear.",
        "impression": "Normal.",
    }


@pytest.mark.parametrize(
    "end", ["Signed by: Dr. X", "\nElectronically signed by Dr. X on 3/4.", "\nDICTATED: DR. X", "\nATTESTATION: I was there."]
)
def test_signatures_are_no_part_of_the_impression(end: str) -> None:
    assert seven(f"FINDINGS: Clear.\nIMPRESSION: Normal.\n{end}")["impression"] == "Normal."


def test_the_number_of_views_in_a_title_is_no_header() -> None:
    assert as_mapping("EXAM: CHEST 1 VIEW: 3-4-2011\n\nFINDINGS: Clear.") == {"examination": "CHEST 1 VIEW: 3-4-2011", "findings": "Clear."}


def test_dots_and_bullets_around_headers() -> None:
    assert as_mapping("FINDINGS....: Clear.\n• IMPRESSION: Normal.") == {"findings": "Clear.", "impression": "Normal."}


def test_unknown_headers_are_kept_apart_outside_of_what_was_seen() -> None:
    parsed = parse(" RADIATION DOSE:  3 mGy.\n \n FINDINGS:  Clear.\n\n SIDE MARKERS: Absent.\n \n IMPRESSION:  Normal.\n")
    assert parsed.sections == {"findings": "Clear.\n\nSIDE MARKERS: Absent.", "impression": "Normal."}
    assert [(span.name, span.header) for span in parsed.spans if span.name == "other"] == [("other", "RADIATION DOSE")]


def test_unknown_header_over_the_only_narrative_is_the_studys_title() -> None:
    parsed = parse("HISTORY: Cough.\n\nBARIUM SWALLOW: There is no stricture.\n\nIMPRESSION: Normal.")
    assert parsed.sections["findings"] == "There is no stricture."
    assert (provenances(parsed)["findings"], parsed.flags) == ("title", ["unheaded"])


def test_merged_header_gives_findings_and_a_flag() -> None:
    parsed = parse("HISTORY: Cough.\nFINDINGS AND IMPRESSION: Clear.")
    assert parsed.sections == {"history": "Cough.", "findings": "Clear."}
    assert parsed.flags == ["merged"]


def test_messages_are_left_out() -> None:
    text = "FINDINGS: Clear.\nRECOMMENDATION(S): CT.\nIMPRESSION: Normal.\nNOTIFICATION: At 8:45.\nCOMMUNICATION OF FINDINGS: By phone."
    assert seven(text) == {"findings": "Clear.", "impression": "Normal."}


@pytest.mark.parametrize("title", ["ADDENDUM", "FINAL ADDENDUM", "WET READ: ___ 8:45 PM", "PRELIMINARY REPORT"])
def test_other_reads_above_the_report_are_left_out_with_their_headers(title: str) -> None:
    text = f"{title}\n FINDINGS: Old.\n IMPRESSION: Older.\n {'_' * 78}\n FINAL REPORT\n FINDINGS: Clear.\n IMPRESSION: Normal.\n"
    assert seven(text) == {"findings": "Clear.", "impression": "Normal."}


def test_addendum_below_the_report_lasts_to_its_end() -> None:
    assert seven("FINDINGS: Clear.\nIMPRESSION: Normal.\nADDENDUM: More.\nIMPRESSION: Other.") == {
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


def test_extra_sections_are_kept_under_their_own_names() -> None:
    text = (
        f"WET READ: ___ 8:45 PM\n  Old read.\n {'_' * 78}\n{' ' * 33}FINAL REPORT\n FINDINGS: Clear.\n IMPRESSION: Normal.\n"
        " RECOMMENDATION(S): CT.\n NOTIFICATION: By phone.\n"
    )
    assert as_mapping(text) == {
        "findings": "Clear.",
        "impression": "Normal.",
        "wet_read": "___ 8:45 PM\nOld read.",
        "recommendations": "CT.",
        "notification": "By phone.",
    }


def test_offsets_point_at_the_text_as_it_came() -> None:
    for text in (MIMIC_LAYOUT, stripped(MIMIC_LAYOUT), MIMIC_LAYOUT.replace("\n", "\r\n")):
        spans = parse(text).spans
        assert {span.name: " ".join(text[span.start : span.end].split()) for span in spans} == {
            name: " ".join(section.split()) for name, section in EXPECTED.items()
        }
        for span in spans:
            assert text[: span.start].rstrip().endswith(f"{span.header}:")


def test_what_says_that_a_section_is_one() -> None:
    assert provenances(parse("HISTORY: Cough.\n\nClear lungs.")) == {"history": "header", "findings": "last_paragraph"}
    assert provenances(parse("FINDINGS AND IMPRESSION: Clear.")) == {"findings": "merged"}
    assert provenances(parse("HISTORY: Cough.\nCHEST, 2 VIEWS: Clear.")) == {
        "history": "header",
        "examination": "title",
        "findings": "title",
    }
    assert provenances(parse("Seen by Dr. ___\n\nFINDINGS: Clear.")) == {"preamble": "none", "findings": "header"}


def test_empty_headers_are_counted_as_such() -> None:
    spans = parse("COMPARISON:\nFINDINGS: Clear.").spans
    assert [(span.name, span.header, span.end - span.start) for span in spans] == [
        ("comparison", "COMPARISON", 0),
        ("findings", "FINDINGS", 6),
    ]


HEADERS = [
    "FINDINGS",
    "IMPRESSION",
    "HISTORY",
    "FINDINGS AND IMPRESSION",
    "ADDENDUM",
    "WET READ",
    "NOTIFICATION",
    "CHEST, 2 VIEWS",
    "HEART",
    "DOSE",
]
LETTERS = ["(", ".", "8", "é", "Clear lungs.", "No change", " - ", ";", "\t", "\x0b", "\u2028", "\u00a0", "__", ":", " ", "_" * 12]
BREAKS = ["\n", "\n \n", "\r", "\r\n"]
PIECES = st.sampled_from([*HEADERS, *(f"\n {header}:" for header in HEADERS), "Impression", "FINAL REPORT", *LETTERS, *BREAKS])
ANY_TEXT = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=40).map("".join))


def letters(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=500, deadline=None)
@given(ANY_TEXT)
def test_spans_of_any_text_are_in_order_and_hold_all_that_sections_do(text: str) -> None:
    parsed = parse(text)
    place = 0
    for span in parsed.spans:
        assert place <= span.start <= span.end <= len(text)
        assert span.name in (*SECTIONS, *EXTRA_SECTIONS) and span.provenance in PROVENANCES
        assert text[span.start : span.end] == text[span.start : span.end].strip()
        assert span.header in text
        place = span.end
    for name, section in parsed.sections.items():
        assert name in SECTIONS and section == section.strip() != ""
        told = letters("".join(text[span.start : span.end] for span in parsed.spans if span.name == name))
        assert letters(section).replace("_", "") == told.replace("_", "")
    assert ("no_narrative" in parsed.flags) == (not parsed.sections.keys() & {"findings", "impression"})


@settings(max_examples=500, deadline=None)
@given(ANY_TEXT)
def test_all_of_any_text_stands_in_some_span_or_header(text: str) -> None:
    place = 0
    for span in [*parse(text).spans, Section("other", "", "none", len(text), len(text))]:
        between = letters(text[place : span.start]).replace(letters(span.header), "", 1).replace("_", "")
        between = re.sub(r"FINAL\W*REPORT\W*", "", between)
        assert set(between) <= set(":;：-–—*#[•."), between
        place = span.end


SENTENCES = st.lists(
    st.sampled_from(
        ["The lungs are clear.", "Heart size is normal.", "No effusion at 8:45.", "Note: none.", "Dr. ___ was told.", "1.  Stable."]
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(SECTIONS), SENTENCES.map("\n".join), min_size=1), st.sampled_from(["\n", "\r\n", "\n "]))
def test_the_canonical_rendering_gives_the_same_sections_again(sections: dict[str, str], line_break: str) -> None:
    if not sections.keys() & {"findings", "impression"}:
        sections["findings"] = "Clear."
    ordered = {name: sections[name] for name in SECTIONS if name in sections}
    assert parse(as_text(ordered).replace("\n", line_break)).sections == ordered
    assert as_text(parse(as_text(ordered)).sections) == as_text(ordered)


@pytest.mark.parametrize(
    "text", ["A" * 100_000, ":" * 100_000, "FINDINGS: " * 10_000, " " * 100_000, "_" * 100_000, "A :" * 30_000, "\n A" * 30_000]
)
def test_time_grows_with_length_only(text: str) -> None:
    """A bound that quadratic work on 100,000 characters breaks by far, on any machine."""
    start = time.process_time()
    parse(text)
    assert time.process_time() - start < 5
