"""Conversations, and tasks that the report itself answers, from reports to pairs."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import composed
from fake_openai import serve

from radgpt.artifacts import write_records
from radgpt.config import AnswerPrompt, Data, DataUse, DuplicateScope, Governance, Instructions, Provider, Source, Teacher
from radgpt.errors import DryRunEnd, UserError
from radgpt.instructions.prompts import context
from radgpt.records import FOLLOW_UP, SPLITS, Dropped, Generation, Instruction, Pair, Report, read_records
from radgpt.run import Run
from radgpt.stages import generate_answers, generate_instructions, postprocess_answers, postprocess_instructions
from radgpt.teacher.ask import Reply, Request
from radgpt.teacher.rules import replies

DATA = Data(source=Source.synthetic, governance=Governance.synthetic)
IMPRESSION = "findings_to_impression"
ANSWER_PROMPT = AnswerPrompt(
    version="a1", system="Answer.", templates={"question_answering": "{report}\n{instruction}", FOLLOW_UP: "Next: {instruction}"}
)


def write_reports(path: Path, count: int = 12) -> Path:
    with write_records(path) as write:
        for number in range(count):
            sections = {
                "indication": f"SOB for {number + 2} days.",
                "findings": f"Small left pleural effusion. Heart size is normal. A right PICC ends in the SVC. Nodule of {number + 3} mm.",
                "impression": f"New effusion on the left. Nodule, {number + 3} mm.",
            }
            text = "\n".join(f"{name.upper()}: {section}" for name, section in sections.items())
            write(Report(f"r{number}", f"p{number}", text, sections))
    return path


def a_run(folder: Path, stage: Any) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    return Run(directory=folder, writes=stage.WRITES)


def rows_of(run: Run, name: str, kind: Any) -> list[Any]:
    return list(read_records(run.path(name), kind))


def test_conversations_by_rules_become_pairs_of_several_turns(tmp_path: Path) -> None:
    reports = write_reports(tmp_path / "reports.jsonl")
    config = composed("prompt=impression", "instructions.turns=3", "instructions.task_weights.findings_to_impression=1")
    prompt, instructions = config.prompt, config.instructions
    one = a_run(tmp_path / "1", generate_instructions)
    generate_instructions.run(one, reports, instructions, prompt.instruction, Teacher(), DATA, DataUse(), 0)
    two = a_run(tmp_path / "2", postprocess_instructions)
    postprocess_instructions.run(two, one.path("raw_instructions"), reports, instructions)
    three = a_run(tmp_path / "3", generate_answers)
    asked = two.path("instructions")
    generate_answers.run(three, asked, reports, prompt.answer, Teacher(), DATA, DataUse(), 0)
    four = a_run(tmp_path / "4", postprocess_answers)
    postprocess_answers.run(four, three.path("raw_answers"), asked, reports, prompt.chat, config.dataset, DATA, 0)

    questions = rows_of(two, "instructions", Instruction)
    assert [row.instruction_id for row in questions] == [row.generation_id for row in rows_of(three, "raw_answers", Generation)]
    assert {row.turn for row in questions} == {1, 2, 3}
    for row in questions:
        assert (row.task == FOLLOW_UP) == (row.turn > 1) == row.instruction_id.endswith(f".{row.turn}")
    by_id = {report.report_id: report for report in read_records(reports, Report)}
    pairs = [pair for split in SPLITS for pair in read_records(four.path("dataset") / f"{split}.jsonl", Pair)]
    assert len(pairs) == 24
    lengths = set()
    for pair in pairs:
        assert [message["role"] for message in pair.messages] == ["system", *["user", "assistant"] * (len(pair.messages) // 2)]
        first = next(row for row in questions if row.instruction_id == pair.pair_id)
        report = by_id[pair.report_id]
        assert pair.messages[1]["content"] == f"{context(report, pair.task)}\n\n{first.text}"
        assert pair.messages[1]["content"][slice(*pair.report_span)] == context(report, pair.task)
        if pair.task == IMPRESSION:
            assert pair.reference == report.sections["impression"]
            assert "mpression:" not in pair.messages[1]["content"].lower() and pair.reference not in pair.messages[1]["content"]
            assert len(pair.messages) == 3
        else:
            lengths.add(len(pair.messages))
    assert {3, 5, 7} >= lengths >= {7}
    assert {pair.task for pair in pairs} >= {IMPRESSION, "question_answering"}


def test_the_impression_needs_no_teacher_and_reports_without_both_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(monkeypatch, generate_instructions, lambda request: pytest.fail("asked"))
    teach(monkeypatch, generate_answers, lambda request: pytest.fail("asked"))
    reports = tmp_path / "reports.jsonl"
    with write_records(reports) as write:
        write(Report("r0", "p0", "FINDINGS: Clear.", {"findings": "Clear."}))
        write(
            Report(
                "r1",
                "p1",
                "FINDINGS: Clear.\nIMPRESSION: 1. Normal.\n2. Stable.",
                {"findings": "Clear.", "impression": "1. Normal.\n2. Stable."},
            )
        )
    config = composed("prompt=impression", "instructions=impression", "instructions.narrative=either")
    one = a_run(tmp_path / "1", generate_instructions)
    generate_instructions.run(one, reports, config.instructions, config.prompt.instruction, Teacher(), DATA, DataUse(), 0)
    assert one.summary["skipped_no_task"] == 1 and (one.summary["asked"], one.summary["from_report"]) == (0, 1)
    two = a_run(tmp_path / "2", postprocess_instructions)
    postprocess_instructions.run(two, one.path("raw_instructions"), reports, replace(config.instructions, duplicates=DuplicateScope.run))
    three = a_run(tmp_path / "3", generate_answers)
    generate_answers.run(three, two.path("instructions"), reports, config.prompt.answer, Teacher(), DATA, DataUse(), 0)
    (answer,) = rows_of(three, "raw_answers", Generation)
    assert (answer.generation_id, answer.teacher, answer.outcome, answer.text) == ("r1/0", "report", "ok", "1. Normal.\n2. Stable.")


Script = Callable[[Request], Reply]


def teach(monkeypatch: pytest.MonkeyPatch, stage: Any, script: Script) -> list[Request]:
    """Put a teacher of our own in a stage; gives the list that its requests go to."""
    requests: list[Request] = []

    @contextmanager
    def open_teacher(*_: Any, **__: Any) -> Iterator[Callable[[Iterable[Request]], Iterator[Reply]]]:
        def ask(asked: Iterable[Request]) -> Iterator[Reply]:
            for request in asked:
                requests.append(request)
                yield script(request)

        yield ask

    monkeypatch.setattr(stage, "open_teacher", open_teacher)
    return requests


def write_questions(path: Path, conversations: int, turns: int = 3) -> Path:
    with write_records(path) as write:
        for number in range(conversations):
            for turn in range(1, turns + 1):
                name = f"r{number}/0" + (f".{turn}" if turn > 1 else "")
                task = "question_answering" if turn == 1 else FOLLOW_UP
                write(Instruction(name, f"r{number}", f"p{number}", task, f"What of {turn}?", "d" * 64, turn))
    return path


def test_a_turn_carries_those_before_it_and_is_not_asked_after_one_without_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = {
        "r0/0.2": Reply("dropped: length", "", "m"),
        "r1/0": Reply("failed: timed out", "", "m"),
        "r2/0": Reply("ok", "``` \n", "m"),
    }
    script: Script = lambda request: outcomes.get(request.generation_id, Reply("ok", f"Answer: As {request.generation_id}.", "m"))  # noqa: E731
    requests = teach(monkeypatch, generate_answers, script)
    reports, questions = write_reports(tmp_path / "reports.jsonl", 4), write_questions(tmp_path / "questions.jsonl", 4)
    run = a_run(tmp_path / "1", generate_answers)
    generate_answers.run(run, questions, reports, ANSWER_PROMPT, Teacher(), DATA, DataUse(), 0)
    assert [(row.generation_id, row.outcome) for row in rows_of(run, "raw_answers", Generation)] == [
        ("r0/0", "ok"),
        ("r0/0.2", "dropped: length"),
        ("r0/0.3", "dropped: earlier_turn"),
        ("r1/0", "failed: timed out"),
        ("r1/0.2", "dropped: earlier_turn"),
        ("r1/0.3", "dropped: earlier_turn"),
        ("r2/0", "ok"),
        ("r2/0.2", "dropped: earlier_turn"),
        ("r2/0.3", "dropped: earlier_turn"),
        ("r3/0", "ok"),
        ("r3/0.2", "ok"),
        ("r3/0.3", "ok"),
    ]
    last = next(request for request in requests if request.generation_id == "r3/0.3")
    assert [message["content"] for message in last.messages[2:]] == ["As r3/0.", "Next: What of 2?", "As r3/0.2.", "Next: What of 3?"]
    assert (last.task, last.instruction, last.prompt_version) == (FOLLOW_UP, "What of 3?", "a1")
    assert run.summary["asked"] == 7 and run.summary["dropped_earlier_turn"] == 5


def local(url: str, **more: Any) -> Teacher:
    return Teacher(
        provider=Provider.local, model="m", base_url=url, max_requests_per_minute=60000, max_tokens_per_minute=1e8, timeout=5, **more
    )


def test_a_second_pass_over_conversations_asks_only_what_failed_and_what_follows_on_it(tmp_path: Path) -> None:
    reports, questions = write_reports(tmp_path / "reports.jsonl"), write_questions(tmp_path / "questions.jsonl", 12)
    failing = f"{next(read_records(reports, Report)).text}\nWhat of 1?"
    with serve({failing: ["500"]}, reply=lambda messages: f"Answer {len(messages)}.") as server:
        teacher = local(server.base_url, max_attempts=1, max_in_flight=2)
        run = a_run(tmp_path / "1", generate_answers)
        for sent, unanswered in ((12 * 3 - 2, 3), (12 * 3 + 1, 0)):
            generate_answers.run(run, questions, reports, ANSWER_PROMPT, teacher, DATA, DataUse(), 0)
            answers = rows_of(run, "raw_answers", Generation)
            assert [row.generation_id for row in answers] == [row.instruction_id for row in read_records(questions, Instruction)]
            assert sum(row.outcome != "ok" for row in answers) == unanswered
            assert server.asked.total() == sent


def test_a_dry_run_counts_every_turn(tmp_path: Path) -> None:
    reports, questions = write_reports(tmp_path / "reports.jsonl"), write_questions(tmp_path / "questions.jsonl", 12)
    with pytest.raises(DryRunEnd, match=r"calls +36: 0 answered"):
        run = a_run(tmp_path / "1", generate_answers)
        run.dry_run = True
        generate_answers.run(run, questions, reports, ANSWER_PROMPT, local("http://127.0.0.1:9/v1"), DATA, DataUse(), 0)


def write_raw(path: Path, *texts: str, report_id: str = "r0") -> Path:
    with write_records(path) as write:
        for number, text in enumerate(texts):
            write(Generation(f"{report_id}/{number}", report_id, "p", "question_answering", "ok", text, "d" * 64, "v", "m"))
    return path


def test_a_conversation_ends_before_its_first_unfit_turn(tmp_path: Path) -> None:
    raw = write_raw(
        tmp_path / "raw.jsonl",
        "1. Is there a pleural effusion?\n2. On which side is it?\n3. As an AI, I cannot tell.\n4. Is it large?",
        "1. Where does the PICC end?\n2. Is there any pleural effusion?\n3. Is it on the right side?",
        "1. No.",
        "1. How large is the nodule?\n2. Is the heart of normal size?",
    )
    run = a_run(tmp_path / "1", postprocess_instructions)
    postprocess_instructions.run(run, raw, write_reports(tmp_path / "reports.jsonl"), Instructions(turns=4))
    assert [(row.instruction_id, row.turn, row.task, row.text) for row in rows_of(run, "instructions", Instruction)] == [
        ("r0/0", 1, "question_answering", "Is there a pleural effusion?"),
        ("r0/0.2", 2, FOLLOW_UP, "On which side is it?"),
        ("r0/1", 1, "question_answering", "Where does the PICC end?"),
        ("r0/3", 1, "question_answering", "How large is the nodule?"),
        ("r0/3.2", 2, FOLLOW_UP, "Is the heart of normal size?"),
    ]
    assert [(row.id, row.reason) for row in rows_of(run, "dropped_instructions", Dropped)] == [
        ("r0/0.3", "teacher_speak"),
        ("r0/0.4", "earlier_turn_dropped"),
        ("r0/1.2", "duplicate"),
        ("r0/1.3", "earlier_turn_dropped"),
        ("r0/1.4", "earlier_turn_dropped"),
        ("r0/2", "too_short"),
        ("r0/2.2", "earlier_turn_dropped"),
        ("r0/2.3", "earlier_turn_dropped"),
        ("r0/2.4", "earlier_turn_dropped"),
        ("r0/3.3", "missing_turn"),
        ("r0/3.4", "earlier_turn_dropped"),
    ]


def kept(folder: Path, raw: Path, reports: Path, **settings: Any) -> list[str]:
    run = a_run(folder, postprocess_instructions)
    postprocess_instructions.run(run, raw, reports, Instructions(**settings))
    return [row.instruction_id for row in rows_of(run, "instructions", Instruction)]


def test_duplicates_are_sought_within_a_report_or_a_run_and_in_earlier_runs(tmp_path: Path) -> None:
    reports = write_reports(tmp_path / "reports.jsonl")
    raw = tmp_path / "raw.jsonl"
    parts = [
        write_raw(tmp_path / f"raw{n}.jsonl", "Is there a pleural effusion?", "Where does the PICC end?", report_id=f"r{n}") for n in (0, 1)
    ]
    raw.write_text("".join(part.read_text() for part in parts))
    assert kept(tmp_path / "a", raw, reports) == ["r0/0", "r0/1", "r1/0", "r1/1"]
    assert kept(tmp_path / "b", raw, reports, duplicates=DuplicateScope.run) == ["r0/0", "r0/1"]
    assert kept(tmp_path / "first", parts[1], reports) == ["r1/0", "r1/1"]
    earlier = [str(tmp_path / "first" / "instructions.jsonl")]
    assert kept(tmp_path / "c", raw, reports, earlier=earlier) == ["r0/0", "r0/1"]
    assert kept(tmp_path / "d", raw, reports, earlier=earlier, duplicates=DuplicateScope.run) == []


def test_rules_refuse_a_task_that_they_do_not_know(tmp_path: Path) -> None:
    report = next(read_records(write_reports(tmp_path / "reports.jsonl"), Report))
    for kind in ("instruction", "answer"):
        with pytest.raises(UserError, match=r"^teacher=rules has no rules for relation_extraction, only for .*findings_to_impression: set"):
            replies.reply(Request("r0/0", kind, "relation_extraction", [], report, instruction="Pair them."), 0)
    assert replies.reply(Request("r0/0", "instruction", "question_answering", [], report), 0).text.count("\n") == 0


def test_every_prompt_set_is_asked_over_http_and_its_replies_are_kept(tmp_path: Path) -> None:
    reports = write_reports(tmp_path / "reports.jsonl", 8)
    sound = "List the findings that concern the left side."
    with serve(
        reply=lambda messages: (
            f"Sure, here it is:\n**Instruction:** {sound}" if "other reports" in messages[-1]["content"] else "An effusion."
        )
    ) as server:
        for option in ("asclepius", "self_instruct"):
            config = composed(f"prompt={option}", f"instructions={option}", "teacher=local", "instructions.duplicates=report")
            one = a_run(tmp_path / option, generate_instructions)
            generate_instructions.run(
                one, reports, config.instructions, config.prompt.instruction, local(server.base_url), DATA, DataUse(), 0
            )
            raw = rows_of(one, "raw_instructions", Generation)
            assert {row.prompt_version for row in raw} == {f"instruction-2+{option}-1"}
            two = a_run(tmp_path / f"{option}-kept", postprocess_instructions)
            postprocess_instructions.run(two, one.path("raw_instructions"), reports, config.instructions)
            questions = rows_of(two, "instructions", Instruction)
            assert {row.text for row in questions} == {sound} and len({row.task for row in questions}) > 1
            three = a_run(tmp_path / f"{option}-answers", generate_answers)
            generate_answers.run(three, two.path("instructions"), reports, config.prompt.answer, local(server.base_url), DATA, DataUse(), 0)
            assert {(row.outcome, row.text) for row in rows_of(three, "raw_answers", Generation)} == {("ok", "An effusion.")}
