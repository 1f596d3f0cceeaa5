"""Have a teacher write instructions about each report."""

import math
from pathlib import Path

from radgpt.artifacts import count_rows
from radgpt.config import Data, DataUse, InstructionPrompt, Instructions, Teacher
from radgpt.instructions.epochs import LAG, Epochs
from radgpt.instructions.filters import instruction_tests
from radgpt.instructions.generations import Bill, conduct
from radgpt.instructions.pool_epochs import POOL_FOLDER
from radgpt.records import SECTION_ANSWERS, Report, read_records
from radgpt.run import Run
from radgpt.teacher.ask import open_teacher
from radgpt.teacher.journal import JOURNAL_FILE, journals_in

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
    Examples in the prompts come from the seeds and from what epochs of `instructions.pool_epoch` reports accepted before: see `Epochs`.
    """
    rows = read_records(reports, Report)
    epochs = Epochs(rows, instructions, prompt, instruction_tests(instructions), seed, run.directory / POOL_FOLDER)
    bill = Bill()
    with (
        open_teacher(
            teacher,
            data.governance,
            seed,
            run.directory / JOURNAL_FILE,
            earlier=journals_in(run.earlier),
            attestation=governance.attestation,
            total=rows_to_expect(reports, instructions),
            rounds=math.ceil((count_rows(reports) or 0) / instructions.pool_epoch / LAG),
            log=lambda point: run.log(point, step_name="teacher/seconds", step=point["teacher/seconds"]),
            dry_run=run.dry_run,
        ) as ask,
        run.write("raw_instructions") as write,
    ):
        while not epochs.over:
            for generations in conduct(ask, epochs.dialogues()):
                for generation in generations:
                    write(generation)
                    bill.add(generation)
                epochs.take(generations)
    bill.refuse_utter_failure()
    run.summarise(skipped_no_narrative=epochs.skipped_no_narrative, skipped_no_task=epochs.skipped_no_task, **bill.metrics())


def rows_to_expect(reports: Path, instructions: Instructions) -> int:
    """About how many rows the teacher is asked for: those of all reports, without the share that reports answer themselves."""
    weights = instructions.task_weights
    asked = sum(weight for task, weight in weights.items() if task not in SECTION_ANSWERS) / sum(weights.values())
    return round((count_rows(reports) or 0) * instructions.per_report * asked)
