"""A report by its sections, and beside it an answer's sentences with what in the report supports them, as HTML.

Nothing in either text is markup: every stretch is escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from radgpt.inference.chat.grounding import Grounded, Span
from radgpt.reports.sections import parse

NAMES_OF_FLAGS = {
    "merged": "findings and impression share one header",
    "unheaded": "no header stands above the findings",
    "no_narrative": "neither findings nor impression found",
}


@dataclass(frozen=True)
class Checked:
    """An answer beside the report that it was given about."""

    title: str
    """Whose, and to which question."""
    answer: str
    sentences: Sequence[Grounded]


def report_html(report: str, checked: Checked | None = None) -> str:
    """The sections, sentences that support an answer marked with the numbers of the answer's sentences."""
    if not report.strip():
        return '<p class="rg-soft">No report: answers come from the model alone.</p>'
    marks = numbered(checked.sentences) if checked else []
    parsed = parse(report)
    parts = []
    for span in parsed.spans:
        if span.end <= span.start:
            continue
        name = span.header or span.name.replace("_", " ")
        parts.append(f"<section><h4>{escape(name)}</h4><p>{marked(report, (span.start, span.end), marks)}</p></section>")
    notes = ", ".join(NAMES_OF_FLAGS[flag] for flag in parsed.flags if flag in NAMES_OF_FLAGS)
    told = f'<p class="rg-soft">{escape(notes)}</p>' if notes else ""
    return f'<div class="rg-report">{told}{"".join(parts)}</div>{checked_html(checked) if checked else ""}'


def checked_html(checked: Checked) -> str:
    """The answer's sentences that say something about the report, each with what became of it."""
    items = []
    for number, sentence in enumerate(checked.sentences, start=1):
        if not sentence.checked:
            continue
        faults = [((problem.start, problem.end), problem.kind.replace("_", " ")) for problem in sentence.problems]
        text = struck(checked.answer, sentence.answer, faults)
        kind = "rg-wrong" if faults else "rg-right"
        words = "not supported: " + ", ".join(dict.fromkeys(name for _, name in faults)) if faults else "supported"
        items.append(f'<li value="{number}" class="{kind}">{text} <span class="rg-verdict">{escape(words)}</span></li>')
    told = f"<ol>{''.join(items)}</ol>" if items else '<p class="rg-soft">It claims nothing that the report could support.</p>'
    return f'<div class="rg-checked"><h4>{escape(checked.title)}</h4>{told}</div>'


def numbered(sentences: Sequence[Grounded]) -> list[tuple[Span, list[int]]]:
    """Stretches of the report, in order and without overlap, each with the numbers (from 1) of the sentences that it supports."""
    supports: dict[Span, list[int]] = {}
    for number, sentence in enumerate(sentences, start=1):
        for span in sentence.report:
            supports.setdefault(span, []).append(number)
    kept: list[tuple[Span, list[int]]] = []
    for span, numbers in sorted(supports.items()):
        if kept and span[0] < kept[-1][0][1]:
            kept[-1] = ((kept[-1][0][0], max(kept[-1][0][1], span[1])), sorted({*kept[-1][1], *numbers}))
        else:
            kept.append((span, numbers))
    return kept


def marked(text: str, within: Span, marks: Sequence[tuple[Span, list[int]]]) -> str:
    """A stretch of a text, its parts under marks marked and numbered."""
    place, end = within
    parts = []
    for (start, stop), numbers in marks:
        start, stop = max(start, place), min(stop, end)
        if start >= stop:
            continue
        told = ",".join(map(str, numbers))
        parts.append(f"{escape(text[place:start])}<mark>{escape(text[start:stop])}<sup>{told}</sup></mark>")
        place = stop
    return "".join([*parts, escape(text[place:end])])


def struck(text: str, within: Span, faults: Sequence[tuple[Span, str]]) -> str:
    """A stretch of a text, words at fault underlined, each with what is wrong as its tooltip."""
    place, end = within
    parts = []
    for (start, stop), kind in sorted(faults):
        start, stop = max(start, place), min(stop, end)
        if start >= stop:
            continue
        parts.append(f'{escape(text[place:start])}<u title="{escape(kind)}">{escape(text[start:stop])}</u>')
        place = stop
    return "".join([*parts, escape(text[place:end])])
