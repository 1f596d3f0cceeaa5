"""Where the narrative of odd MIMIC-CXR reports stands, by study, as MIT-LCP published it for reports that no rule splits.

The lists are those of txt/section_parser.py in https://github.com/MIT-LCP/mimic-cxr (MIT licence, read at commit 3190146).
"""

from dataclasses import replace

from radgpt.records import Section
from radgpt.reports.line_breaks import trimmed, unified, way_back

STUDIES_BY_NAME = {
    "examination": ("s50743547", "s53356173", "s55157853", "s59215320", "s59363654"),
    "history": ("s51491012",),
    "indication": ("s50058765", "s51966317", "s54365831", "s54654948", "s55124749", "s57936451"),
    "note": ("s56451190",),
    "recommendations": ("s50913680", "s56482935", "s58157373", "s58375018", "s59067458", "s59087630", "s59768032"),
    "technique": ("s50808053", "s53202765", "s59279892"),
}
NAMES = {study: name for name, studies in STUDIES_BY_NAME.items() for study in studies}
"""Study to the section, by MIT-LCP's name for it, that holds the narrative."""

NOTHING = (0, 0)
OFFSETS = {
    "s50196495": (59, 399),
    "s50525523": (201, 349),
    "s51410602": (47, 320),
    "s52119491": (179, 454),
    "s52648681": (292, 631),
    "s52674888": (145, 296),
    "s53182247": (59, 412),
    "s53488209": (149, 475),
    "s53514462": (73, 377),
    "s54875119": (234, 988),
    "s54986978": (59, 306),
    "s55258338": (192, 568),
    "s56412866": (522, 822),
    "s56579911": (59, 218),
    "s56760320": (219, 457),
    "s57150433": (61, 394),
    "s57564132": (233, 554),
    "s59003148": (262, 505),
    "s59330497": (140, 655),
    "s59505494": (59, 450),
    "s59562049": (158, 348),
    "s59889364": (172, 453),
    "s59982525": (313, 717),
    **dict.fromkeys(
        ("s50798377", "s52035334", "s53071062", "s53607029", "s54168089", "s54231141", "s56724958", "s58235663"),
        NOTHING,
    ),
}
"""Study to the (start, end) of its narrative, in characters of the text with `\\n` for line breaks; NOTHING where it has none."""

STUDIES = NAMES.keys() | OFFSETS.keys()

NARRATIVE = ("findings", "impression", "last_paragraph")
CERTAIN = ("header", "merged")
"""Provenances that a published place does not overrule."""


def apply(report_id: str, text: str, spans: list[Section]) -> list[Section]:
    """The spans of a report, ordered and without overlap as before, with what is published about the study; the same list if nothing is.

    The published stretch becomes findings of provenance `override`; what other spans held of it they give up. Offsets beyond the text,
    and names that the report has not, are of another release or another text: then nothing changes.
    """
    if report_id in NAMES:
        return with_named_findings(spans, NAMES[report_id])
    if report_id not in OFFSETS:
        return spans
    if OFFSETS[report_id] == NOTHING:
        return [replace(span, name="other", provenance="none") if span.name in NARRATIVE else span for span in spans]
    start, end = OFFSETS[report_id]
    plain = unified(text)
    if end > len(plain):
        return spans
    back = way_back(text)
    start, end = (back(place) for place in trimmed(plain, start, end))
    return with_findings_at(text, start, end, spans) if start < end else spans


def with_named_findings(spans: list[Section], name: str) -> list[Section]:
    """The last span that goes by a name becomes the findings, unless a header stands above findings or an impression already."""
    if any(span.name in NARRATIVE and span.provenance in CERTAIN and span.start < span.end for span in spans):
        return spans
    place = max((place for place, span in enumerate(spans) if name in (span.name, span.header.lower())), default=None)
    if place is None or spans[place].start == spans[place].end:
        return spans
    return [*spans[:place], replace(spans[place], name="findings", provenance="override"), *spans[place + 1 :]]


def with_findings_at(text: str, start: int, end: int, spans: list[Section]) -> list[Section]:
    """The stretch from `start` up to `end` becomes findings; what was only guessed to be narrative before is `other`.

    A span keeps what it held before the stretch; what follows the stretch in a span that began before it has lost its header.
    """
    found = [Section("findings", "", "override", start, end)]
    for span in spans:
        if span.name in NARRATIVE and span.provenance not in CERTAIN:
            span = replace(span, name="other", provenance="none")
        if span.end <= start or span.start >= end:
            found.append(span)
            continue
        if span.start < start:
            found += piece(text, span, span.start, start)
            span = replace(span, name="other", header="", provenance="none")
        if span.end > end:
            found += piece(text, span, end, span.end)
    return sorted(found, key=lambda span: (span.start, span.end))


def piece(text: str, span: Section, start: int, end: int) -> list[Section]:
    """A part of a span as a span; none where it is white space."""
    start, end = trimmed(text, start, end)
    return [replace(span, start=start, end=end)] if start < end else []
