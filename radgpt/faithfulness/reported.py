"""What a report says, sentence by sentence, with the characters where it says so."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from radgpt.faithfulness.marks import WORD, plain
from radgpt.faithfulness.quantities import Quantity
from radgpt.faithfulness.sentences import ASSERTED, Sentence, Statement, read, sentence_spans
from radgpt.records import Report
from radgpt.reports.sections import parse

CONTEXT = frozenset({"examination", "history", "indication", "technique", "comparison", "notification", "signature"})
"""Sections that tell why and how a study was made: what they name is not asserted of the image."""
SHORT = 40
"""Characters of a sentence that may speak of the one before without naming it."""
REPORTS_KEPT = 64
"""How many reports' readings are kept for their other answers."""


@dataclass(slots=True)
class Reported:
    """A report as it was read."""

    text: str
    """In lower case, character for character in the report's places."""
    sentences: list[Sentence] = field(default_factory=list)
    context: set[int] = field(default_factory=set)
    """Numbers of the sentences that belong to CONTEXT."""
    by_name: dict[str, list[Statement]] = field(default_factory=dict)
    quantities: list[Quantity] = field(default_factory=list)
    verbatim: dict[str, int] = field(default_factory=dict)
    """The words of a sentence to its number."""
    words: set[str] = field(default_factory=set)

    def statements(self, name: str) -> Iterator[Statement]:
        """What it asserts of something, or names without asserting it."""
        return iter(self.by_name.get(name, ()))

    def in_context(self, statement: Statement) -> bool:
        """Whether a statement stands in a section that does not tell what the image shows."""
        return statement.sentence in self.context


def words_of(text: str, start: int, end: int) -> str:
    """Words and numbers alone, for the comparison of sentences."""
    return " ".join(
        "".join(letter if letter.isalnum() or letter in ".%/" else " " for letter in text[start:end]).replace(". ", " ").rstrip(".").split()
    )


def read_report(report: Report) -> Reported:
    """Read a report; its reading is kept for the other answers about it."""
    return _read(report.text, tuple((span.name, span.start, span.end) for span in report.spans))


def _carry_over(text: str, earlier: Sentence, sentence: Sentence) -> None:
    """Give «This is unchanged.» and «No change.» to what the sentence before speaks of."""
    if sentence.end - sentence.start > SHORT or any(statement.kind in ("finding", "device") for statement in sentence.statements):
        return
    if not sentence.has("pronoun") and sentence.has("region"):
        return
    for statement in earlier.statements:
        if statement.kind in ("finding", "device") and statement.status in ASSERTED:
            for mark in sentence.loose:
                if mark.kind == "change":
                    statement.details.setdefault("change", []).append(mark)


@lru_cache(maxsize=REPORTS_KEPT)
def _read(original: str, spans: tuple[tuple[str, int, int], ...]) -> Reported:
    text = plain(original)
    if not spans:
        spans = tuple((span.name, span.start, span.end) for span in parse(original).spans) or (("findings", 0, len(text)),)
    reported = Reported(text)
    for name, start, end in spans:
        for first, last in sentence_spans(text, start, end, lines=False):
            number = len(reported.sentences)
            sentence = read(text, first, last, number)
            if reported.sentences:
                _carry_over(text, reported.sentences[-1], sentence)
            reported.sentences.append(sentence)
            if name in CONTEXT:
                reported.context.add(number)
            reported.verbatim.setdefault(words_of(text, first, last), number)
            for statement in sentence.statements:
                key = f"normal {statement.name}" if statement.kind == "normal" else statement.name
                reported.by_name.setdefault(key, []).append(statement)
            reported.quantities += sentence.quantities
    reported.words = set(WORD.findall(text))
    return reported
