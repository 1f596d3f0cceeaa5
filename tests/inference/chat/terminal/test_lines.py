"""What keys and pipes give: messages of one line or several, completion, and an end that is no accident."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from radgpt.inference.chat.terminal.completion import choices, completer
from radgpt.inference.chat.terminal.lines import ReadLine, plain_lines, typed_lines

ENTER, ESCAPE, CTRL_C, CTRL_D, UP, TAB = "\r", "\x1b", "\x03", "\x04", "\x1b[A", "\t"


@contextmanager
def prompt(hint: Callable[[], None] = lambda: None) -> Iterator[tuple[PipeInput, ReadLine]]:
    """(keys, what reads them)."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield keys, typed_lines(completer(["this", "base"]), lambda: "this · 0 tokens", hint)


def test_enter_sends_a_line() -> None:
    with prompt() as (keys, read):
        keys.send_text(f"Is there a fracture?{ENTER}")
        assert read() == "Is there a fracture?"


def test_a_backslash_or_escape_before_enter_breaks_the_line() -> None:
    with prompt() as (keys, read):
        keys.send_text(f"one\\{ENTER}two{ESCAPE}{ENTER}three{ENTER}")
        assert read() == "one\ntwo\nthree"


def test_text_that_is_pasted_keeps_its_lines() -> None:
    with prompt() as (keys, read):
        keys.send_text(f"\x1b[200~FINDINGS:\nclear.\x1b[201~{ENTER}")
        assert read() == "FINDINGS:\nclear."


def test_a_default_stands_in_the_line() -> None:
    with prompt() as (keys, read):
        keys.send_text(f"?{ENTER}")
        assert read("/edit Which side") == "/edit Which side?"


def test_earlier_lines_come_back() -> None:
    with prompt() as (keys, read):
        keys.send_text(f"first{ENTER}")
        read()
        keys.send_text(f"{UP}{ENTER}")
        assert read() == "first"


def test_ctrl_c_empties_the_line_and_in_an_empty_one_gives_a_hint() -> None:
    hints: list[int] = []
    with prompt(lambda: hints.append(1)) as (keys, read):
        keys.send_text(f"oops{CTRL_C}fine{ENTER}")
        assert read() == "fine" and hints == []
        keys.send_text(f"{CTRL_C}on{ENTER}")
        assert read() == "on" and hints == [1]


def test_ctrl_d_ends_the_input() -> None:
    with prompt() as (keys, read):
        keys.send_text(CTRL_D)
        assert read() is None


def test_plain_lines_go_on_after_a_backslash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\\\ntwo\n\nthree\\"))
    read = plain_lines()
    assert [read(), read(), read(), read()] == ["one\ntwo", "", "three", None]


def test_a_stray_byte_in_a_pipe_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\xffb\n"), encoding="utf-8"))
    assert plain_lines()() == "a\ufffdb"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/re", ["/report", "/retry", "/reset"]),
        ("/report ", ["sample", "off"]),
        ("/report o", ["off"]),
        ("/model b", ["base"]),
        ("/adapter o", ["off"]),
        ("/set t", ["temperature", "top_p", "top_k"]),
        ("/set do_sample f", ["false"]),
        ("/set decoding.do_sample ", ["true", "false"]),
        ("/undo x", []),
    ],
)
def test_commands_and_what_they_take_are_completed(line: str, expected: list[str]) -> None:
    found = choices(line, ["this", "base"])
    assert found is not None and [text for text, _ in found[1]] == expected


@pytest.mark.parametrize("line", ["Is it /re", "", "//re", "/system a\n/re"])
def test_messages_are_not_completed(line: str) -> None:
    assert choices(line, ["this"]) is None


def test_files_are_completed(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("files")
    (folder / "report.txt").write_text("x")
    (folder / "runs").mkdir()

    def found(line: str) -> list[str]:
        return [completion.text for completion in completer([]).get_completions(Document(line), CompleteEvent())]

    assert found(f"/report {folder}/r") == ["eport.txt", "uns"]
    assert found(f"/adapter {folder}/r") == ["uns"]
    assert found(f"/model {folder}/r") == []
