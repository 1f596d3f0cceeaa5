"""Say which section, if any, a header such as `REASON FOR EXAM` opens."""

import re
from enum import Enum
from functools import lru_cache


class Mark(Enum):
    """What a header opens if it is none of the seven sections."""

    start = "the final report"
    merged = "findings and impression under one header"
    message = "a message about the report, such as a notification; it lasts until the next header"
    other_read = "another read of the study, such as an addendum; it lasts until the line that closes it"
    title = "what was seen, under the name of the study"
    organ = "what was seen, under the name of a part of the body"


Kind = str | Mark
"""One of `records.SECTIONS`, or a Mark."""

STUDY = r"(?:EXAMS?|EXAMINATIONS?|STUDY|STUDIES|PROCEDURES?|FILMS?|IMAGING|RADIOGRAPHS?)"

NAMES: dict[Kind, str] = {
    Mark.start: r"FINAL REPORT",
    Mark.other_read: r"(?:(?:FINAL|RADIOLOGIST|RADIOLOGY) )?ADDEND(?:UM|A)(?: .+)?|WET READ(?: .+)?"
    r"|PRELIMINARY (?:REPORT|READ|INTERPRETATION|FINDINGS|IMPRESSION)",
    Mark.message: r"(?:(?:CRITICAL|URGENT|VERBAL|PHYSICIAN) )?(?:RESULTS? )?(?:NOTIFICATION|COMMUNICATION)S?(?: .+)?"
    r"|(?:(?:FOLLOW-?UP|FURTHER|MANAGEMENT) )?RECOMMENDATIONS?(?: .+)?|CRITICAL (?:RESULTS?|FINDINGS?|VALUES?)"
    r"|PFI|PROVISIONAL .+|DISCLAIMER|DISCUSSED WITH|(?:DICTATED|READ|REVIEWED|(?:ELECTRONICALLY )?SIGNED|TRANSCRIBED) BY",
    "examination": r"(?:TYPE OF |NAME OF |IMAGING )?(?:EXAMS?|EXAMINATIONS?|STUDY|STUDIES|PROCEDURES?)(?: (?:TYPE|NAME|TITLE|PERFORMED))?",
    "history": r"(?:\S+ ){0,3}(?:HISTORY|HX)(?: OF PRESENT ILLNESS)?"
    r"|(?:CLINICAL|PATIENT) (?:INFORMATION|DETAILS|CONTEXT|BACKGROUND|DATA|NOTES?|SUMMARY)",
    "indication": r"(?:CLINICAL )?INDICATIONS?(?: FOR .+)?|REASONS?(?: FOR .+)?|CLINICAL (?:QUESTION|CONCERN|DIAGNOSIS)",
    "technique": rf"(?:(?:IMAGING|{STUDY}) )?TECHNIQUES?|TECHNICAL FACTORS?|PROTOCOL|VIEWS?(?: OBTAINED)?",
    "comparison": rf"COMPARISONS?(?: {STUDY}| (?:WITH|TO) .+)?|(?:PRIOR|PREVIOUS|COMPARATIVE|REFERENCE) {STUDY}",
    "findings": r"(?:(?:CHEST|RADIOGRAPHIC|RADIOLOGIC|RADIOLOGICAL|IMAGING|KEY) )?FINDINGS?|OBSERVATIONS?|DESCRIPTION|REPORT",
    "impression": r"(?:(?:FINAL|OVERALL|RADIOGRAPHIC|RADIOLOGIC|RADIOLOGICAL|DIAGNOSTIC) )?IMPRESSIONS?"
    r"|CONCLUSIONS?|OPINIONS?|SUMMARY|INTERPRETATION|(?:(?:FINAL|RADIOLOGICAL) )?DIAGNOS[EI]S",
    Mark.organ: r"(?:(?:THE|UPPER|SUPPORT|CARDIAC|CARDIOMEDIASTINAL|OSSEOUS|SOFT|BONY|PULMONARY) )*"
    r"(?:LUNGS?|LUNG FIELDS|AIRWAYS?|PLEURA|PLEURAL SPACES?|HEART|CARDIAC|CARDIOVASCULAR|(?:CARDIO)?MEDIASTINUM|CONTOURS?|SILHOUETTE"
    r"|HILA|DIAPHRAGMS?|BONES?|STRUCTURES|TISSUES?|ABDOMEN|VASCULATURE|LINES|TUBES|DEVICES|HARDWARE)",
}
"""Names in capitals, single-spaced, without brackets; the first that matches counts."""

PATTERNS = {kind: re.compile(pattern) for kind, pattern in NAMES.items()}
STUDY_WORD = re.compile(r"\b(?:CHEST(?! (?:PAIN|TUBE|TIGHTNESS|TRAUMA))|CXR|RADIOGRAPHS?|X-?RAYS?|VIEWS?|PORTABLE|FRONTAL|LATERAL)\b")
BESIDE_THE_NAME = re.compile(r"\(.*?\)|_+|#|^FINAL REPORT (?=.)")
"""Remarks in brackets, removed text, and the line above where line breaks are lost."""
LONGEST_MESSAGE_HEADER = 5
"""Words; a longer line that begins with «Recommendation» is a sentence."""


@lru_cache(maxsize=4096)
def opens(name: str) -> Kind | None:
    """What a header (without its colon, in any case) opens; None where it is no header that we know."""
    plain = " ".join(BESIDE_THE_NAME.sub(" ", name.upper().replace("(S)", "S")).split())
    return simple(plain) or compound(plain) or (Mark.title if STUDY_WORD.search(plain) else None)


def simple(plain: str) -> Kind | None:
    """What a name of one part opens."""
    kind = next((kind for kind, pattern in PATTERNS.items() if pattern.fullmatch(plain)), None)
    if kind in (Mark.message, Mark.other_read) and len(plain.split()) > LONGEST_MESSAGE_HEADER:
        return None
    return kind


def compound(plain: str) -> Kind | None:
    """What a name such as `FINDINGS AND IMPRESSION` opens; findings and impression go before all else in it."""
    kinds = [simple(part) for part in re.split(r" ?[/&,] ?| AND ", plain)]
    if len(kinds) < 2 or None in kinds:
        return None
    if "findings" in kinds and "impression" in kinds:
        return Mark.merged
    return next((kind for kind in ("findings", "impression") if kind in kinds), kinds[0])
