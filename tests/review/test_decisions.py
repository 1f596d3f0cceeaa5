"""The last decision on an answer counts, for the texts it was made on, and a file that cannot be trusted is refused by line."""

import json
from pathlib import Path

import jsonlines
import pytest

from radgpt.errors import UserError
from radgpt.records import Decision, Evidence, JudgedAnswer, Problem, as_row
from radgpt.review.decisions import apply, judged_sha256, read_decisions

JUDGED = JudgedAnswer(
    "r1/0", "r1", "p1", "paraphrasing", "Put it plainly.", "There is no fluid.", "unfaithful", 0.5,
    [Problem("negation", 9, 11)], [Evidence(0, 5, 12, 17)], "", "",
)  # fmt: skip
SEEN = judged_sha256("Put it plainly.", "There is no fluid.")


def decided(decision: str, **texts: str) -> Decision:
    return Decision("r1/0", decision, SEEN, **texts)


def written(tmp_path: Path, *rows: Decision) -> Path:
    with jsonlines.open(tmp_path / "decisions.jsonl", "w") as file:
        for row in rows:
            file.write(as_row(row))
    return tmp_path / "decisions.jsonl"


def test_an_accepted_answer_is_kept_despite_its_reason() -> None:
    kept = apply(JUDGED, decided("accept"))
    assert (kept.reason, kept.decision) == (None, "accept")
    assert (kept.answer, kept.faithfulness, kept.problems) == (JUDGED.answer, 0.5, JUDGED.problems)


def test_a_rejected_answer_is_dropped_for_its_reviewer() -> None:
    assert apply(JUDGED, decided("reject")).reason == "rejected_by_reviewer"


def test_an_edited_answer_has_the_new_texts_and_no_score_of_the_old() -> None:
    edited = apply(JUDGED, decided("edit", instruction="Say it simply.", answer="There is fluid."))
    assert (edited.instruction, edited.answer, edited.reason, edited.decision) == ("Say it simply.", "There is fluid.", None, "edit")
    assert (edited.faithfulness, edited.problems, edited.evidence) == (None, [], [])


def test_an_edited_instruction_leaves_what_is_known_of_the_answer() -> None:
    edited = apply(JUDGED, decided("edit", instruction="Say it simply.", answer="There is no fluid."))
    assert (edited.instruction, edited.faithfulness, edited.evidence) == ("Say it simply.", 0.5, JUDGED.evidence)


def test_a_decision_on_other_texts_says_nothing() -> None:
    other = Decision("r1/0", "accept", judged_sha256("Put it plainly.", "There is fluid."))
    assert apply(JUDGED, other) == JUDGED
    assert judged_sha256("ab", "c") != judged_sha256("a", "bc")


def test_the_last_decision_counts_and_a_withdrawn_one_is_gone(tmp_path: Path) -> None:
    rows = (
        Decision("r1/0", "accept", "a"),
        Decision("r1/1", "accept", "b"),
        Decision("r1/0", "reject", "a", note="no fluid there"),
        Decision("r1/1", "withdraw", "b"),
    )
    assert read_decisions(written(tmp_path, *rows)) == {"r1/0": rows[2]}


def test_a_torn_last_line_is_ignored_with_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, decided("accept"))
    with open(path, "ab") as file:
        file.write(b'{"instruction_id": "r1/1", "deci')
    assert list(read_decisions(path)) == ["r1/0"]
    told = capsys.readouterr().err
    assert f"{path}, line 2" in told and "deci" not in told.replace(str(path), "")


def test_a_last_line_that_only_lacks_its_end_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, decided("accept"))
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert list(read_decisions(path)) == ["r1/0"]
    assert capsys.readouterr().err == ""


GOOD = {"instruction_id": "r1/0", "decision": "accept", "judged_sha256": SEEN}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"instruction_id": "secret text', "not a JSON object"),
        ('["secret text"]', "not a JSON object"),
        (json.dumps({"instruction_id": "secret text", "decision": "accept"}), "no field 'judged_sha256'"),
        (json.dumps(GOOD | {"verdict": "secret text"}), "'verdict' is no field"),
        (json.dumps(GOOD | {"note": ["secret text"]}), "'note' is not what"),
        (json.dumps(GOOD | {"decision": "secret text"}), "'decision' must be one of accept, reject, edit"),
        (json.dumps(GOOD | {"decision": "edit", "answer": "secret text"}), "an edit needs both"),
    ],
)
def test_a_malformed_line_is_named_and_never_quoted(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    with pytest.raises(UserError) as raised:
        read_decisions(path)
    assert f"{path}, line 2: " in str(raised.value) and told in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_decisions(tmp_path / "none.jsonl")
