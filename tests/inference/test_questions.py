"""Questions of files: every shape that a row may have, in order, with ids; a wrong line is named and never quoted."""

import gzip
import json
from pathlib import Path

import pytest

from radgpt.config import ChatPrompt
from radgpt.errors import UserError
from radgpt.inference.questions import Asked, of_file, of_split
from radgpt.instructions.prompts import chat_messages
from radgpt.records import Pair, as_row

PROMPT = ChatPrompt(system="You read reports.", first_turn="Report: {report}\n\n{instruction}")
PAIR = Pair(
    "r1/0", "r1", "p1", "question_answering", "test",
    [{"role": "user", "content": "Report: Clear lungs.\n\nEdema?"}, {"role": "assistant", "content": "No."}],
    "", "", "", [8, 20],
)  # fmt: skip


def asked(path: Path) -> list[Asked]:
    return list(of_file("prediction.file", str(path), PROMPT))


def written(tmp_path: Path, *rows: object, name: str = "questions.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def test_a_report_and_a_question_are_put_as_in_training(tmp_path: Path) -> None:
    (row,) = asked(written(tmp_path, {"report": "Clear lungs.", "question": "Edema?", "reference": "No.", "id": "a", "extra": 1}))
    assert row.messages == chat_messages(PROMPT, "Clear lungs.", "Edema?")
    assert (row.pair_id, row.report_id, row.patient_id, row.task, row.reference) == ("a", "a", "a", "question", "No.")
    assert row.report_span is not None and row.messages[-1]["content"][slice(*row.report_span)] == "Clear lungs."


def test_a_question_may_come_without_a_report(tmp_path: Path) -> None:
    (row,) = asked(written(tmp_path, {"question": "What is edema?", "report": " "}))
    assert row.messages == [{"role": "system", "content": "You read reports."}, {"role": "user", "content": "What is edema?"}]
    assert (row.pair_id, row.reference, row.report_span) == ("1", None, None)


def test_messages_are_taken_as_they_are_and_the_assistants_last_one_is_the_reference(tmp_path: Path) -> None:
    user = {"role": "user", "content": "Edema?"}
    turns = [user, {"role": "assistant", "content": "No."}, {"role": "user", "content": "Sure?"}]
    path = written(
        tmp_path,
        {"messages": [{**user, "name": "x"}]},
        {"messages": [*turns, {"role": "assistant", "content": "Yes."}]},
        {"messages": turns, "reference": "Yes, sure."},
    )
    assert [(row.messages, row.reference) for row in asked(path)] == [([user], None), (turns, "Yes."), (turns, "Yes, sure.")]


def test_rows_of_the_dataset_are_rows_of_a_file_too(tmp_path: Path) -> None:
    path = written(tmp_path, as_row(PAIR))
    (of_a_file,), (of_the_split,) = asked(path), list(of_split(path))
    assert of_a_file.messages == of_the_split.messages == PAIR.prompt
    assert (of_a_file.pair_id, of_a_file.report_id, of_a_file.patient_id, of_a_file.task) == ("r1/0", "r1", "p1", "question_answering")
    assert of_a_file.reference == of_the_split.reference == "No." and of_the_split.report_span == [8, 20]


def test_ids_are_taken_over_or_counted(tmp_path: Path) -> None:
    rows = asked(
        written(tmp_path, {"question": "a"}, "", {"question": "b", "id": 7, "patient_id": 12}, {"question": "c", "report_id": "r"})
    )
    assert [(row.pair_id, row.report_id, row.patient_id) for row in rows] == [("1", "1", "1"), ("7", "7", "12"), ("3", "r", "r")]


@pytest.mark.parametrize("name", ["questions.csv", "questions.csv.gz"])
def test_a_csv_has_the_same_columns(tmp_path: Path, name: str) -> None:
    text = 'id,report,question,reference,messages\na,"Clear\nlungs.",Edema?,,\nb,,,Yes.,"[{""role"": ""user"", ""content"": ""Sure?""}]"\n'
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    first, second = asked(path)
    assert first.messages == chat_messages(PROMPT, "Clear\nlungs.", "Edema?") and first.reference is None
    assert second.messages == [{"role": "user", "content": "Sure?"}] and second.reference == "Yes."


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{secret", "line 2: not a JSON object"),
        ({"report": "secret"}, "line 2: neither messages nor a question"),
        ({"question": "  "}, "line 2: neither messages nor a question"),
        ({"question": ["secret"]}, "line 2: 'question' is no text"),
        ({"question": "secret", "reference": 3}, "line 2: 'reference' is no text"),
        ({"question": "secret", "id": True}, "line 2: 'id' is no text"),
        ({"question": "secret \ud800"}, "line 2: 'question' holds half a character"),
        ({"messages": [{"role": "user", "content": "secret \ud800"}]}, "line 2: 'messages' holds half a character"),
        ({"messages": "secret"}, "line 2: 'messages' is no list of messages"),
        ({"messages": [{"role": "user"}]}, "line 2: 'messages' is no list of messages"),
        ({"messages": []}, "line 2: messages that are not system"),
        ({"messages": [{"role": "assistant", "content": "secret"}]}, "line 2: messages that are not system"),
        ({"messages": [{"role": "user", "content": "secret"}] * 2}, "line 2: messages that are not system"),
        ({"question": "secret", "id": "1"}, "line 2: its id stands on an earlier line too"),
    ],
)
def test_a_wrong_line_is_named_and_never_quoted(tmp_path: Path, row: object, told: str) -> None:
    path = written(tmp_path, {"question": "Edema?"}, row)
    with pytest.raises(UserError, match=told) as raised:
        asked(path)
    assert str(path) in str(raised.value) and "secret" not in str(raised.value)


def test_a_csv_row_of_another_length_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"questions\.csv, line 3: not as many columns"):
        asked(written(tmp_path, "id,question", "a,Edema?", "b,secret,secret", name="questions.csv"))
    with pytest.raises(UserError, match=r"questions\.csv, line 2: 'messages' is no JSON"):
        asked(written(tmp_path, "id,messages", "a,secret", name="questions.csv"))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"prediction\.file=.*questions\.txt must be a file that ends in"):
        asked(written(tmp_path, "x", name="questions.txt"))
    with pytest.raises(UserError, match=r"prediction\.file=.*none\.jsonl does not exist"):
        asked(tmp_path / "none.jsonl")


def test_a_large_file_is_read_as_it_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, {"question": "Edema?"}, "{broken")
    rows = of_file("prediction.file", str(path), PROMPT)
    assert next(rows).pair_id == "1"
