"""Parse the teacher's answers, keep the sound ones and split them by patient into a dataset of pairs."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from radgpt.artifacts import write_records
from radgpt.config import ChatPrompt, Dataset
from radgpt.errors import UserError
from radgpt.instructions.filters import Draft, answer_tests, first_reason
from radgpt.instructions.generations import why
from radgpt.instructions.parsing import parse_answer
from radgpt.instructions.prompts import chat_messages
from radgpt.instructions.report_index import ReportIndex, open_reports
from radgpt.instructions.splits import assign_splits, prescribed_splits
from radgpt.records import SPLITS, Dropped, Generation, Instruction, Pair, Report, read_records
from radgpt.run import Run

WRITES = {"dataset": "dataset", "dropped_answers": "dropped_answers.jsonl"}


@dataclass(frozen=True)
class Judged:
    """An answer with its instruction and report, and why it is dropped, if it is."""

    answer: Generation
    text: str
    instruction: Instruction
    report: Report
    reason: str | None


def run(run: Run, raw_answers: Path, instructions: Path, reports: Path, prompt: ChatPrompt, dataset: Dataset, seed: int) -> None:
    """Write the pairs of each split as dataset/<split>.jsonl, and ids with reasons of what was dropped.

    The answers are read twice: which patients are left with a pair has to be known before they are split.

    Raises:
        UserError: an answer has no instruction, or no pair is left to train on.
    """
    counts: Counter[str] = Counter(kept=0, dropped=0, **dict.fromkeys(SPLITS, 0))
    with open_reports(reports) as known:
        with run.write("dropped_answers") as write_dropped:
            patients = set()
            for row in tqdm(_judged(raw_answers, instructions, known, dataset), desc="answers", unit=" rows", disable=None):
                if row.reason is None:
                    patients.add(row.report.patient_id)
                else:
                    write_dropped(Dropped(row.answer.generation_id, row.reason))
                    counts.update(("dropped", f"dropped_{row.reason}"))
        splits = assign_splits(prescribed_splits(known.patients), patients, dataset, seed)
        with run.write_folder("dataset") as folder, ExitStack() as files:
            write = {split: files.enter_context(write_records(folder / f"{split}.jsonl")) for split in SPLITS}
            for row in tqdm(_judged(raw_answers, instructions, known, dataset), desc="pairs", unit=" rows", disable=None):
                if row.reason is None:
                    split = splits[row.report.patient_id]
                    write[split](_pair(row, split, prompt))
                    counts.update(("kept", split, f"kept_{row.instruction.task}"))
            if not counts["train"]:
                raise UserError(
                    f"no pair is left to train on ({counts['kept']} kept for other splits, {counts['dropped']} answers dropped): "
                    f"see {run.path('dropped_answers')}, or lower dataset.validation_fraction and dataset.test_fraction"
                )
    run.summarise(**counts)


def _judged(raw_answers: Path, instructions: Path, known: ReportIndex, dataset: Dataset) -> Iterator[Judged]:
    """Each answer with what it belongs to; both files hold the same ids in the same order, or else an answer has no instruction."""
    tests = answer_tests(dataset)
    asked = read_records(instructions, Instruction)
    for report_id, answers in groupby(read_records(raw_answers, Generation), key=lambda row: row.report_id):
        report = known[report_id]
        earlier: set[tuple[str, str]] = set()
        for answer in answers:
            instruction = next((row for row in asked if row.instruction_id == answer.generation_id), None)
            if instruction is None:
                raise UserError(
                    f"{instructions} holds no instruction {answer.generation_id} in the order of {raw_answers}; generate the answers again"
                )
            text = parse_answer(answer.text)
            if answer.outcome != "ok":
                reason: str | None = f"teacher_{why(answer)}"
            else:
                reason = first_reason(tests, Draft(text, answer.task, report.text, instruction.text))
            if reason is None and (instruction.text, text) in earlier:
                reason = "duplicate"
            earlier.add((instruction.text, text))
            yield Judged(answer, text, instruction, report, reason)


def _pair(row: Judged, split: str, prompt: ChatPrompt) -> Pair:
    return Pair(
        pair_id=row.instruction.instruction_id,
        report_id=row.report.report_id,
        patient_id=row.report.patient_id,
        task=row.instruction.task,
        split=split,
        messages=[*chat_messages(prompt, row.report.text, row.instruction.text), {"role": "assistant", "content": row.text}],
        report_sha256=hashlib.sha256(row.report.text.encode("utf-8", "surrogatepass")).hexdigest(),
        instruction_prompt_sha256=row.instruction.prompt_sha256,
        answer_prompt_sha256=row.answer.prompt_sha256,
    )
