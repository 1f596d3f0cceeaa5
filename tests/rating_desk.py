"""A served rating of a handful of compared answers, to be looked at in a browser or asked over HTTP."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from review_desk import HOSTILE, Served

from radgpt.evaluation.judge.rubric import read_rubric
from radgpt.rating.blinding import blinded, drawn
from radgpt.rating.desk import Desk
from radgpt.rating.ledger import open_ledger
from radgpt.rating.server import serve
from radgpt.records import ComparedAnswer

REPORT = """FINAL REPORT
EXAMINATION: Chest PA and lateral.
FINDINGS: There is a small left pleural effusion with adjacent atelectasis. The heart size is
normal. There is no pneumothorax.
IMPRESSION: Small left effusion."""


def compared(id: str, question: str, reference: str | None = "A small left effusion.", **answers: str) -> ComparedAnswer:
    messages = [
        {"role": "system", "content": "You answer questions about the radiology report you are given."},
        {"role": "user", "content": f"{REPORT}\n\n{question}"},
    ]
    return ComparedAnswer(id, id.partition("/")[0], f"p-{id}", "question_answering", messages, reference, answers)


ROWS = (
    compared("r1/0", "Is there an effusion?", tuned="Yes, a small one on the left.", base="No effusion is seen. The lungs are clear."),
    compared("r2/0", f"Explain {HOSTILE}", None, tuned=f"It says {HOSTILE}", base="I cannot."),
    compared("r3/0", "How large is the heart?", tuned="Its size is normal.", base="Its size is normal."),
)


@contextmanager
def rating_served(
    folder: Path,
    rows: Sequence[ComparedAnswer] = ROWS,
    *,
    seed: int = 0,
    rubric: str = "original",
    rater: str = "rose",
    kept: Callable[[], None] = lambda: None,
) -> Iterator[Served]:
    """Serve the questions; ratings stand in ratings.jsonl of the folder."""
    address: list[str] = []
    opened, ended = threading.Event(), threading.Event()

    def tell(told: str) -> None:
        address.append(told)
        opened.set()

    with open_ledger(folder / "ratings.jsonl") as ledger:
        questions = [blinded(row, seed, rater) for row in drawn(rows, None, seed)]
        desk = Desk(questions, read_rubric(rubric, "rate.rubric"), ledger, rater, kept)
        thread = threading.Thread(target=lambda: asyncio.run(serve(desk, 0, tell, ended.is_set)))
        thread.start()
        try:
            assert opened.wait(10)
            yield Served(address[0], folder / "ratings.jsonl")
        finally:
            ended.set()
            thread.join()
