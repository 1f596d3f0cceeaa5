"""Go through reports in epochs, each shown examples from what epochs well before it accepted, so that no epoch waits for the last."""

import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from radgpt.config import InstructionPrompt, Instructions, Narrative
from radgpt.instructions.drafts import Draft, Test
from radgpt.instructions.filters import first_reason
from radgpt.instructions.generations import Dialogue, ready, single, unasked
from radgpt.instructions.parsing import parse_turns
from radgpt.instructions.pool_epochs import Accepted, grow, keep_epoch, kept
from radgpt.instructions.prompts import fits, instruction_messages
from radgpt.instructions.tasks import Pool, draw_examples, draw_tasks, draw_wording
from radgpt.records import SECTION_ANSWERS, Generation, Report
from radgpt.teacher.ask import Request

LAG = 2
"""An epoch's examples come from the epochs up to so many before it: while the last replies of one come in, the next one is asked."""


@dataclass
class Epoch:
    """One stretch of reports under way."""

    number: int
    """Counted from 0."""
    reports: dict[str, Report]
    unfinished: int
    """Dialogues whose rows have not come yet."""
    accepted: list[Accepted] = field(default_factory=list)


class Epochs:
    """What is asked about reports, and what is learned from the replies for the prompts of later ones.

    The prompts of an epoch depend on the seeds and on what the epochs up to the LAG-th before it accepted, never on which replies happen
    to be there: wherever a run is cut off, the next one sends the same prompts and finds their replies in the journal.
    """

    def __init__(
        self,
        reports: Iterator[Report],
        instructions: Instructions,
        prompt: InstructionPrompt,
        tests: Mapping[str, Test],
        seed: int,
        folder: Path,
    ) -> None:
        """`folder` keeps the pool's epochs; `tests` say what may serve as an example."""
        self.over = False
        """Whether all reports have been taken in."""
        self.skipped_no_narrative = 0
        self.skipped_no_task = 0
        self._reports = reports
        self._instructions = instructions
        self._prompt = prompt
        self._tests = tests
        self._seed = seed
        self._folder = folder
        self._pool = Pool(prompt.seeds)
        self._begun = 0
        self._under_way: deque[Epoch] = deque()

    def dialogues(self) -> Iterator[Dialogue]:
        """Yield what is asked, in the order of the reports, as far as it is known by now; to be called again until `over`."""
        while not self.over:
            self._end_finished()
            source = self._begun - LAG
            if source >= 0:
                if not kept(self._folder, source):
                    return
                grow(self._folder, source, self._pool)
            yield from self._epoch()
        self._end_finished()

    def take(self, rows: list[Generation]) -> None:
        """Take in the rows of a dialogue, in the order in which they were yielded."""
        epoch = next(epoch for epoch in self._under_way if epoch.unfinished)
        for row in rows:
            text = first_question(row, self._instructions.turns)
            report = epoch.reports[row.report_id]
            if text and first_reason(self._tests, Draft(text, row.task, report.text, sections=report.sections)) is None:
                epoch.accepted.append(Accepted(row.generation_id, row.task, text))
        epoch.unfinished -= 1
        self._end_finished()

    def _epoch(self) -> Iterator[Dialogue]:
        """Begin the next epoch."""
        reports = list(itertools.islice(self._reports, self._instructions.pool_epoch))
        if not reports:
            self.over = True
            return
        told = [report for report in reports if has_narrative(report, self._instructions.narrative)]
        self.skipped_no_narrative += len(reports) - len(told)
        drawn = [(report, tasks) for report in told if (tasks := tasks_of(report, self._instructions, self._seed))]
        self.skipped_no_task += len(told) - len(drawn)
        dialogues = sum(len(tasks) for _, tasks in drawn)
        self._under_way.append(Epoch(self._begun, {report.report_id: report for report, _ in drawn}, dialogues))
        self._begun += 1
        # The pool may grow before the last of these is asked for.
        questions = {task: self._pool.questions(task) for task in {task for _, tasks in drawn for task in tasks}}
        for report, tasks in drawn:
            for number, task in enumerate(tasks):
                yield self._dialogue(report, number, task, questions[task])

    def _dialogue(self, report: Report, number: int, task: str, questions: list[str]) -> Dialogue:
        """The n-th thing asked about a report."""
        generation_id = f"{report.report_id}/{number}"
        if task in SECTION_ANSWERS:
            wording = draw_wording(self._prompt, task, report.report_id, number, self._seed)
            return ready(unasked(generation_id, report, task, self._prompt.version, outcome="ok", text=wording))
        turns = self._instructions.turns
        examples = draw_examples(questions, self._prompt, task, generation_id, self._seed)
        messages = instruction_messages(self._prompt, task, report.text, examples, turns)
        return single(Request(generation_id, "instruction", task, messages, report, prompt_version=self._prompt.version, turns=turns))

    def _end_finished(self) -> None:
        """Keep what the epochs whose rows are all there accepted."""
        while self._under_way and not self._under_way[0].unfinished:
            epoch = self._under_way.popleft()
            keep_epoch(self._folder, epoch.number, epoch.accepted)


def has_narrative(report: Report, wanted: Narrative) -> bool:
    """Whether a report holds what it is to be asked about; text that MIT-LCP's rules call the last paragraph counts as findings."""
    seen, concluded = "findings" in report.sections or "last_paragraph" in report.sections, "impression" in report.sections
    return seen and concluded if wanted is Narrative.both else seen or concluded


def tasks_of(report: Report, instructions: Instructions, seed: int) -> list[str]:
    """What a report is asked, drawn from the tasks that fit it."""
    fitting = {task: weight for task, weight in instructions.task_weights.items() if weight and fits(report, task)}
    return draw_tasks(fitting, instructions.per_report, report.report_id, seed)


def first_question(generation: Generation, turns: int) -> str:
    """What may serve as an example for other reports; empty if nothing does. Later turns of a conversation need the first."""
    asked = generation.outcome == "ok" and generation.task not in SECTION_ANSWERS
    return next(iter(parse_turns(generation.text, turns)), "") if asked else ""
