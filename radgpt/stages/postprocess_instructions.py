"""Parse the teacher's instructions and keep those that are sound and say something new."""

from collections import Counter
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from radgpt.config import Instructions
from radgpt.instructions.deduplication import repeats
from radgpt.instructions.filters import Draft, first_reason, instruction_tests
from radgpt.instructions.generations import why
from radgpt.instructions.parsing import parse_instruction
from radgpt.instructions.report_index import open_reports
from radgpt.records import Dropped, Generation, Instruction, read_records
from radgpt.run import Run

WRITES = {"instructions": "instructions.jsonl", "dropped_instructions": "dropped_instructions.jsonl"}


def run(run: Run, raw_instructions: Path, reports: Path, instructions: Instructions) -> None:
    """Write each raw instruction as an Instruction, or else its id and the reason why not.

    Duplicates are sought among the instructions about one report, which stand together in the raw file.
    """
    tests = instruction_tests(instructions)
    counts: Counter[str] = Counter(kept=0, dropped=0)
    with open_reports(reports) as known, run.write("instructions") as write, run.write("dropped_instructions") as write_dropped:
        rows = tqdm(read_records(raw_instructions, Generation), desc="instructions", unit=" rows", disable=None)
        for report_id, generations in groupby(rows, key=lambda row: row.report_id):
            report = known[report_id]
            kept: list[str] = []
            for generation in generations:
                text = parse_instruction(generation.text)
                if generation.outcome != "ok":
                    reason: str | None = f"teacher_{why(generation)}"
                else:
                    reason = first_reason(tests, Draft(text, generation.task, report.text))
                if reason is None and repeats(text, kept, instructions.max_rouge_l):
                    reason = "duplicate"
                if reason is not None:
                    write_dropped(Dropped(generation.generation_id, reason))
                    counts.update(("dropped", f"dropped_{reason}"))
                    continue
                kept.append(text)
                write(
                    Instruction(
                        instruction_id=generation.generation_id,
                        report_id=report_id,
                        patient_id=generation.patient_id,
                        task=generation.task,
                        text=text,
                        prompt_sha256=generation.prompt_sha256,
                    )
                )
                counts.update(("kept", f"kept_{generation.task}"))
    run.summarise(**counts)
