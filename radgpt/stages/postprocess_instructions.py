"""Parse the teacher's instructions and keep those that are sound and say something new."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from radgpt.config import DuplicateScope, Instructions
from radgpt.instructions.drafts import Draft, Test
from radgpt.instructions.filters import first_reason, instruction_tests
from radgpt.instructions.generations import why
from radgpt.instructions.parsing import parse_turns
from radgpt.instructions.reasons import DUPLICATE, EARLIER_TURN_DROPPED, MISSING_TURN
from radgpt.instructions.report_index import open_reports
from radgpt.records import FOLLOW_UP, SECTION_ANSWERS, Dropped, Generation, Instruction, Report, read_records
from radgpt.run import Run

if TYPE_CHECKING:
    from radgpt.instructions.deduplication import Duplicates

WRITES = {"instructions": "instructions.jsonl", "dropped_instructions": "dropped_instructions.jsonl"}


def run(run: Run, raw_instructions: Path, reports: Path, instructions: Instructions) -> None:
    """Write each raw instruction as an Instruction, or as one for each turn of a conversation; or else its id and the reason why not.

    A conversation ends before its first turn that is not fit. The first turn must say something new among all instructions that
    `instructions.duplicates` names, later ones among those about the same report: the rows about one report stand together.
    """
    from radgpt.instructions.deduplication import Duplicates

    tests = instruction_tests(instructions)
    counts: Counter[str] = Counter(kept=0, dropped=0)
    whole_run = instructions.duplicates is DuplicateScope.run
    earlier = earlier_texts(instructions)
    of_run = Duplicates(instructions.max_rouge_l, (text for texts in earlier.values() for text in texts) if whole_run else ())
    with open_reports(reports) as known, run.write("instructions") as write, run.write("dropped_instructions") as write_dropped:
        rows = tqdm(read_records(raw_instructions, Generation), desc="instructions", unit=" rows", disable=None)
        for report_id, generations in groupby(rows, key=lambda row: row.report_id):
            report = known[report_id]
            of_report = Duplicates(instructions.max_rouge_l, earlier.get(report_id, ()))
            for generation in generations:
                for row in turns_of(generation, report, instructions.turns, tests, [of_run, of_report] if whole_run else [of_report]):
                    if isinstance(row, Dropped):
                        write_dropped(row)
                        counts.update(("dropped", f"dropped_{row.reason}"))
                    else:
                        write(row)
                        counts.update(("kept", f"kept_{row.task}"))
    run.summarise(**counts)


def earlier_texts(instructions: Instructions) -> dict[str, list[str]]:
    """The instructions of earlier runs, by report; first turns only, as later ones mean something only after them."""
    texts: dict[str, list[str]] = {}
    for file in instructions.earlier:
        for row in read_records(Path(file).expanduser(), Instruction):
            if row.turn == 1 and row.task not in SECTION_ANSWERS:
                texts.setdefault(row.report_id, []).append(row.text)
    return texts


def turns_of(
    generation: Generation, report: Report, turns: int, tests: Mapping[str, Test], duplicates: "list[Duplicates]"
) -> Iterator[Instruction | Dropped]:
    """What a generation holds: its instruction or the turns of its conversation, from the first unfit one on as dropped.

    `duplicates` are what the first turn may not repeat; the last of them is that of the report.
    """
    if generation.outcome != "ok":
        yield Dropped(generation.generation_id, f"teacher_{why(generation)}")
        return
    if generation.task in SECTION_ANSWERS:
        # Its wordings come back with every report, and were written by whoever wrote the prompts.
        yield instruction_of(generation, 1, generation.text)
        return
    broken = False
    found = parse_turns(generation.text, turns)
    for turn in range(1, turns + 1):
        text = found[turn - 1] if turn <= len(found) else ""
        row = instruction_of(generation, turn, text)
        if broken:
            reason: str | None = EARLIER_TURN_DROPPED
        elif turn > max(1, len(found)):
            reason = MISSING_TURN
        else:
            reason = first_reason(tests, Draft(text, row.task, report.text, sections=report.sections))
        if reason is None and any(known.repeats(text) for known in (duplicates if turn == 1 else duplicates[-1:])):
            reason = DUPLICATE
        broken = reason is not None
        yield Dropped(row.instruction_id, reason) if reason is not None else row


def instruction_of(generation: Generation, turn: int, text: str) -> Instruction:
    """One turn of a generation, from 1, as a row."""
    return Instruction(
        instruction_id=generation.generation_id if turn == 1 else f"{generation.generation_id}.{turn}",
        report_id=generation.report_id,
        patient_id=generation.patient_id,
        task=generation.task if turn == 1 else FOLLOW_UP,
        text=text,
        prompt_sha256=generation.prompt_sha256,
        turn=turn,
    )
