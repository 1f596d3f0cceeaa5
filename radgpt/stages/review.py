"""Read answers beside their reports on a local page, and accept, reject or edit them."""

import asyncio
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path

from radgpt import manifest
from radgpt.config import Dataset, Review
from radgpt.review.decisions import read_decisions
from radgpt.review.ledger import open_ledger
from radgpt.review.reviewer import login_name
from radgpt.run import Run
from radgpt.wording import counted

WRITES = {"decisions": "decisions.jsonl"}

CACHED = False
"""There may always be more to decide."""


def run(run: Run, raw_answers: Path, instructions: Path, reports: Path, dataset: Dataset, review: Review) -> None:
    """Serve the page until Ctrl-C; each decision is in its file as soon as it is made.

    Answers are judged as `stage=postprocess_answers` judges them without decisions.

    Raises:
        UserError: the file of decisions or the port cannot be used, or the answers do not belong to the instructions and reports.
    """
    from radgpt.review.desk import Desk
    from radgpt.review.gathering import gathered
    from radgpt.review.server import serve

    if review.decisions is None:
        path, setting = run.path("decisions").resolve(), "review.decisions=null"
        if earlier := earlier_decisions(run, dataset):
            begin_with(path, earlier)
            run.say(f"Going on from {earlier}")
    else:
        path, setting = Path(review.decisions).expanduser().resolve(), f"review.decisions={review.decisions}"
    reviewer = review.reviewer or login_name()
    with open_ledger(path, setting) as ledger:
        with gathered(run.directory, ledger, raw_answers, instructions, reports, dataset) as gathering:

            def opened(address: str) -> None:
                run.say(f"Open {address}\nOnly this machine can; Ctrl-C ends the review.")

            with suppress(KeyboardInterrupt):
                asyncio.run(serve(Desk(gathering, ledger, reviewer), review.port, opened, lambda: gathering.failure is not None))
        kinds = Counter(decision.decision for decision in ledger.standing.values())
    told = f"{kinds['accept']} accepted, {kinds['reject']} rejected, {kinds['edit']} edited"
    run.say(f"\n{counted(kinds.total(), 'decision')} ({told}): {path}")
    if kinds:
        run.say(f"To honour them, with the same settings: stage=postprocess_answers dataset.decisions={path}")
    if gathering.failure is not None:
        raise gathering.failure
    run.summarise(decided=kinds.total(), accepted=kinds["accept"], rejected=kinds["reject"], edited=kinds["edit"])


def earlier_decisions(run: Run, dataset: Dataset) -> Path | None:
    """The decisions to go on from: those that `dataset.decisions` names, else those of the newest review of the same answers."""
    if dataset.decisions is not None:
        return Path(dataset.decisions).expanduser()
    try:
        answers = manifest.load(run.directory).reads["raw_answers"]["sha256"]
    except (OSError, KeyError):
        return None
    for directory, found in manifest.runs(run.directory.parent.parent.parent, run.directory.parent.name):
        place = directory / WRITES["decisions"]
        same_answers = found.reads.get("raw_answers", {}).get("sha256") == answers
        if same_answers and directory.parent == run.directory.parent and directory != run.directory and place.exists():
            return place
    return None


def begin_with(path: Path, earlier: Path) -> None:
    """Copy decisions made before into this run's file, whole or not at all; raises UserError where they cannot be read."""
    read_decisions(earlier)
    partial = path.with_name(f".{path.name}.partial")
    shutil.copyfile(earlier, partial)
    partial.chmod(0o600)
    partial.replace(path)
