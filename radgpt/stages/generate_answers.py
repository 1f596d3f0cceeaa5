"""Have a teacher answer each instruction from its report, turn by turn where instructions form a conversation."""

from collections.abc import Iterator
from itertools import chain, groupby
from pathlib import Path

from radgpt.config import AnswerPrompt, Data, DataUse, Teacher
from radgpt.instructions.generations import EARLIER_TURN, Bill, Dialogue, conduct, unasked
from radgpt.instructions.parsing import parse_answer
from radgpt.instructions.prompts import answer_messages, next_turn
from radgpt.instructions.report_index import ReportIndex, open_reports
from radgpt.records import SECTION_ANSWERS, Generation, Instruction, Report, read_records
from radgpt.run import Run
from radgpt.teacher.ask import Request, open_teacher
from radgpt.teacher.journal import JOURNAL_FILE, journals_in

NOT_YET = "Not asked yet."
"""Stands for an answer where a dry run only counts."""

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
    rows, turns = to_expect(instructions)
    with (
        open_reports(reports) as known,
        open_teacher(
            teacher,
            data.governance,
            seed,
            run.directory / JOURNAL_FILE,
            earlier=journals_in(run.earlier),
            attestation=governance.attestation,
            total=rows,
            rounds=turns,
            log=lambda point: run.log(point, step_name="teacher/seconds", step=point["teacher/seconds"]),
            dry_run=run.dry_run,
        ) as ask,
        run.write("raw_answers") as write,
    ):
        for generation in chain.from_iterable(conduct(ask, dialogues(instructions, known, prompt, run.dry_run))):
            write(generation)
            bill.add(generation)
    bill.refuse_utter_failure()
    run.summarise(**bill.metrics())


def to_expect(instructions: Path) -> tuple[int, int]:
    """How many rows the teacher is asked for, and the turns of the longest conversation."""
    rows, turns = 0, 1
    for row in read_records(instructions, Instruction):
        rows += row.task not in SECTION_ANSWERS
        turns = max(turns, row.turn)
    return rows, turns


def dialogues(instructions: Path, known: ReportIndex, prompt: AnswerPrompt, rehearsed: bool) -> Iterator[Dialogue]:
    """One for each conversation."""
    for _, turns in groupby(read_records(instructions, Instruction), key=lambda row: row.conversation_id):
        rows = list(turns)
        yield conversation(rows, known[rows[0].report_id], prompt, rehearsed)


def conversation(turns: list[Instruction], report: Report, prompt: AnswerPrompt, rehearsed: bool = False) -> Dialogue:
    """Answer turn by turn, each asked with the turns before it; after one without a usable answer no other is asked.

    `rehearsed`: there are no answers, and all turns are to be counted.
    """
    rows: list[Generation] = []
    messages: list[dict[str, str]] = []
    answer = ""
    for turn in turns:
        if turn.task in SECTION_ANSWERS:
            rows.append(section_answer(turn, report, prompt.version))
            continue
        if rows and not answer:
            rows.append(unasked(turn.instruction_id, report, turn.task, prompt.version, outcome=EARLIER_TURN))
            continue
        messages = (
            next_turn(prompt, messages, answer, turn.text) if messages else answer_messages(prompt, turn.task, report.text, turn.text)
        )
        row = yield Request(
            turn.instruction_id, "answer", turn.task, messages, report, instruction=turn.text, prompt_version=prompt.version
        )
        rows.append(row)
        answer = parse_answer(row.text) if row.outcome == "ok" else NOT_YET if rehearsed else ""
    return rows


def section_answer(instruction: Instruction, report: Report, prompt_version: str) -> Generation:
    """The section of the report that answers the instruction, as it stands there."""
    text = report.sections.get(SECTION_ANSWERS[instruction.task], "").strip()
    outcome = "ok" if text else "dropped: empty"
    return unasked(instruction.instruction_id, report, instruction.task, prompt_version, outcome=outcome, text=text)
