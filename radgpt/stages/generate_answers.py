"""Have a teacher answer each instruction from its report."""

from collections.abc import Iterator
from pathlib import Path

from radgpt.config import AnswerPrompt, Data, DataUse, Teacher
from radgpt.instructions.generations import Bill, generations
from radgpt.instructions.prompts import answer_messages
from radgpt.instructions.report_index import ReportIndex, open_reports
from radgpt.records import Instruction, read_records
from radgpt.run import Run
from radgpt.teacher.ask import Request, open_teacher

WRITES = {"raw_answers": "raw_answers.jsonl"}


def run(
    run: Run,
    instructions: Path,
    reports: Path,
    prompt: AnswerPrompt,
    teacher: Teacher,
    data: Data,
    governance: DataUse,
    seed: int,
) -> None:
    """Write one Generation for each instruction, under the instruction's id and in the order of the instructions."""
    bill = Bill()
    with (
        open_reports(reports) as known,
        open_teacher(teacher, data.governance, seed, run.directory / "journal.jsonl", attestation=governance.attestation) as ask,
        run.write("raw_answers") as write,
    ):
        for _, generation in generations(ask, _requests(instructions, known, prompt), prompt.version):
            write(generation)
            bill.add(generation)
    run.summarise(**bill.metrics())


def _requests(instructions: Path, known: ReportIndex, prompt: AnswerPrompt) -> Iterator[Request]:
    for row in read_records(instructions, Instruction):
        report = known[row.report_id]
        messages = answer_messages(prompt, row.task, report.text, row.text)
        yield Request(row.instruction_id, "answer", row.task, messages, report, instruction=row.text)
