"""Judge each answer of a teacher: parse it, test it, and weigh what it claims against its report."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from radgpt.config import Dataset
from radgpt.errors import UserError
from radgpt.faithfulness.verdict import judge
from radgpt.instructions.drafts import Draft, Test
from radgpt.instructions.filters import answer_tests, first_reason
from radgpt.instructions.generations import why
from radgpt.instructions.parsing import parse_answer
from radgpt.instructions.reasons import DUPLICATE, UNFAITHFUL
from radgpt.instructions.report_index import ReportIndex
from radgpt.records import SECTION_ANSWERS, Generation, Instruction, JudgedAnswer, Report, read_records


def judged_answers(raw_answers: Path, instructions: Path, reports: ReportIndex, dataset: Dataset) -> Iterator[JudgedAnswer]:
    """Yield each answer with its instruction and what speaks against it, in the order of the file.

    Both files hold the same ids in the same order; an answer that repeats a kept pair about the same report is a duplicate.

    Raises:
        UserError: an answer has no instruction in that order, or no report.
    """
    tests = answer_tests(dataset)
    asked = read_records(instructions, Instruction)
    for report_id, answers in groupby(read_records(raw_answers, Generation), key=lambda row: row.report_id):
        report = reports[report_id]
        earlier: set[tuple[str, str]] = set()
        for answer in answers:
            instruction = next((row for row in asked if row.instruction_id == answer.generation_id), None)
            if instruction is None:
                raise UserError(
                    f"{instructions} holds no instruction {answer.generation_id} in the order of {raw_answers}; generate the answers again"
                )
            judged = judge_one(answer, instruction, report, tests, dataset.min_faithfulness, earlier)
            if judged.reason is None:
                earlier.add((judged.instruction, judged.answer))
            yield judged


def judge_one(
    answer: Generation,
    instruction: Instruction,
    report: Report,
    tests: dict[str, Test],
    min_faithfulness: float,
    earlier: set[tuple[str, str]],
) -> JudgedAnswer:
    """One answer with the first reason to drop it, if there is any; `earlier` are the pairs about the report that are kept so far."""
    # A section of the report itself needs no vouching, and no trimming of what a teacher wraps around an answer.
    its_own = answer.task in SECTION_ANSWERS
    text = "" if answer.outcome != "ok" else answer.text if its_own else parse_answer(answer.text)
    verdict = judge(text, instruction.text, report) if text and not its_own else None
    reason: str | None = None
    if answer.outcome != "ok":
        reason = f"teacher_{why(answer)}"
    elif not its_own:
        reason = first_reason(tests, Draft(text, answer.task, report.text, instruction.text))
    if reason is None and (instruction.text, text) in earlier:
        reason = DUPLICATE
    if reason is None and verdict is not None and verdict.score is not None and verdict.score < min_faithfulness:
        reason = UNFAITHFUL
    return JudgedAnswer(
        instruction_id=instruction.instruction_id,
        report_id=report.report_id,
        patient_id=report.patient_id,
        task=answer.task,
        instruction=instruction.text,
        answer=text,
        reason=reason,
        faithfulness=verdict.score if verdict else None,
        problems=verdict.problems if verdict else [],
        evidence=verdict.evidence if verdict else [],
        instruction_prompt_sha256=instruction.prompt_sha256,
        answer_prompt_sha256=answer.prompt_sha256,
    )
