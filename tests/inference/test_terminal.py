"""Lines in, answers out; commands do what /help says, and mistakes cost one line."""

from collections.abc import Callable, Iterable
from pathlib import Path

import jsonlines
import pytest
from tiny_model import greedy, tiny_model

from radgpt.config import ChatPrompt
from radgpt.errors import UserError
from radgpt.inference import terminal
from radgpt.inference.generation import Answerer
from radgpt.inference.session import ChatSession


def lines(*typed: str) -> Callable[[], str | None]:
    left = iter(typed)
    return lambda: next(left, None)


def converse(tmp_path: Path, typed: Iterable[str]) -> tuple[ChatSession, list[int]]:
    """(session after the lines, turns in the transcript at each writing)."""
    session = ChatSession(Answerer(*tiny_model(), greedy(), 0), ChatPrompt(system="You read reports.", first_turn="{report} {instruction}"))
    kept: list[int] = []

    def keep() -> Path:
        kept.append(len(session.transcript))
        return tmp_path / "transcript.jsonl"

    terminal.converse(session, lines(*typed), keep)
    return session, kept


def test_turns_are_answered_in_view_of_earlier_ones_until_the_input_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session, kept = converse(tmp_path, ["Is there a fracture?\n", "\n", "Which side?"])
    assert [(turn.user, turn.turns_in_view) for turn in session.transcript] == [("Is there a fracture?", 0), ("Which side?", 1)]
    assert kept == [1, 2]
    printed = capsys.readouterr().out
    assert all(terminal.printable(turn.assistant) in printed for turn in session.transcript)
    assert "decoding.max_new_tokens" in printed


def test_exit_ends_the_chat(tmp_path: Path) -> None:
    session, _ = converse(tmp_path, ["/exit", "Is there a fracture?"])
    assert session.transcript == []


def test_ctrl_c_while_waiting_ends_the_chat(tmp_path: Path) -> None:
    def interrupted() -> str | None:
        raise KeyboardInterrupt

    session, _ = converse(tmp_path, [])
    terminal.converse(session, interrupted, lambda: tmp_path)


def test_report_and_reset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "my report.txt"
    report.write_text("\ufeffFINDINGS: clear.\n", encoding="utf-8")
    session, _ = converse(tmp_path, ["Hello.", f"/report {report}", "Which side?", "/reset", "Why?"])
    assert [turn.conversation for turn in session.transcript] == [1, 2, 3]
    assert session.messages([], "x")[1]["content"] == "FINDINGS: clear. x"
    printed = capsys.readouterr().out
    assert "(a new conversation about this report)" in printed
    assert "FINDINGS" not in printed


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "No such file"), (b"", "is empty"), (b"\xff\xfe\x00", "is not UTF-8 text"), ("folder", "Is a directory")],
)
def test_a_bad_report_is_one_line_and_the_chat_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | str | None, complaint: str
) -> None:
    report = tmp_path / "report"
    if content == "folder":
        report.mkdir()
    elif isinstance(content, bytes):
        report.write_bytes(content)
    session, _ = converse(tmp_path, [f"/report {report}", "/report", "/report a\0b", "/report ~nobody-here/x", "Hello."])
    assert len(session.transcript) == 1
    assert complaint in capsys.readouterr().out.splitlines()[0]


def test_save_writes_a_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "talk.jsonl"
    converse(tmp_path, ["Hello.", f"/save {place}", f"/save {place}", f"/save {tmp_path}/no/such", "/save a\0b", "/save"])
    rows = list(jsonlines.open(place))
    assert [(row["user"], row["turn"], row["finish_reason"]) for row in rows] == [("Hello.", 1, "length")]
    printed = capsys.readouterr().out
    assert f"(saved to {place})" in printed
    assert "exists already" in printed
    assert "No such file" in printed
    assert "is no file name" in printed
    assert f"kept in {tmp_path / 'transcript.jsonl'}" in printed


def test_help_names_every_command_and_others_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session, _ = converse(tmp_path, ["/help", "/repotr x"])
    printed = capsys.readouterr().out
    for command in ("/report FILE", "/reset", "/save [FILE]", "/help", "/exit"):
        assert command in printed
    assert "(/repotr is no command; /help lists them)" in printed
    assert session.transcript == []


def test_a_message_too_long_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_model()[0].config, "max_position_embeddings", 100)
    session, _ = converse(tmp_path, ["why " * 500, "Hello."])
    assert [turn.user for turn in session.transcript] == ["Hello."]
    assert "the model's window has 100" in capsys.readouterr().out.splitlines()[0]


def test_control_characters_never_reach_the_terminal() -> None:
    assert terminal.printable("a\x1b[2Jb\r\x07\x9bc\n\td é") == "a[2Jbc\n\td é"


def test_read_report_names_the_file() -> None:
    with pytest.raises(UserError, match=r"nowhere\.txt: No such file"):
        terminal.read_report("nowhere.txt")
