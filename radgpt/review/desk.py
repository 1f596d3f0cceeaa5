"""What a reviewer can do: look at answers, decide, take back; whatever carries it to the page."""

from collections import deque
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import count
from typing import Any

from radgpt.pages.local_server import NoSuchThingError, RefusedDecisionError
from radgpt.records import DECISIONS, Decision, JudgedAnswer
from radgpt.review.answers import KEPT, STATES
from radgpt.review.decisions import judged_sha256
from radgpt.review.gathering import DONE, Gathering
from radgpt.review.ledger import Ledger
from radgpt.review.views import Filters, View

VIEWS_KEPT = 16
"""Views that stay known; a page whose view is forgotten opens a new one."""
STEPS_KEPT = 1_000
"""Decisions that can be taken back."""
PAGE = 200
"""Rows that a page may ask for at once."""


class Desk:
    """One reviewer's session. Called from one thread, but for views, which may grow in another."""

    def __init__(self, gathering: Gathering, ledger: Ledger, reviewer: str) -> None:
        self._gathering = gathering
        self._answers = gathering.answers
        self._ledger = ledger
        self._reviewer = reviewer
        self._views: dict[str, View] = {}
        self._view_names = count(1)
        self._steps: deque[tuple[int, Decision | None]] = deque(maxlen=STEPS_KEPT)

    def status(self) -> dict[str, Any]:
        """How far judging and deciding have come, and what filters may choose from."""
        counts = self._answers.counts.copy()
        return {
            "phase": self._gathering.phase,
            "judged": len(self._answers),
            "expected": max(self._gathering.expected, len(self._answers)),
            "finished": self._gathering.phase == DONE,
            "states": {state: counts["state", state] for state in STATES},
            "decided": sum(counts["state", state] for state in STATES[1:]),
            "outdated": self._gathering.outdated,
            "tasks": {task: counts["task", task] for task in sorted(self._answers.tasks.copy())},
            "kept": counts["reason", KEPT],
            "reasons": {reason: counts["reason", reason] for reason in sorted(self._answers.reasons.copy()) if reason != KEPT},
            "problems": counts["problems", "yes"],
            "undoable": len(self._steps),
            "file": str(self._ledger.path),
            "reviewer": self._reviewer,
        }

    def new_view(self, filters: Filters) -> str:
        """Open a view and give its name; it is empty until it is extended."""
        name = str(next(self._view_names))
        self._views[name] = View(self._answers, filters)
        while len(self._views) > VIEWS_KEPT:
            del self._views[next(iter(self._views))]
        return name

    def view(self, name: str) -> View:
        """A view by its name; raises NoSuchThingError."""
        try:
            return self._views[name]
        except KeyError:
            raise NoSuchThingError("view") from None

    def start(self, view: View) -> int:
        """Where to begin in a view: at the first undecided answer after the one decided last."""
        last = self._gathering.last_decided
        after = -1 if last is None else view.place_of(last) - (last not in view.numbers)
        place = view.next_undecided(after)
        return 0 if place is None else place

    def page(self, view: View, start: int, size: int) -> list[dict[str, Any]]:
        """Rows of a list: what they are, and the beginning of their instructions."""
        return [self._row(number) for number in view.numbers[start : start + min(size, PAGE)]]

    def answer(self, number: int) -> dict[str, Any]:
        """An answer with all turns of its conversation and its report; raises NoSuchThingError."""
        judged = self._read(number)
        report = self._gathering.report_of(judged)
        return {
            "number": number,
            "turns": [self._turn(turn) for turn in self._answers.conversation(number)],
            "report": {"report_id": report.report_id, "text": report.text, "spans": [asdict(span) for span in report.spans]},
        }

    def decide(self, number: int, seen_sha256: str, decision: str, instruction: str | None, answer: str | None, note: str) -> None:
        """Keep a decision.

        Raises:
            NoSuchThingError: there is no such answer.
            RefusedDecisionError: it was made on other texts, or leaves nothing to keep.
        """
        judged = self._read(number)
        if seen_sha256 != judged_sha256(judged.instruction, judged.answer):
            raise RefusedDecisionError("The texts have changed since they were shown; reload the page.")
        if decision not in DECISIONS:
            raise RefusedDecisionError("That is no decision.")
        if decision == "accept" and not judged.answer.strip():
            raise RefusedDecisionError("There is no answer to accept; write one with Edit, or reject it.")
        if decision == "edit":
            if not (instruction and instruction.strip() and answer and answer.strip()):
                raise RefusedDecisionError("Instruction and answer must both hold a text.")
        else:
            instruction = answer = None
        self._steps.append((number, self._gathering.decision_on(judged)))
        self._keep(number, judged, decision, instruction, answer, note)

    def undo(self) -> int | None:
        """Take the last decision of this session back; gives the number of its answer, None where there is nothing left to take back."""
        if not self._steps:
            return None
        number, before = self._steps.pop()
        judged = self._read(number)
        if before is None:
            self._keep(number, judged, "withdraw", None, None, "")
        else:
            self._keep(number, judged, before.decision, before.instruction, before.answer, before.note)
        return number

    def _keep(self, number: int, judged: JudgedAnswer, decision: str, instruction: str | None, answer: str | None, note: str) -> None:
        outdated = judged.instruction_id in self._ledger.standing and self._gathering.decision_on(judged) is None
        self._ledger.append(
            Decision(
                instruction_id=judged.instruction_id,
                decision=decision,
                judged_sha256=judged_sha256(judged.instruction, judged.answer),
                instruction=instruction,
                answer=answer,
                note=note,
                reviewer=self._reviewer,
                decided=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )
        self._gathering.outdated -= outdated
        self._gathering.last_decided = number
        self._answers.set_state(number, "undecided" if decision == "withdraw" else decision)

    def _read(self, number: int) -> JudgedAnswer:
        try:
            return self._answers.read(number)
        except IndexError:
            raise NoSuchThingError("answer") from None

    def _row(self, number: int) -> dict[str, Any]:
        judged = self._read(number)
        decision = self._gathering.decision_on(judged)
        return {
            "number": number,
            "id": judged.instruction_id,
            "task": judged.task,
            "reason": judged.reason,
            "faithfulness": judged.faithfulness,
            "problems": len(judged.problems),
            "state": self._answers.state(number),
            "instruction": ((decision and decision.instruction) or judged.instruction)[:160],
        }

    def _turn(self, number: int) -> dict[str, Any]:
        judged = self._read(number)
        decision = self._gathering.decision_on(judged)
        return {
            "number": number,
            "id": judged.instruction_id,
            "task": judged.task,
            "instruction": judged.instruction,
            "answer": judged.answer,
            "reason": judged.reason,
            "faithfulness": judged.faithfulness,
            "problems": [asdict(problem) for problem in judged.problems],
            "evidence": [asdict(one) for one in judged.evidence],
            "judged_sha256": judged_sha256(judged.instruction, judged.answer),
            "decision": decision and asdict(decision),
            "outdated": decision is None and judged.instruction_id in self._ledger.standing,
        }
