"""Let a person grade compared models' answers blind on a local page, and write the scores that a judge is measured by."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from radgpt import manifest
from radgpt.artifacts import write_text
from radgpt.config import Rate
from radgpt.errors import UserError
from radgpt.evaluation.judge.rubric import read_rubric
from radgpt.rating.blinding import blinded, drawn
from radgpt.rating.ledger import merged, open_ledger, read_ratings, standing
from radgpt.rating.table import Answered, as_csv
from radgpt.records import ComparedAnswer, read_records
from radgpt.review.reviewer import login_name
from radgpt.run import Run
from radgpt.wording import counted

WRITES = {"ratings": "ratings.csv"}

CACHED = False
"""There may always be more to rate."""

RATERS = "raters"
"""Folder, in a run's own, of the raters' files, one for each."""


def run(run: Run, compared_answers: Path, rate: Rate, seed: int) -> None:
    """Serve the page until Ctrl-C; each click is in its rater's file, and in the CSV of all raters, as soon as it is made.

    Goes on from all ratings of the same answers in earlier runs, this rater's and others'.

    Raises:
        UserError: there is nothing to rate, the rubric cannot be read, or the port cannot be used.
    """
    from radgpt.rating.desk import Desk
    from radgpt.rating.server import serve

    rubric = read_rubric(rate.rubric, "rate.rubric")
    rows = list(read_records(compared_answers, ComparedAnswer))
    if not rows:
        raise UserError(f"{compared_answers} holds no answers; run stage=compare on a split with pairs")
    answered = Answered(rows)
    rater = rate.rater.strip() or login_name() or "a rater"
    questions = [blinded(row, seed, rater) for row in drawn(rows, rate.limit, seed)]
    del rows
    folder = run.directory / RATERS
    begin_with(folder, earlier_files(run))
    own = folder / file_name(rater)
    others = {path: standing(read_ratings(path)) for path in sorted(folder.glob("*.jsonl")) if path != own}
    with open_ledger(own) as ledger:

        def write_table() -> None:
            ratings = [rating for given in (*others.values(), ledger.standing) for rating in given.values()]
            write_text(run.path("ratings"), as_csv(ratings, answered, rubric))

        def opened(address: str) -> None:
            run.say(f"Open {address}\nOnly this machine can; Ctrl-C ends the rating.")

        write_table()
        desk = Desk(questions, rubric, ledger, rater, write_table)
        with suppress(KeyboardInterrupt):
            asyncio.run(serve(desk, rate.port, opened, lambda: False))
        complete = desk.status()["complete"]
        given = len(ledger.standing)
    run.say(f"\n{counted(given, 'rating')} by {rater}, {complete} of {counted(len(questions), 'question')} complete: {run.path('ratings')}")
    if others:
        run.say(f"With the ratings of {counted(len(others), 'other rater')}")
    if given:
        run.say(f"To measure a judge by them: stage=compare evaluation.human_scores={run.path('ratings').resolve()}")
    run.summarise(questions=len(questions), complete=complete, ratings=given, raters=len(others) + 1)


def earlier_files(run: Run) -> list[Path]:
    """The raters' files of all other runs that rated the same answers."""
    try:
        answers = manifest.load(run.directory).reads["compared_answers"]["sha256"]
    except (OSError, KeyError):
        return []
    found = manifest.runs(run.directory.parent.parent.parent, run.directory.parent.name)
    folders = [
        directory
        for directory, record in found
        if directory != run.directory
        and directory.parent == run.directory.parent
        and record.reads.get("compared_answers", {}).get("sha256") == answers
    ]
    return [path for directory in folders for path in sorted((directory / RATERS).glob("*.jsonl"))]


def begin_with(folder: Path, earlier: Sequence[Path]) -> None:
    """Copy ratings made before into this run's folder, each rater's together, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted({path.name for path in earlier}):
        partial = folder / f".{name}.partial"
        partial.touch(0o600)
        partial.write_bytes(merged(path for path in earlier if path.name == name))
        partial.replace(folder / name)


def file_name(rater: str) -> str:
    """A file name for a rater, another one for every name."""
    plain = re.sub(r"\W+", "_", rater).strip("_")[:40]
    return f"{plain}.jsonl" if plain == rater else f"{plain}_{sha256(rater.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.jsonl"
