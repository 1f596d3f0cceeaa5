"""A served review of a handful of judged answers, and a browser to look at it with."""

import asyncio
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import jsonlines
import pytest

from radgpt.config import Dataset
from radgpt.records import Evidence, JudgedAnswer, Problem, Report, Section, as_row
from radgpt.review import gathering
from radgpt.review.desk import Desk
from radgpt.review.ledger import open_ledger
from radgpt.review.server import serve

HOSTILE = '</p><script>window.hacked = 1</script><img src=http://127.0.0.2/x onerror="window.hacked = 1">'
TEXT = "FINAL REPORT\nFINDINGS: Small left effusion 🫁. The heart is normal.\nIMPRESSION: Left effusion."
OTHER = f"FINDINGS: {HOSTILE}"


def span(text: str, words: str) -> tuple[int, int]:
    start = text.index(words)
    return start, start + len(words)


REPORTS = (
    Report(
        "r1", "p1", TEXT, {},
        spans=[
            Section("findings", "FINDINGS", "header", *span(TEXT, "Small left effusion 🫁. The heart is normal.")),
            Section("impression", "IMPRESSION", "header", *span(TEXT, "Left effusion.")),
        ],
    ),
    Report("r2", "p2", OTHER, {}),
)  # fmt: skip


def answered(id: str, instruction: str, answer: str, reason: str | None = None, **more: object) -> JudgedAnswer:
    report_id = id.partition("/")[0]
    known = {"task": "question_answering", "faithfulness": None, "problems": [], "evidence": []} | more
    return JudgedAnswer(
        instruction_id=id, report_id=report_id, patient_id="p", instruction=instruction, answer=answer, reason=reason,
        instruction_prompt_sha256="", answer_prompt_sha256="", **known,
    )  # fmt: skip


FIRST = "There is a small left effusion. The heart is large."
ANSWERS = (
    answered(
        "r1/0", "What is seen?", FIRST, "unfaithful", faithfulness=0.5,
        evidence=[Evidence(*span(TEXT, "Small left effusion"), *span(FIRST, "small left effusion"))],
        problems=[Problem("negation", *span(FIRST, "large"))],
    ),
    answered("r1/1", "Sum up the report.", "A left effusion.", task="summarisation"),
    answered("r1/2", "Is there an effusion?", "Yes, on the left."),
    answered("r1/2.2", "How large is it?", "Small."),
    answered("r2/0", f"Explain {HOSTILE}", f"It says {HOSTILE}"),
)  # fmt: skip


@dataclass(frozen=True)
class Served:
    """A review that can be looked at."""

    address: str
    """With its token."""
    decisions: Path

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return urlsplit(self.address).port or 0


@contextmanager
def review_served(folder: Path, answers: Iterable[JudgedAnswer] = ANSWERS, expected: int = len(ANSWERS)) -> Iterator[Served]:
    """Serve answers as they come; decisions stand in decisions.jsonl of the folder."""
    with jsonlines.open(folder / "reports.jsonl", "w") as file:
        file.write_all(map(as_row, REPORTS))
    (folder / "raw_answers.jsonl").write_text("{}\n" * expected)
    address: list[str] = []
    opened, ended = threading.Event(), threading.Event()

    def tell(told: str) -> None:
        address.append(told)
        opened.set()

    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(gathering, "judged_answers", lambda *files: iter(answers))
        ledger = stack.enter_context(open_ledger(folder / "decisions.jsonl", "x"))
        paths = (folder / "raw_answers.jsonl", folder / "instructions.jsonl", folder / "reports.jsonl")
        gathered = stack.enter_context(gathering.gathered(folder, ledger, *paths, Dataset()))
        desk = Desk(gathered, ledger, "rose")
        thread = threading.Thread(target=lambda: asyncio.run(serve(desk, 0, tell, ended.is_set)))
        thread.start()
        try:
            assert opened.wait(10)
            yield Served(address[0], folder / "decisions.jsonl")
        finally:
            ended.set()
            thread.join()


def chromium() -> str | None:
    """Where a Chromium stands on this machine, if any."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
