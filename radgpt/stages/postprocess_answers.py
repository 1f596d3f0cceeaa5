"""Parse the teacher's answers, keep the sound ones and split them by patient into a dataset of pairs."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from radgpt.artifacts import digest, write_records, write_text
from radgpt.config import ChatPrompt, Data, Dataset
from radgpt.errors import UserError
from radgpt.instructions import card_page
from radgpt.instructions.card import Card, behind
from radgpt.instructions.judging import judged_answers
from radgpt.instructions.prompts import chat_messages, context, report_span
from radgpt.instructions.reasons import EARLIER_TURN_DROPPED
from radgpt.instructions.report_index import open_reports
from radgpt.instructions.splits import assign_splits, prescribed_splits
from radgpt.records import SPLITS, Decision, Dropped, Generation, JudgedAnswer, Pair, Report, conversation_of, read_records
from radgpt.review.decisions import apply, read_decisions
from radgpt.run import Run

WRITES = {
    "dataset": "dataset",
    "dropped_answers": "dropped_answers.jsonl",
    "judged_answers": "judged_answers.jsonl",
    "card": "dataset_card.md",
    "card_page": "dataset_card.html",
}


def run(
    run: Run, raw_answers: Path, instructions: Path, reports: Path, prompt: ChatPrompt, dataset: Dataset, data: Data, seed: int
) -> None:
    """Write the pairs of each split as dataset/<split>.jsonl, each answer as it was judged, ids with reasons of what was dropped, and
    the dataset's card.

    Judging comes first, as which patients are left with a pair has to be known before they are split.

    Raises:
        UserError: an answer has no instruction, or no pair is left to train on.
    """
    counts: Counter[str] = Counter(kept=0, dropped=0, **dict.fromkeys(SPLITS, 0))
    card = Card()
    decisions = read_decisions(Path(dataset.decisions).expanduser()) if dataset.decisions else {}
    with open_reports(reports) as known:
        patients = set()
        with run.write("judged_answers") as write_judged, run.write("dropped_answers") as write_dropped:
            judged = judged_answers(raw_answers, instructions, known, dataset)
            for row in tqdm(cut_conversations(decided(judged, decisions)), desc="answers", unit=" rows", disable=None):
                write_judged(row)
                card.add_judged(row)
                if row.reason is None:
                    patients.add(row.patient_id)
                    counts.update(("kept", f"kept_{row.task}"))
                else:
                    write_dropped(Dropped(row.instruction_id, row.reason))
                    counts.update(("dropped", f"dropped_{row.reason}"))
                if row.decision:
                    counts[f"decided_{row.decision}"] += 1
        if unused := len(decisions) - sum(counts[f"decided_{decision}"] for decision in ("accept", "reject", "edit")):
            counts["decisions_unused"] = unused
            run.say(f"{unused} of {len(decisions)} decisions are on other texts than these answers: they change nothing")
        splits = assign_splits(prescribed_splits(known.patients), patients, dataset, seed)
        with run.write_folder("dataset") as folder, ExitStack() as files:
            write = {split: files.enter_context(write_records(folder / f"{split}.jsonl")) for split in SPLITS}
            rows = tqdm(read_records(run.path("judged_answers"), JudgedAnswer), desc="pairs", unit=" rows", disable=None)
            for _, turns in groupby(rows, key=lambda row: conversation_of(row.instruction_id)):
                if kept := [turn for turn in turns if turn.reason is None]:
                    split = splits[kept[0].patient_id]
                    made = pair(kept, known[kept[0].report_id], split, prompt)
                    write[split](made)
                    card.add_pair(made)
                    counts[split] += 1
            if not counts["kept"] + counts["dropped"]:
                raise UserError(f"there are no answers: no instruction was kept, see dropped_instructions.jsonl beside {instructions}")
            if not counts["train"]:
                raise UserError(
                    f"no pair is left to train on ({counts['kept']} answers kept for other splits, {counts['dropped']} dropped): "
                    f"see {run.path('dropped_answers')}, or lower dataset.validation_fraction and dataset.test_fraction"
                )
    add_passes(card, raw_answers, instructions)
    read = {path.stem: digest(path) for path in (raw_answers, instructions, reports)}
    facts = card_page.facts(data, dataset, seed, read)
    write_text(run.path("card"), card_page.markdown(card, data.governance, facts))
    write_text(run.path("card_page"), card_page.html(card, data.governance, facts))
    run.summarise(usd=card.usd or None, **counts)


def add_passes(card: Card, raw_answers: Path, instructions: Path) -> None:
    """Count what both teacher passes were asked; that of the instructions only as far as its files still stand where they were made."""
    raw_instructions, dropped_instructions = behind(instructions)
    if raw_instructions:
        for generation in read_records(raw_instructions, Generation):
            card.add_instruction(generation)
    if dropped_instructions:
        for dropped in read_records(dropped_instructions, Dropped):
            card.add_dropped_instruction(dropped)
    for generation in read_records(raw_answers, Generation):
        card.add_answer(generation)


def decided(judged: Iterator[JudgedAnswer], decisions: dict[str, Decision]) -> Iterator[JudgedAnswer]:
    """The answers with what a person decided of them, which outweighs every filter."""
    for row in judged:
        decision = decisions.get(row.instruction_id)
        yield apply(row, decision) if decision else row


def cut_conversations(judged: Iterator[JudgedAnswer]) -> Iterator[JudgedAnswer]:
    """The answers, those after a dropped turn of their conversation dropped as well: they build on what is gone."""
    for _, turns in groupby(judged, key=lambda row: conversation_of(row.instruction_id)):
        broken = False
        for turn in turns:
            yield replace(turn, reason=EARLIER_TURN_DROPPED) if broken and turn.reason is None else turn
            broken = broken or turn.reason is not None


def pair(turns: list[JudgedAnswer], report: Report, split: str, prompt: ChatPrompt) -> Pair:
    """The turns of one conversation as a pair."""
    first, *later = turns
    shown = context(report, first.task)
    messages = [*chat_messages(prompt, shown, first.instruction), {"role": "assistant", "content": first.answer}]
    for turn in later:
        messages += [{"role": "user", "content": turn.instruction}, {"role": "assistant", "content": turn.answer}]
    return Pair(
        pair_id=conversation_of(first.instruction_id),
        report_id=report.report_id,
        patient_id=report.patient_id,
        task=first.task,
        split=split,
        messages=messages,
        report_sha256=hashlib.sha256(report.text.encode("utf-8", "surrogatepass")).hexdigest(),
        instruction_prompt_sha256=first.instruction_prompt_sha256,
        answer_prompt_sha256=turns[-1].answer_prompt_sha256,
        report_span=report_span(prompt, shown, first.instruction),
    )
