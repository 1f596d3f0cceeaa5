"""What is written fits the terminal, moves no cursor of its own accord, and is plain where nobody looks."""

import re
import time

import pytest

from radgpt.inference.chat.terminal.conversation import in_figures
from radgpt.inference.chat.terminal.screen import BOLD, Screen, Wrapping, printable
from radgpt.inference.chat.transcript import Turn


def shown(written: str) -> list[str]:
    """The lines of a terminal that was sent this: letters, line ends, CUB and EL."""
    lines = [""]
    for part in re.findall(r"\x1b\[\d*[DK]|\n|[^\x1b\n]+", written):
        if part == "\n":
            lines.append("")
        elif part.endswith("D") and part.startswith("\x1b"):
            lines[-1] = lines[-1][: -int(part[2:-1])]
        elif not part.startswith("\x1b"):
            lines[-1] += part
    return [line.rstrip() for line in lines]


def test_words_are_not_broken_though_they_come_in_pieces() -> None:
    wrapping = Wrapping(18)
    pieces = ["There is no", " pne", "umo", "thorax seen", " in this\n", "1. report"]
    assert shown("".join(map(wrapping.placed, pieces))) == ["There is no", "pneumothorax seen", "in this", "1. report"]


def test_every_split_gives_the_same_lines() -> None:
    text = "The heart is mildly enlarged. No pneumothorax, no effusion; the bones are intact."
    whole = shown(Wrapping(20).placed(text))
    assert max(map(len, whole)) <= 20 and " ".join(whole) == text
    for size in (1, 2, 3, 5):
        wrapping = Wrapping(20)
        assert shown("".join(wrapping.placed(text[start : start + size]) for start in range(0, len(text), size))) == whole


def test_an_indented_line_goes_on_as_far_indented() -> None:
    assert shown(Wrapping(20).placed("FINDINGS\n  The heart is mildly enlarged.\nAll else is normal here.")) == [
        "FINDINGS",
        "  The heart is",
        "  mildly enlarged.",
        "All else is normal",
        "here.",
    ]


def test_a_word_longer_than_a_line_is_left_to_the_terminal() -> None:
    assert Wrapping(10).placed("x" * 25) == "x" * 25


def test_wide_letters_count_twice() -> None:
    assert shown(Wrapping(8).placed("흉부 사진 정상")) == ["흉부", "사진", "정상"]


def test_where_nobody_looks_all_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.wait("loading")
    screen.write("a long answer " * 20)
    screen.say()
    screen.say("told", BOLD)
    screen.remark("x")
    assert capsys.readouterr().out == "a long answer " * 20 + "\ntold\n(x)\n"


def test_a_sign_of_life_goes_before_the_answer_comes(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=True)
    screen.wait("loading")
    time.sleep(0.05)
    screen.write("No.")
    written = capsys.readouterr().out
    assert "loading" in written and written.endswith("\r\x1b[KNo.")
    screen.say("told", BOLD)
    assert capsys.readouterr().out == "\x1b[1mtold\x1b[0m\n"


def test_no_colour_where_none_is_wanted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Screen(live=True).say("told", BOLD)
    assert capsys.readouterr().out == "told\n"


def test_control_characters_never_reach_the_terminal() -> None:
    assert printable("a\x1b[2Jb\r\x07\x9bc\n\td é") == "a[2Jbc\n\td é"


def test_figures_of_an_answer_stand_on_one_line() -> None:
    fields = {"session": "", "conversation": 1, "turn": 1, "attempt": 1, "event": "asked", "user": "", "assistant": "", "model": "this"}
    settings = {"finish_reason": "stop", "report_sha256": None, "system_sha256": "", "decoding": {}, "seed": 0, "turns_in_view": 0}
    turn = Turn(**fields, **settings, prompt_tokens=640, cached_tokens=612, new_tokens=38)  # type: ignore[arg-type]
    assert in_figures(turn) == "38 tokens · 612 of 640 prompt tokens reused"
    timed = Turn(**vars(turn) | {"seconds_to_first_token": 0.312, "tokens_per_second": 11.24, "new_tokens": 1})
    assert in_figures(timed) == "1 token · 11.2 tokens/s · first after 0.31 s · 612 of 640 prompt tokens reused"
