"""Which sentences of a report speak for each sentence of an answer, and what in it the report does not support."""

from collections.abc import Iterable
from dataclasses import dataclass

from radgpt.faithfulness.marks import plain
from radgpt.faithfulness.reported import read_report
from radgpt.faithfulness.sentences import sentence_spans
from radgpt.faithfulness.verdict import LONGEST, judge
from radgpt.records import Problem, Report

Span = tuple[int, int]
"""[start, end) in characters."""


@dataclass(frozen=True)
class Grounded:
    """One sentence of an answer beside its report."""

    answer: Span
    report: tuple[Span, ...]
    """Sentences of the report that support something in it, in the report's order."""
    problems: tuple[Problem, ...]
    """What the report does not support, in characters of the answer."""

    @property
    def checked(self) -> bool:
        """Whether there is anything to be said of it: a greeting claims nothing, and «not mentioned» has no place in the report."""
        return bool(self.report or self.problems)


def grounding(report: str, question: str, answer: str) -> list[Grounded]:
    """The sentences of an answer, each with what supports it and what is wrong, by the rules that the training answers are filtered by.

    Nothing is looked up in a model, so that it can be told in milliseconds; it judges claims about chest radiographs, and never raises.
    Of an answer beyond 20,000 characters the rest is left out.

    Args:
        report: the whole text.
        question: what was asked: a bare «no» says something about what it names.
        answer: as the model gave it.
    """
    document = Report("", "", report, {})
    verdict = judge(answer, question, document)
    said = sentence_spans(plain(answer[:LONGEST]), 0, min(len(answer), LONGEST), lines=True)
    said = [trimmed(answer, span) for span in said if answer[span[0] : span[1]].strip()]
    sources = [trimmed(report, (sentence.start, sentence.end)) for sentence in read_report(document).sentences]
    supports: list[set[Span]] = [set() for _ in said]
    faults: list[list[Problem]] = [[] for _ in said]
    for evidence in verdict.evidence:
        place = holding(said, evidence.answer_start)
        if place is not None:
            source = holding(sources, evidence.start)
            supports[place].add((evidence.start, evidence.end) if source is None else sources[source])
    for problem in verdict.problems:
        place = holding(said, problem.start)
        if place is not None:
            faults[place].append(problem)
    return [Grounded(span, tuple(sorted(found)), tuple(wrong)) for span, found, wrong in zip(said, supports, faults, strict=True)]


def holding(spans: Iterable[Span], place: int) -> int | None:
    """The number of the first span that holds a character, else of the last one that begins before it; None where none does."""
    last = None
    for number, (start, end) in enumerate(spans):
        if start <= place < end:
            return number
        if start <= place:
            last = number
    return last


def trimmed(text: str, span: Span) -> Span:
    """A span without white space at either end, and with the full stop that follows it."""
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return (start, end + 1 if text[end : end + 1] in (".", "!", "?") else end)
