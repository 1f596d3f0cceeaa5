"""Make a report of a document: find its sections in the way that the config names, or take those that its source tells apart."""

from collections.abc import Mapping, Sequence

from radgpt.config import Sectioning
from radgpt.records import SECTIONS, Report, Section
from radgpt.reports import mit_lcp, original, overrides
from radgpt.reports.document import Document
from radgpt.reports.sections import NARRATIVE, parse, section_texts


def as_report(document: Document, sectioning: Sectioning) -> Report:
    """The report that a document holds.

    MIT-LCP's published overrides apply where its study is one of theirs and its text has to be split, but not for the original's way.
    """
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
            flags += ["merged"] if any(span.provenance == "merged" and span.name in NARRATIVE for span in spans) else []
            flags += ["override", *without_narrative(sections)]
    return Report(document.report_id, document.patient_id, text, sections, document.split, flags, spans, document.metadata)


def without_narrative(sections: Mapping[str, str]) -> list[str]:
    """The flag of a report with neither findings nor impression."""
    return [] if sections.keys() & set(NARRATIVE) else ["no_narrative"]


def told_apart(given: Sequence[tuple[str, str]], text: str) -> tuple[str, dict[str, str], list[Section]]:
    """Text, sections and spans of a report whose source tells its sections apart: (label, text) in order.

    Where the source has no text beside them, they make it up, each under its label; else a section whose place in the text is not
    certain, because it is not there or more than once, has no span.
    """
    found: dict[str, list[str]] = {name: [] for name in SECTIONS}
    spans = []
    composed = ""
    for label, part in given:
        name = label.lower() if label.lower() in found else "other" if label else "preamble"
        if name in found:
            found[name].append(part)
        composed += ("\n\n" if composed else "") + (f"{label.upper()}: " if label else "")
        start = len(composed) if not text else text.find(part) if text.count(part) == 1 else -1
        composed += part
        if start >= 0:
            spans.append(Section(name, label.upper() if not text else "", "source", start, start + len(part)))
    spans.sort(key=lambda span: span.start)
    # One section may be quoted in another.
    spans = [span for place, span in enumerate(spans) if not place or span.start >= max(before.end for before in spans[:place])]
    return text or composed, {name: "\n\n".join(parts) for name, parts in found.items() if parts}, spans
