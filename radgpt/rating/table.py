"""Lay out all raters' standing ratings as the CSV file that agreement with the judge is read from."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO

from radgpt.evaluation.judge.judgement import PREFERENCE
from radgpt.evaluation.judge.rubric import Rubric
from radgpt.rating.blinding import grouped, sha256_of
from radgpt.rating.ledger import Rating
from radgpt.records import ComparedAnswer

COLUMNS = ("id", "system", "criterion", "score", "rater", "decided")


class Answered:
    """Who answered each question, and with what digest; texts are not kept."""

    def __init__(self, rows: Iterable[ComparedAnswer]) -> None:
        self._known = {row.pair_id: (sha256_of(row), [answer.systems for answer in grouped(row)]) for row in rows}

    def groups(self, rating: Rating) -> list[tuple[str, ...]] | None:
        """Who gave each of the answers that were rated; None where the texts have changed since."""
        sha256, groups = self._known.get(rating.pair_id, ("", []))
        return groups if sha256 == rating.shown_sha256 else None


def as_csv(standing: Iterable[Rating], answered: Answered, rubric: Rubric) -> str:
    """The file's text: a line for each system and criterion that a rater gave a score for; no text of a report or an answer.

    A preference gives 1 to who gave the preferred answer, 0 to the others, and 0.5 to all where none is preferred, as a judge's pairwise
    verdicts do (with more than two answers only the best is known to have won). Ratings of texts that have changed since, or by another
    rubric, are left out.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for rating in standing:
        groups = answered.groups(rating)
        if groups is not None and rating.rubric_sha256 == rubric.sha256:
            for system, score in scores_of(rating, groups):
                writer.writerow((rating.pair_id, system, rating.criterion, f"{score:g}", rating.rater, rating.decided))
    return text.getvalue()


def scores_of(rating: Rating, groups: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, float]]:
    """(system, score) of all whom a rating says something of."""
    if rating.criterion != PREFERENCE:
        yield from ((system, float(rating.score or 0)) for system in rating.systems)
        return
    for systems in groups:
        share = 0.5 if not rating.systems else float(list(systems) == rating.systems)
        yield from ((system, share) for system in systems)
