"""Judge the answers of a review in the background, so that its page opens before the last one is judged."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Thread

from radgpt.config import Dataset
from radgpt.instructions.judging import judged_answers
from radgpt.instructions.report_index import ReportIndex, open_reports
from radgpt.records import Decision, JudgedAnswer, Report
from radgpt.review.answers import Answers
from radgpt.review.decisions import apply
from radgpt.review.ledger import Ledger

STOPPING = 2.0
"""Seconds that the end of a review may wait for judging to end."""

COUNTING, INDEXING, JUDGING, DONE = "counting", "indexing", "judging", "done"


class Gathering:
    """Answers as they are judged, and how far that has come."""

    def __init__(self, answers: Answers, ledger: Ledger) -> None:
        self.answers = answers
        self.phase = COUNTING
        self.expected = 0
        """Answers in the file; 0 until they are counted."""
        self.outdated = 0
        """Answers that a decision stands for which was made on other texts."""
        self.last_decided: int | None = None
        """The number of the answer that was decided last."""
        self.failure: Exception | None = None
        self._ledger = ledger
        self._reports: ReportIndex | None = None
        self._newest = next(reversed(ledger.standing.values()), None)
        self._stop = Event()

    def report_of(self, judged: JudgedAnswer) -> Report:
        """The report of an answer that has been judged."""
        assert self._reports is not None, "a judged answer has a report"
        return self._reports[judged.report_id]

    def decision_on(self, judged: JudgedAnswer) -> Decision | None:
        """The decision that stands on an answer; None if there is none, or one that was made on other texts."""
        decision = self._ledger.standing.get(judged.instruction_id)
        return decision if decision is not None and apply(judged, decision).decision is not None else None

    def stop(self) -> None:
        """Judge no further and close the reports."""
        self._stop.set()

    def work(self, raw_answers: Path, instructions: Path, reports: Path, dataset: Dataset) -> None:
        """Judge all; the reports stay open until `stop`."""
        try:
            with open(raw_answers, "rb") as file:
                self.expected = sum(1 for _ in file)
            self.phase = INDEXING
            with open_reports(reports) as self._reports:
                self.phase = JUDGING
                for judged in judged_answers(raw_answers, instructions, self._reports, dataset):
                    if self._stop.is_set():
                        return
                    self._add(judged)
                self.phase = DONE
                self._stop.wait()
        except Exception as error:  # told by the thread that serves the page
            self.failure = error

    def _add(self, judged: JudgedAnswer) -> None:
        decision = self.decision_on(judged)
        if decision is None:
            self.outdated += judged.instruction_id in self._ledger.standing
        elif decision is self._newest and self.last_decided is None:
            self.last_decided = len(self.answers)
        self.answers.append(judged, decision.decision if decision else "undecided")


@contextmanager
def gathered(folder: Path, ledger: Ledger, raw_answers: Path, instructions: Path, reports: Path, dataset: Dataset) -> Iterator[Gathering]:
    """Judge in a thread within the block; texts stand meanwhile in a file without a name in `folder`."""
    with TemporaryFile(dir=folder, buffering=0) as file:
        gathering = Gathering(Answers(file), ledger)
        thread = Thread(target=gathering.work, args=(raw_answers, instructions, reports, dataset), name="judging", daemon=True)
        thread.start()
        try:
            yield gathering
        finally:
            gathering.stop()
            # It notices at the next answer; reports that are still being read are not waited for.
            thread.join(timeout=STOPPING)
