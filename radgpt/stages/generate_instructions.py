"""Have a teacher write instructions about each report."""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from radgpt.artifacts import count_rows
from radgpt.config import Data, DataUse, InstructionPrompt, Instructions, Narrative, Teacher
from radgpt.instructions.drafts import Draft
from radgpt.instructions.filters import first_reason, instruction_tests
from radgpt.instructions.generations import Bill, Dialogue, conduct, ready, single, unasked
from radgpt.instructions.parsing import parse_turns
from radgpt.instructions.pool_epochs import POOL_FOLDER, Accepted, end_epoch
from radgpt.instructions.prompts import fits, instruction_messages
from radgpt.instructions.tasks import Pool, draw_examples, draw_tasks, draw_wording
from radgpt.records import SECTION_ANSWERS, Generation, Report, read_records
from radgpt.run import Run
from radgpt.teacher.ask import Request, open_teacher
from radgpt.teacher.journal import JOURNAL_FILE

WRITES = {"raw_instructions": "raw_instructions.jsonl"}


def run(
    run: Run,
    reports: Path,
    instructions: Instructions,
    prompt: InstructionPrompt,
    teacher: Teacher,
    data: Data,
    governance: DataUse,
    seed: int,
) -> None:
    """Write one Generation for each instruction or conversation asked for, in the order of the reports.

    Reports without the sections that `instructions.narrative` asks for, or that no task of the mix fits, are skipped and counted.

    Examples of a prompt are drawn from the seeds and from what was accepted in earlier epochs of `instructions.pool_epoch` reports,
    never from the epoch under way: wherever a run is cut off, the next one sends the same prompts and finds their replies in
    the journal.
    """
    tests = instruction_tests(instructions)
    pool = Pool(prompt.seeds)
    bill = Bill()
    skipped = {"skipped_no_narrative": 0, "skipped_no_task": 0}
    rows = read_records(reports, Report)
    with (
        open_teacher(
            teacher,
            data.governance,
            seed,
            run.directory / JOURNAL_FILE,
            attestation=governance.attestation,
            total=rows_to_expect(reports, instructions),
            rounds=math.ceil((count_rows(reports) or 0) / instructions.pool_epoch),
            log=lambda point: run.log(point, step_name="teacher/seconds", step=point["teacher/seconds"]),
        ) as ask,
        run.write("raw_instructions") as write,
    ):
        for number in itertools.count():
            epoch = list(itertools.islice(rows, instructions.pool_epoch))
            if not epoch:
                break
            told = [report for report in epoch if has_narrative(report, instructions.narrative)]
            skipped["skipped_no_narrative"] += len(epoch) - len(told)
            drawn = [(report, tasks) for report in told if (tasks := tasks_of(report, instructions, seed))]
            skipped["skipped_no_task"] += len(told) - len(drawn)
            known = {report.report_id: report for report in told}
            accepted = []
            for generation in itertools.chain.from_iterable(conduct(ask, dialogues(drawn, pool, instructions, prompt, seed))):
                write(generation)
                bill.add(generation)
                text = first_question(generation, instructions.turns)
                report = known[generation.report_id]
                if text and first_reason(tests, Draft(text, generation.task, report.text, sections=report.sections)) is None:
                    accepted.append(Accepted(generation.generation_id, generation.task, text))
            end_epoch(run.directory / POOL_FOLDER, number, accepted, pool)
    bill.refuse_utter_failure()
    run.summarise(**skipped, **bill.metrics())


def has_narrative(report: Report, wanted: Narrative) -> bool:
    """Whether a report holds what it is to be asked about; text that MIT-LCP's rules call the last paragraph counts as findings."""
    seen, concluded = "findings" in report.sections or "last_paragraph" in report.sections, "impression" in report.sections
    return seen and concluded if wanted is Narrative.both else seen or concluded


def tasks_of(report: Report, instructions: Instructions, seed: int) -> list[str]:
    """What a report is asked, drawn from the tasks that fit it."""
    fitting = {task: weight for task, weight in instructions.task_weights.items() if weight and fits(report, task)}
    return draw_tasks(fitting, instructions.per_report, report.report_id, seed)


def rows_to_expect(reports: Path, instructions: Instructions) -> int:
    """About how many rows the teacher is asked for: those of all reports, without the share that reports answer themselves."""
    weights = instructions.task_weights
    asked = sum(weight for task, weight in weights.items() if task not in SECTION_ANSWERS) / sum(weights.values())
    return round((count_rows(reports) or 0) * instructions.per_report * asked)


def first_question(generation: Generation, turns: int) -> str:
    """What may serve as an example for other reports; empty if nothing does. Later turns of a conversation need the first."""
    asked = generation.outcome == "ok" and generation.task not in SECTION_ANSWERS
    return next(iter(parse_turns(generation.text, turns)), "") if asked else ""


def dialogues(
    drawn: Sequence[tuple[Report, list[str]]], pool: Pool, instructions: Instructions, prompt: InstructionPrompt, seed: int
) -> Iterator[Dialogue]:
    """What is asked about the reports of an epoch; the pool must not grow meanwhile."""
    questions = {task: pool.questions(task) for task in {task for _, tasks in drawn for task in tasks}}
    for report, tasks in drawn:
        for number, task in enumerate(tasks):
            generation_id = f"{report.report_id}/{number}"
            if task in SECTION_ANSWERS:
                wording = draw_wording(prompt, task, report.report_id, number, seed)
                yield ready(unasked(generation_id, report, task, prompt.version, outcome="ok", text=wording))
                continue
            examples = draw_examples(questions[task], prompt, task, generation_id, seed)
            messages = instruction_messages(prompt, task, report.text, examples, instructions.turns)
            request = Request(generation_id, "instruction", task, messages, report, prompt_version=prompt.version, turns=instructions.turns)
            yield single(request)
