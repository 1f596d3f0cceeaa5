"""Rows are read as what they claim to be, or refused by file, line and field, never quoted."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from radgpt.artifacts import write_records
from radgpt.errors import UserError
from radgpt.records import Pair, Prediction, Report, Section, as_row, canonical_digest, read_records

SECRET = "Pneumothorax of Mr Example"
REPORT = Report(
    "a", "p", "FINDINGS: Clear.", {"findings": "Clear."}, "train", ["merged"], [Section("findings", "FINDINGS", "header", 10, 16)]
)


def written(path: Path, row: object) -> Path:
    path.write_text(json.dumps(row) + "\n")
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "é\u2028"}, {"role": "assistant", "content": ""}]
    pair = Pair("a/0", "a", "p", "summarisation", "train", talk, "0" * 64, "1" * 64, "2" * 64)
    for record in (REPORT, replace(REPORT, split=None, metadata={"views": ["PA"], "images": 2}), pair):
        with write_records(tmp_path / "rows.jsonl") as write:
            write(record)
        assert list(read_records(tmp_path / "rows.jsonl", type(record))) == [record]
        assert json.loads((tmp_path / "rows.jsonl").read_text()) == as_row(record)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("report_id", None),
        ("text", 7),
        ("sections", SECRET),
        ("sections", {"findings": [SECRET]}),
        ("split", {SECRET: 1}),
        ("flags", None),
        ("flags", SECRET),
        ("flags", {SECRET: 1}),
        ("spans", SECRET),
        ("spans", [SECRET]),
        ("spans", [{"name": "findings", "header": "", "provenance": "none", "start": "a", "end": 1}]),
        ("spans", [{"name": "findings"}]),
        ("metadata", [SECRET]),
    ],
)
def test_a_field_of_another_type_is_refused_unquoted(field: str, value: object, tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", as_row(REPORT) | {field: value})
    with pytest.raises(UserError) as refusal:
        list(read_records(path, Report))
    assert str(refusal.value) == f"{path}, line 1: '{field}' is not what a Report holds there; mend or delete that line"


@pytest.mark.parametrize(
    "roles",
    [[], ["user"], ["system"], ["wizard", "assistant"], ["user", "user", "assistant"], ["user", "assistant", "user"], ["user", "system"]],
)
def test_a_pair_whose_messages_are_no_conversation_is_refused_unquoted(roles: list[str], tmp_path: Path) -> None:
    messages = [{"role": role, "content": SECRET} for role in roles]
    path = written(tmp_path / "rows.jsonl", as_row(Pair("a/0", "a", "p", "summarisation", "train", messages, "", "", "")))
    with pytest.raises(UserError) as refusal:
        list(read_records(path, Pair))
    assert str(refusal.value).startswith(f"{path}, line 1: messages that are not system (or none), user, assistant, and so on")
    assert SECRET not in str(refusal.value)


def test_a_message_without_content_is_refused(tmp_path: Path) -> None:
    pair = Pair("a/0", "a", "p", "summarisation", "train", [{"role": "user"}, {"role": "assistant", "content": ""}], "", "", "")
    with pytest.raises(UserError, match="line 1: a message without role or content"):
        list(read_records(written(tmp_path / "rows.jsonl", as_row(pair)), Pair))


def test_numbers_are_no_texts_and_texts_no_numbers(tmp_path: Path) -> None:
    row = as_row(Prediction("a/0", "a", "p", "summarisation", "x", "y", "stop", 3))
    assert list(read_records(written(tmp_path / "rows.jsonl", row), Prediction))
    with pytest.raises(UserError, match="'new_tokens' is not what a Prediction holds there"):
        list(read_records(written(tmp_path / "rows.jsonl", row | {"new_tokens": "3"}), Prediction))


def test_a_digest_depends_on_the_value_alone_and_knows_broken_text() -> None:
    messages = [{"role": "user", "content": "No effusion."}]
    assert canonical_digest(messages) == canonical_digest([{"content": "No effusion.", "role": "user"}])
    assert canonical_digest(messages) != canonical_digest([{"role": "user", "content": "No effusion"}])
    assert canonical_digest("\ud800") != canonical_digest("\ud801")
