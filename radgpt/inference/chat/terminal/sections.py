"""Show a report by its sections, and what in it supports an answer."""

from radgpt.inference.chat.grounding import Grounded, Span
from radgpt.records import Section
from radgpt.reports.sections import parse
from radgpt.wording import counted

PROBLEMS = {
    "abbreviation": "the abbreviation stands for something else",
    "certainty": "surer than the report",
    "change": "another course than in the report",
    "date": "no such date or time in the report",
    "device": "no such device in the report",
    "finding": "not in the report",
    "location": "another place than in the report",
    "measurement": "not measured so in the report",
    "negation": "the report says otherwise",
    "number": "no such number in the report",
    "recommendation": "not advised so in the report",
    "severity": "another degree than in the report",
    "side": "another side than in the report",
    "unanswered": "the report does say something of it",
}
"""Kinds of problem that are put into words; others are named as they are."""


def sections_of(report: str) -> list[Section]:
    """The sections that hold text, in order; the whole report as one where it has no headers."""
    found = [span for span in parse(report).spans if span.start < span.end]
    return found or [Section("report", "", "none", 0, len(report))]


def outline(report: str) -> str:
    """Names of the sections with their lengths: `findings 32 words, impression 8 words`."""
    return ", ".join(f"{span.name} {counted(len(report[span.start : span.end].split()), 'word')}" for span in sections_of(report))


def by_section(report: str) -> str:
    """The report's text under the names of its sections."""
    return "\n".join(
        f"{span.name.upper()}\n  {report[span.start : span.end].replace(chr(10), chr(10) + '  ')}" for span in sections_of(report)
    )


def place_of(report: str, span: Span) -> str:
    """The name of the section that a sentence stands in."""
    return next((section.name for section in sections_of(report) if section.start <= span[0] < section.end), "report")


def explained(grounded: Grounded, report: str, answer: str) -> list[tuple[str, str]]:
    """A sentence of an answer and what there is to say of it: (`answer`, `support`, `problem` or `nothing`; line) each."""
    lines = [("answer", one_line(answer, grounded.answer))]
    lines += [("support", f"  {place_of(report, span)}: {one_line(report, span)}") for span in grounded.report]
    for problem in grounded.problems:
        words = one_line(answer, (problem.start, problem.end))
        lines.append(("problem", f"  {PROBLEMS.get(problem.kind, problem.kind)}: «{words}»"))
    if not grounded.checked:
        lines.append(("nothing", "  nothing that can be checked by rule"))
    return lines


def one_line(text: str, span: Span) -> str:
    """A stretch of a text on one line."""
    return " ".join(text[span[0] : span[1]].split())
