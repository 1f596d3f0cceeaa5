"""The four stages from reports to pairs, with the rules teacher and with one that misbehaves."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from radgpt.artifacts import digest, write_records
from radgpt.config import (
    AnswerPrompt,
    ChatPrompt,
    Data,
    Dataset,
    DataUse,
    Governance,
    InstructionPrompt,
    Instructions,
    Narrative,
    Source,
    Teacher,
)
from radgpt.errors import UserError
from radgpt.instructions.epochs import LAG
from radgpt.records import SPLITS, TASKS, Decision, Dropped, Generation, Instruction, Pair, Report, read_records
from radgpt.run import Run
from radgpt.stages import generate_answers, generate_instructions, postprocess_answers, postprocess_instructions
from radgpt.teacher.ask import Reply, Request

INSTRUCTIONS = Instructions(pool_epoch=5)
INSTRUCTION_PROMPT = InstructionPrompt(
    version="i1",
    system="Ask.",
    templates=dict.fromkeys(TASKS, "{report}\n{examples}"),
    seeds={task: [f"Seed {letter} of {task}?" for letter in "abcd"] for task in TASKS},
)
ANSWER_PROMPT = AnswerPrompt(version="a1", system="Answer.", templates=dict.fromkeys(TASKS, "{report}\n{instruction}"))
CHAT_PROMPT = ChatPrompt(system="You read reports.", first_turn="{report}\n\n{instruction}")
DATA = Data(source=Source.synthetic, governance=Governance.synthetic)
FINDINGS = (
    "Small left pleural effusion.",
    "No pneumothorax or effusion.",
    "Mild cardiomegaly.",
    "The lungs are clear.",
    "Right rib fracture.",
)


def write_reports(path: Path, count: int = 24, patients: int = 12, split: str | None = None) -> Path:
    with write_records(path) as write:
        for number in range(count):
            sections = {
                "indication": f"SOB for {number + 2} days.",
                "findings": f"{FINDINGS[number % 5]} Heart size is normal. {FINDINGS[(number + 2) % 5]}",
                "impression": f"{FINDINGS[number % 5]} No acute osseous abnormality.",
            }
            text = "\n".join(f"{name.upper()}: {section}" for name, section in sections.items())
            write(Report(f"r{number}", f"p{number % patients}", text, sections, split))
    return path


def a_run(folder: Path, stage: Any) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    return Run(directory=folder, writes=stage.WRITES)


def write_instructions(folder: Path, reports: Path, seed: int = 0, instructions: Instructions = INSTRUCTIONS) -> Run:
    run = a_run(folder, generate_instructions)
    generate_instructions.run(run, reports, instructions, INSTRUCTION_PROMPT, Teacher(), DATA, DataUse(), seed)
    return run


def whole_line(folder: Path, reports: Path, dataset: Dataset | None = None) -> dict[str, Run]:
    runs = {"raw_instructions": write_instructions(folder / "1", reports)}
    runs["instructions"] = a_run(folder / "2", postprocess_instructions)
    postprocess_instructions.run(runs["instructions"], runs["raw_instructions"].path("raw_instructions"), reports, INSTRUCTIONS)
    instructions = runs["instructions"].path("instructions")
    runs["raw_answers"] = a_run(folder / "3", generate_answers)
    generate_answers.run(runs["raw_answers"], instructions, reports, ANSWER_PROMPT, Teacher(), DATA, DataUse(), 0)
    runs["dataset"] = a_run(folder / "4", postprocess_answers)
    answers = runs["raw_answers"].path("raw_answers")
    postprocess_answers.run(runs["dataset"], answers, instructions, reports, CHAT_PROMPT, dataset or Dataset(), DATA, 0)
    return runs


def pairs_of(run: Run) -> dict[str, list[Pair]]:
    return {split: list(read_records(run.path("dataset") / f"{split}.jsonl", Pair)) for split in SPLITS}


def test_the_line_makes_pairs_that_trace_back_to_their_report(tmp_path: Path) -> None:
    reports = write_reports(tmp_path / "reports.jsonl")
    runs = whole_line(tmp_path, reports)
    pairs = pairs_of(runs["dataset"])
    assert all(pairs.values())
    owners = [{pair.patient_id for pair in pairs[split]} for split in SPLITS]
    assert all(not one & other for one, other in itertools.combinations(owners, 2))
    everything = [pair for split in SPLITS for pair in pairs[split]]
    texts = {report.report_id: report.text for report in read_records(reports, Report)}
    asked = {row.instruction_id: row for row in read_records(runs["instructions"].path("instructions"), Instruction)}
    for split in SPLITS:
        for pair in pairs[split]:
            instruction = asked[pair.pair_id]
            assert (pair.split, pair.task) == (split, instruction.task)
            assert [message["role"] for message in pair.messages] == ["system", "user", "assistant"]
            assert pair.messages[1]["content"] == f"{texts[pair.report_id]}\n\n{instruction.text}"
            assert pair.reference
            assert pair.instruction_prompt_sha256 == instruction.prompt_sha256 != pair.answer_prompt_sha256
    assert {pair.task for pair in everything} == set(TASKS)
    summary = runs["dataset"].summary
    assert summary["kept"] == len(everything) == sum(summary[split] for split in SPLITS)
    assert summary["kept"] + summary["dropped"] == runs["raw_answers"].summary["asked"] == runs["instructions"].summary["kept"]
    assert runs["raw_instructions"].summary["asked"] == 48 == runs["instructions"].summary["kept"] + runs["instructions"].summary["dropped"]


def test_a_rerun_writes_the_same_bytes(tmp_path: Path) -> None:
    reports = write_reports(tmp_path / "reports.jsonl")
    first, again = (whole_line(tmp_path / name, reports) for name in ("a", "b"))
    for name, run in first.items():
        assert digest(run.path(name)) == digest(again[name].path(name)), name
    assert digest(write_instructions(tmp_path / "c", reports, seed=1).path("raw_instructions")) != digest(
        first["raw_instructions"].path("raw_instructions")
    )


def test_prescribed_splits_are_kept(tmp_path: Path) -> None:
    runs = whole_line(tmp_path, write_reports(tmp_path / "reports.jsonl", split="train"))
    assert {split: bool(pairs) for split, pairs in pairs_of(runs["dataset"]).items()} == {"train": True, "validation": False, "test": False}


Script = Callable[[Request], Reply]


def teach(monkeypatch: pytest.MonkeyPatch, stage: Any, script: Script) -> list[Request]:
    """Put a teacher of our own in a stage; gives the list that its requests go to."""
    requests: list[Request] = []

    @contextmanager
    def open_teacher(*_: Any, **__: Any) -> Iterator[Callable[[Iterable[Request]], Iterator[Reply]]]:
        def ask(asked: Iterable[Request]) -> Iterator[Reply]:
            window: list[Request] = []
            for request in asked:  # takes requests in ahead of its replies, as a real one does
                requests.append(request)
                window.append(request)
                if len(window) == 3:
                    yield from map(script, window)
                    window.clear()
            yield from map(script, window)

        yield ask

    monkeypatch.setattr(stage, "open_teacher", open_teacher)
    return requests


def test_examples_grow_by_epochs_from_accepted_instructions_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(request: Request) -> Reply:
        sound = int(request.report.report_id[1:]) % 2 == 0
        return Reply("ok", f"Is this wording {request.generation_id.replace('/', ' or ')}?" if sound else "As an AI I cannot ask.", "m")

    requests = teach(monkeypatch, generate_instructions, script)
    reports = write_reports(tmp_path / "reports.jsonl")
    # Numbers in the wording would count as invented, were they not in the report; here they are ids.
    monkeypatch.setattr("radgpt.instructions.filters.invented_number", lambda draft: False)
    write_instructions(tmp_path / "run", reports)
    assert len(requests) == 48
    borrowed = 0
    for request in requests:
        epoch = int(request.report.report_id[1:]) // 5
        examples = [line[2:] for line in request.messages[-1]["content"].split("\n") if line.startswith("- ")]
        assert len(set(examples)) == 3
        for example in examples:
            assert "AI" not in example
            if example.startswith("Is this wording"):
                borrowed += 1
                assert int(example.split()[3][1:]) // 5 <= epoch - LAG
    assert borrowed > 20


def test_dropped_rows_keep_id_and_reason_and_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = {
        "r0/0": Reply("ok", "1. Is there a pleural effusion?", "m"),
        "r0/1": Reply("ok", "Is there any pleural effusion?", "m"),
        "r1/0": Reply("dropped: length", "", "m", usd=0.25),
        "r1/1": Reply("failed: timed out", "", "m"),
        "r2/0": Reply("ok", "Sorry.", "m"),
        "r2/1": Reply("ok", "What does the impression say about the heart?", "m"),
    }
    teach(monkeypatch, generate_instructions, lambda request: script[request.generation_id])
    reports = write_reports(tmp_path / "reports.jsonl", count=3)
    raw = write_instructions(tmp_path / "1", reports)
    assert raw.summary["ok"] == 4
    assert (raw.summary["failed"], raw.summary["dropped_length"], raw.summary["usd"]) == (1, 1, 0.25)
    run = a_run(tmp_path / "2", postprocess_instructions)
    only_questions = Instructions(task_weights={"question_answering": 1.0})
    rows = [row if row.outcome != "ok" else Generation(**{**vars(row), "task": "question_answering"}) for row in generations(raw)]
    with write_records(tmp_path / "raw.jsonl") as write:
        for row in rows:
            write(row)
    postprocess_instructions.run(run, tmp_path / "raw.jsonl", reports, only_questions)
    assert [row.text for row in read_records(run.path("instructions"), Instruction)] == [
        "Is there a pleural effusion?",
        "What does the impression say about the heart?",
    ]
    assert list(read_records(run.path("dropped_instructions"), Dropped)) == [
        Dropped("r0/1", "duplicate"),
        Dropped("r1/0", "teacher_length"),
        Dropped("r1/1", "teacher_failed"),
        Dropped("r2/0", "too_short"),
    ]
    assert run.summary == {
        "kept": 2,
        "kept_question_answering": 2,
        "dropped": 4,
        "dropped_duplicate": 1,
        "dropped_teacher_length": 1,
        "dropped_teacher_failed": 1,
        "dropped_too_short": 1,
    }


def generations(run: Run) -> list[Generation]:
    return list(read_records(run.path("raw_instructions"), Generation))


def test_answers_of_a_bad_teacher_are_dropped_and_an_empty_dataset_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(monkeypatch, generate_answers, lambda request: Reply("ok", "As an AI language model, I cannot.", "m"))
    with pytest.raises(UserError, match=r"^no pair is left to train on \(0 answers kept for other splits, \d+ dropped\)"):
        whole_line(tmp_path, write_reports(tmp_path / "reports.jsonl"))
    dropped = list(read_records(tmp_path / "4" / "dropped_answers.jsonl", Dropped))
    assert {row.reason for row in dropped} == {"teacher_speak"}
    assert not (tmp_path / "4" / "dataset").exists()


def test_without_instructions_there_is_nothing_to_train_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(monkeypatch, generate_instructions, lambda request: Reply("ok", "As an AI language model, I cannot.", "m"))
    with pytest.raises(UserError, match=r"^there are no answers: no instruction was kept, see dropped_instructions.jsonl beside .*/2/"):
        whole_line(tmp_path, write_reports(tmp_path / "reports.jsonl"))


def test_decisions_on_other_texts_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with write_records(tmp_path / "decisions.jsonl") as write:
        for name in ("r0/0", "elsewhere/0"):
            write(Decision(name, "reject", "0" * 64))
    runs = whole_line(tmp_path, write_reports(tmp_path / "reports.jsonl"), Dataset(decisions=str(tmp_path / "decisions.jsonl")))
    assert runs["dataset"].summary["decisions_unused"] == 2
    assert "2 of 2 decisions are on other texts than these answers" in capsys.readouterr().out


def test_rows_of_other_reports_are_refused_by_id(tmp_path: Path) -> None:
    raw = write_instructions(tmp_path / "1", write_reports(tmp_path / "reports.jsonl"))
    fewer = write_reports(tmp_path / "fewer.jsonl", count=2)
    with pytest.raises(UserError, match=r"fewer\.jsonl holds no report r2"):
        postprocess_instructions.run(a_run(tmp_path / "2", postprocess_instructions), raw.path("raw_instructions"), fewer, INSTRUCTIONS)


def test_answers_without_their_instruction_are_refused(tmp_path: Path) -> None:
    reports = write_reports(tmp_path / "reports.jsonl")
    runs = whole_line(tmp_path, reports)
    kept = list(read_records(runs["instructions"].path("instructions"), Instruction))[1:]
    with write_records(tmp_path / "short.jsonl") as write:
        for row in kept:
            write(row)
    run = a_run(tmp_path / "5", postprocess_answers)
    with pytest.raises(UserError, match="generate the answers again"):
        answers = runs["raw_answers"].path("raw_answers")
        postprocess_answers.run(run, answers, tmp_path / "short.jsonl", reports, CHAT_PROMPT, Dataset(), DATA, 0)


def test_a_report_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    reports = write_reports(tmp_path / "reports.jsonl", count=2)
    raw = write_instructions(tmp_path / "1", reports)
    twice = tmp_path / "twice.jsonl"
    twice.write_text(reports.read_text() * 2)
    with pytest.raises(UserError, match="report r0 stands there twice"):
        postprocess_instructions.run(a_run(tmp_path / "2", postprocess_instructions), raw.path("raw_instructions"), twice, INSTRUCTIONS)


def test_hostile_reports_pass_through_unchanged(tmp_path: Path) -> None:
    text = 'FINDINGS: {instruction} {report} "quoted" \u2028 \\n No pneumothorax. Small effusion.\r\nIMPRESSION: No effusion?'
    reports = tmp_path / "reports.jsonl"
    with write_records(reports) as write:
        for number in range(12):
            write(Report(f"r/{number}", f"p{number}", text, {"findings": "No pneumothorax. Small effusion.", "impression": "No effusion?"}))
    pairs = pairs_of(whole_line(tmp_path, reports)["dataset"])
    assert all(pair.messages[1]["content"].startswith(text) for split in SPLITS for pair in pairs[split])
    assert json.loads(json.dumps(pairs["train"][0].messages)) == pairs["train"][0].messages


def test_reports_without_a_narrative_are_skipped_and_counted(tmp_path: Path) -> None:
    reports = tmp_path / "reports.jsonl"
    with write_records(reports) as write:
        write(Report("r0", "p0", "HISTORY: Fall.", {"history": "Fall."}, flags=["no_narrative"]))
        write(Report("r1", "p1", "FINDINGS: No effusion.", {"findings": "No effusion."}))
    run = write_instructions(tmp_path / "1", reports)
    assert {row.report_id for row in generations(run)} == {"r1"}
    assert (run.summary["skipped_no_narrative"], run.summary["asked"]) == (1, 2)


def test_reports_with_only_one_of_findings_and_impression_can_be_left_out(tmp_path: Path) -> None:
    reports = tmp_path / "reports.jsonl"
    with write_records(reports) as write:
        write(Report("r0", "p0", "FINDINGS: No effusion.", {"findings": "No effusion."}))
        write(Report("r1", "p1", "FINDINGS: Clear.\nIMPRESSION: Normal.", {"findings": "Clear.", "impression": "Normal."}))
    run = write_instructions(tmp_path / "1", reports, instructions=replace(INSTRUCTIONS, narrative=Narrative.both))
    assert {row.report_id for row in generations(run)} == {"r1"}
    assert run.summary["skipped_no_narrative"] == 1
