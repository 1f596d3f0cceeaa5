"""Have a teacher write instructions about each report."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from radgpt.config import Data, DataUse, InstructionPrompt, Instructions, Narrative, Teacher
from radgpt.instructions.filters import Draft, first_reason, instruction_tests
from radgpt.instructions.generations import Bill, generations
from radgpt.instructions.parsing import parse_instruction
from radgpt.instructions.prompts import instruction_messages
from radgpt.instructions.tasks import Pool, draw_examples, draw_tasks
from radgpt.records import Report, read_records
from radgpt.run import Run
from radgpt.teacher.ask import Request, open_teacher

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
    """Write one Generation for each instruction asked for, in the order of the reports.

    Reports without the sections that `instructions.narrative` asks for are skipped and counted.

    Examples of a prompt are drawn from the seeds and from what was accepted in earlier epochs of `instructions.pool_epoch` reports,
    never from the epoch under way: wherever a run is cut off, the next one sends the same prompts and finds their replies in
    the journal.
    """
    tests = instruction_tests(instructions)
    pool = Pool(prompt.seeds)
    bill = Bill()
    skipped = 0
    rows = read_records(reports, Report)
    journal = run.directory / "journal.jsonl"
    with (
        open_teacher(teacher, data.governance, seed, journal, attestation=governance.attestation) as ask,
        run.write("raw_instructions") as write,
    ):
        while epoch := list(itertools.islice(rows, instructions.pool_epoch)):
            told = [report for report in epoch if has_narrative(report, instructions.narrative)]
            skipped += len(epoch) - len(told)
            accepted = []
            for request, generation in generations(ask, _requests(told, pool, instructions, prompt, seed), prompt.version):
                write(generation)
                bill.add(generation)
                if generation.outcome == "ok":
                    draft = Draft(parse_instruction(generation.text), request.task, request.report.text)
                    if first_reason(tests, draft) is None:
                        accepted.append(draft)
            for draft in accepted:
                pool.add(draft.task, draft.text)
    run.summarise(skipped_no_narrative=skipped, **bill.metrics())


def has_narrative(report: Report, wanted: Narrative) -> bool:
    """Whether a report holds what it is to be asked about; text that MIT-LCP's rules call the last paragraph counts as findings."""
    seen, concluded = "findings" in report.sections or "last_paragraph" in report.sections, "impression" in report.sections
    return seen and concluded if wanted is Narrative.both else seen or concluded


def _requests(reports: Sequence[Report], pool: Pool, instructions: Instructions, prompt: InstructionPrompt, seed: int) -> Iterator[Request]:
    """The requests about the reports of an epoch; the pool must not grow meanwhile."""
    questions = {task: pool.questions(task) for task, weight in instructions.task_weights.items() if weight}
    for report in reports:
        for number, task in enumerate(draw_tasks(instructions, report.report_id, seed)):
            generation_id = f"{report.report_id}/{number}"
            examples = draw_examples(questions[task], prompt, task, generation_id, seed)
            yield Request(generation_id, "instruction", task, instruction_messages(prompt, task, report.text, examples), report)
