"""An answer carries the first reason against it, its faithfulness, and nothing when the report itself is what answers."""

from dataclasses import replace
from pathlib import Path

import pytest

from radgpt.artifacts import write_records
from radgpt.config import Dataset
from radgpt.errors import UserError
from radgpt.instructions.judging import judged_answers
from radgpt.instructions.report_index import open_reports
from radgpt.records import Generation, Instruction, JudgedAnswer, Report, Section

TEXT = "FINDINGS: There is a small left pleural effusion. No pneumothorax.\nIMPRESSION: Small left effusion."
FINDINGS = "There is a small left pleural effusion. No pneumothorax."
IMPRESSION = "Small left effusion."
REPORT = Report(
    "s1",
    "p1",
    TEXT,
    {"findings": FINDINGS, "impression": IMPRESSION},
    spans=[
        Section("findings", "FINDINGS", "header", TEXT.index(FINDINGS), TEXT.index(FINDINGS) + len(FINDINGS)),
        Section("impression", "IMPRESSION", "header", TEXT.rindex(IMPRESSION), TEXT.rindex(IMPRESSION) + len(IMPRESSION)),
    ],
)
QUESTION = "On which side is the effusion?"


def instruction(number: str, text: str = QUESTION, task: str = "question_answering") -> Instruction:
    return Instruction(f"s1/{number}", "s1", "p1", task, text, "d" * 64)


def answer(number: str, text: str, task: str = "question_answering", outcome: str = "ok") -> Generation:
    return Generation(f"s1/{number}", "s1", "p1", task, outcome, text, "e" * 64, "v1", "model")


def judge(folder: Path, instructions: list[Instruction], answers: list[Generation], dataset: Dataset | None = None) -> list[JudgedAnswer]:
    for name, rows in (("reports", [REPORT]), ("instructions", instructions), ("answers", answers)):
        with write_records(folder / f"{name}.jsonl") as write:
            for row in rows:
                write(row)
    with open_reports(folder / "reports.jsonl") as known:
        return list(judged_answers(folder / "answers.jsonl", folder / "instructions.jsonl", known, dataset or Dataset()))


def test_a_true_answer_is_kept_with_its_evidence_and_a_wrong_side_is_dropped(tmp_path: Path) -> None:
    rows = [instruction("0"), instruction("1")]
    right, wrong = judge(tmp_path, rows, [answer("0", "The effusion is on the left."), answer("1", "The effusion is on the right.")])
    assert (right.reason, right.faithfulness) == (None, 1.0)
    shown = [TEXT[evidence.start : evidence.end] for evidence in right.evidence]
    assert "effusion" in shown
    assert wrong.reason == "unfaithful" and wrong.faithfulness is not None and wrong.faithfulness < 1
    assert "side" in {problem.kind for problem in wrong.problems}


def test_the_threshold_is_the_users(tmp_path: Path) -> None:
    (kept,) = judge(tmp_path, [instruction("0")], [answer("0", "The effusion is on the right.")], Dataset(min_faithfulness=0.0))
    assert kept.reason is None and kept.problems


def test_what_the_teacher_did_not_answer_is_no_claim(tmp_path: Path) -> None:
    rows = [instruction(str(number)) for number in range(3)]
    outcomes = ["dropped: refusal", "failed: timeout", "dropped: length"]
    judged = judge(tmp_path, rows, [answer(str(number), "", outcome=outcome) for number, outcome in enumerate(outcomes)])
    assert [row.reason for row in judged] == ["teacher_refusal", "teacher_failed", "teacher_length"]
    assert {row.faithfulness for row in judged} == {None}


def test_the_reports_own_impression_is_not_judged_against_itself(tmp_path: Path) -> None:
    task = "findings_to_impression"
    (row,) = judge(tmp_path, [instruction("0", "Write the impression.", task)], [answer("0", "Small left effusion.", task)])
    assert (row.reason, row.faithfulness, row.evidence) == (None, None, [])


def test_a_pair_that_stands_there_already_is_a_duplicate(tmp_path: Path) -> None:
    rows = [instruction("0"), instruction("1")]
    judged = judge(tmp_path, rows, [answer("0", "It is on the left."), answer("1", "It is on the left.")])
    assert [row.reason for row in judged] == [None, "duplicate"]


def test_an_answer_without_its_instruction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no instruction s1/9"):
        judge(tmp_path, [instruction("0")], [replace(answer("0", "Left."), generation_id="s1/9")])
