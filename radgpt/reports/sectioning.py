"""Make a report of a document: find its sections in the way that the config names, or take those that its source tells apart."""

from collections.abc import Mapping, Sequence

from radgpt.config import Sectioning
from radgpt.records import SECTIONS, Report, Section
from radgpt.reports import mit_lcp, original, overrides
from radgpt.reports.document import Document
from radgpt.reports.sections import NARRATIVE, parse, section_texts


def as_report(document: Document, sectioning: Sectioning) -> Report:
    """The report that a document holds; MIT-LCP's published overrides apply where its study is one of theirs."""
    text, flags = document.text, list(document.flags)
    if document.given is not None:
        text, sections, spans = told_apart(document.given, text)
        flags += without_narrative(sections)
    elif sectioning is Sectioning.mit_lcp:
        sections, spans, found = mit_lcp.report_sections(document.report_id, text)
        flags += found
    elif sectioning is Sectioning.original:
        sections, spans = original.sections(text), []
        flags += without_narrative(sections)
    else:
        parsed = parse(text)
        spans = overrides.apply(document.report_id, text, parsed.spans)
        sections = section_texts(text, spans, SECTIONS)
        if spans is parsed.spans:
            flags += parsed.flags
        else:
            flags += [*(flag for flag in parsed.flags if flag == "merged"), "override", *without_narrative(sections)]
    return Report(document.report_id, document.patient_id, text, sections, document.split, flags, spans, document.metadata)


def without_narrative(sections: Mapping[str, str]) -> list[str]:
    """The flag of a report with neither findings nor impression."""
    return [] if sections.keys() & set(NARRATIVE) else ["no_narrative"]


def told_apart(given: Sequence[tuple[str, str]], text: str) -> tuple[str, dict[str, str], list[Section]]:
    """Text, sections and spans of a report whose source tells its sections apart: (label, text) in order.

    Where the source has no text beside them, they make it up, each under its label; a section that is not in the text has no span.
    """
    if not text:
        text = "\n\n".join(f"{label.upper()}: {part}" if label else part for label, part in given)
    found: dict[str, list[str]] = {name: [] for name in SECTIONS}
    spans = []
    place = 0
    for label, part in given:
        name = label.lower() if label.lower() in found else "other" if label else "preamble"
        if name in found:
            found[name].append(part)
        start = text.find(part, place)
        if start >= 0:
            place = start + len(part)
            spans.append(Section(name, label.upper(), "source", start, place))
    return text, {name: "\n\n".join(parts) for name, parts in found.items() if parts}, spans
