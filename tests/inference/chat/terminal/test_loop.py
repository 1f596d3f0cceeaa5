"""Lines in, answers out; commands do what /help says, and mistakes cost one line."""

import json
import os
import signal
import threading
from collections.abc import Generator
from pathlib import Path
from threading import Event

import jsonlines
import pytest
from fake_backend import FakeBackend
from terminal_talk import lines, talk

from radgpt.config import Governance
from radgpt.errors import UserError
from radgpt.inference.chat.terminal.commands import COMMANDS
from radgpt.inference.chat.terminal.conversation import Conversation
from radgpt.inference.chat.terminal.loop import ACTIONS, converse

REPORT = "INDICATION: Cough.\nFINDINGS: Small left pleural effusion. No pneumothorax.\nIMPRESSION: Effusion."


@pytest.fixture
def report(tmp_path: Path) -> Path:
    file = tmp_path / "my report.txt"
    file.write_text(f"\ufeff{REPORT}\n", encoding="utf-8")
    return file


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def backend(conversation: Conversation, name: str = "this") -> FakeBackend:
    found = conversation.models.open(name)
    assert isinstance(found, FakeBackend)
    return found


def test_messages_are_answered_until_the_input_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, ["Is there a fracture?\n", "\n", "Which side?"], ["No.", "  Left."])
    assert printed(capsys) == ["No.", "Left."]
    assert [turn.turns_in_view for turn in chat.told] == [0, 1]
    with jsonlines.open(tmp_path / "transcript.jsonl") as rows:
        assert [row["user"] for row in rows] == ["Is there a fracture?", "Which side?"]


def test_exit_ends_the_chat_and_so_does_an_interrupt_while_waiting(tmp_path: Path) -> None:
    assert talk(tmp_path, ["/exit", "Hello."]).told == []
    assert talk(tmp_path, ["/quit", "Hello."]).told == []

    def interrupted(default: str = "") -> str | None:
        raise KeyboardInterrupt

    converse(talk(tmp_path, []), interrupted)


def test_what_is_unusual_about_an_answer_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk(tmp_path, ["/set max_new_tokens 2", "Count.", "Again."], ["one two three", ""])
    assert printed(capsys) == [
        "(decoding.max_new_tokens=2)",
        "one two",
        "(cut: no room was left for more; decoding.max_new_tokens sets the limit)",
        "(the answer is empty)",
    ]


def test_control_characters_of_models_and_files_never_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.txt").write_text("FINDINGS: a\x1b[2Jb\x9bc")
    chat = talk(tmp_path, [f"/report {tmp_path}/r.txt", "/report", "Hello.", "/why"], ["No \x1b]0;x\x07effusion."])
    assert chat.session.report == "FINDINGS: a\x1b[2Jb\x9bc"
    assert not set(capsys.readouterr().out) & {"\x1b", "\x9b", "\x07"}


def test_old_turns_that_go_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk(tmp_path, ["/set max_new_tokens 10", *["one two three four five"] * 5], ["six seven eight nine ten"] * 5, window=50)
    assert "no longer fit; the system prompt is kept)" in capsys.readouterr().out


def test_report_opens_shows_by_sections_and_closes(tmp_path: Path, report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, ["Hello.", f"/report {report}", "/report", "Which side?", "/report off", "Why?"], ["Hi.", "Left.", "So."])
    assert [turn.conversation for turn in chat.told] == [1, 2, 3]
    assert backend(chat).calls[1].messages[1]["content"] == f"{REPORT} Which side?"
    assert printed(capsys) == [
        "Hi.",
        "(a new conversation about this report: indication 1 word, findings 6 words, impression 1 word)",
        "INDICATION",
        "  Cough.",
        "FINDINGS",
        "  Small left pleural effusion. No pneumothorax.",
        "IMPRESSION",
        "  Effusion.",
        "Left.",
        "(a new conversation about no report)",
        "So.",
    ]


def test_samples_come_one_after_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def with_samples(chat: Conversation) -> None:
        chat.samples = iter(["FINDINGS: one.", "FINDINGS: two."])

    chat = talk(tmp_path, ["/report sample", "/report sample", "/report sample"], prepare=with_samples)
    assert chat.session.report == "FINDINGS: two."
    assert printed(capsys)[-1] == "(the test split has no further report)"
    talk(tmp_path, ["/report sample"])
    assert "chat.report=sample" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "No such file"), (b"", "is empty"), (b"\xff\xfe\x00", "is not UTF-8 text"), ("folder", "Is a directory")],
)
def test_a_bad_report_is_one_line_and_the_chat_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | str | None, complaint: str
) -> None:
    file = tmp_path / "report"
    if content == "folder":
        file.mkdir()
    elif isinstance(content, bytes):
        file.write_bytes(content)
    chat = talk(tmp_path, [f"/report {file}", "/report", "/report a\0b", "/report ~nobody-here/x", "Hello."])
    assert len(chat.told) == 1
    assert complaint in printed(capsys)[0]


def test_a_report_of_a_stricter_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text(json.dumps({"stage": "preprocess", "key": "x", "governance": "credentialed"}))
    (tmp_path / "run" / "r.txt").write_text("FINDINGS: secret.")
    chat = talk(tmp_path, [f"/report {tmp_path}/run/r.txt", f"/adapter {tmp_path}/run"])
    assert chat.session.report is None and chat.session.backend.name == "this"
    refusals = printed(capsys)
    assert "is from a credentialed run, and this chat is open; start one with chat.report=" in refusals[0]
    assert "inputs.checkpoint=" in refusals[1]

    def credentialed(chat: Conversation) -> None:
        chat.governance = Governance.credentialed

    assert talk(tmp_path, [f"/report {tmp_path}/run/r.txt"], prepare=credentialed).session.report == "FINDINGS: secret."


def test_models_are_listed_and_one_goes_on_with_the_conversation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, ["Is there a fracture?", "/set temperature 0.3", "/model", "/model gpt", "Which side?", "/model"], ["No."])
    assert [message["content"] for message in backend(chat, "gpt").calls[0].messages[1:]] == ["Is there a fracture?", "No.", "Which side?"]
    # As `gpt` is configured, but for what was set by hand.
    assert (chat.session.decoding.max_new_tokens, chat.session.decoding.temperature) == (300, 0.3)
    assert printed(capsys) == [
        "No.",
        "(decoding.temperature=0.3)",
        "* this    tiny + runs/1/checkpoint",
        "  gpt     big-model (local)",
        "  broken  tiny",
        "(gpt answers from here on (sampled: temperature 0.3, top_p 0.9, top_k 100, repetition_penalty 1.2))",
        "You said: Which side?",
        "  this    tiny + runs/1/checkpoint",
        "* gpt     big-model (local)",
        "  broken  tiny",
    ]


def test_a_model_that_cannot_be_opened_leaves_the_other_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, ["/model broken", "/model nobody", "Hello."])
    assert chat.told[0].model == "this"
    assert printed(capsys)[:2] == [
        "(its weights are gone)",
        "(there is no model nobody; there are this, gpt, broken, and the setting models names more)",
    ]


def test_an_adapter_is_laid_over_the_base_and_taken_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "tuned"
    folder.mkdir()
    typed = ["/adapter", f"/adapter {folder}", "A?", f"/adapter {folder}", "/adapter off", "B?", "/adapter", "/adapter off", "/model this"]
    chat = talk(tmp_path, typed)
    assert [turn.model for turn in chat.told] == ["tuned", "base"]
    assert list(chat.models.named) == ["this", "gpt", "broken", "tuned", "base"]
    assert chat.models.named["base"].checkpoint is None and chat.session.backend.name == "this"


def test_no_adapter_where_there_is_none_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk(tmp_path, ["/adapter nowhere", "/model gpt", "/adapter off"])
    lines_told = printed(capsys)
    assert lines_told[0] == "(nowhere is no folder)"
    assert "behind an endpoint" in lines_told[-1]


def test_the_system_prompt_is_shown_and_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, ["/system", "/system Answer in rhyme.", "Hello."])
    assert printed(capsys)[0] == "You read reports."
    assert backend(chat).calls[0].messages[0]["content"] == "Answer in rhyme."


def test_settings_are_listed_and_set_and_mistakes_name_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = [
        "/set temperature 0.2",
        "/set decoding.top-k=7",
        "/set do_sample off",
        "/set top_p 0.5",
        "/set repetition_penalty",
        "/set temprature 1",
        "/set top_k many",
        "/set top_p 2",
        "/set num_beams 4",
        "/set temperature nan",
        "/set",
    ]
    chat = talk(tmp_path, typed)
    assert (chat.session.decoding.temperature, chat.session.decoding.top_k, chat.session.decoding.do_sample) == (0.2, 7, False)
    assert printed(capsys) == [
        "(decoding.temperature=0.2)",
        "(decoding.top_k=7)",
        "(decoding.do_sample=false)",
        "(decoding.top_p=0.5, which means nothing while decoding.do_sample=false)",
        "(decoding.repetition_penalty=1.2)",
        "(decoding.temprature is no setting; did you mean decoding.temperature?; there are max_new_tokens, do_sample, temperature, top_p, "
        "top_k, repetition_penalty, num_beams)",
        "(decoding.top_k takes a whole number)",
        "(decoding.top_p=2.0 must lie in (0, 1])",
        "(decoding.num_beams=4 cannot be shown word by word; chat with decoding.num_beams=1)",
        "(decoding.temperature takes a finite number)",
        "decoding.max_new_tokens      200",
        "decoding.do_sample           false",
        "decoding.temperature         0.2",
        "decoding.top_p               0.5",
        "decoding.top_k               7",
        "decoding.repetition_penalty  1.2",
        "decoding.num_beams           1",
    ]


def test_retry_edit_and_undo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, ["A?", "/retry", "B?", "/edit C?", "/edit", "/undo", "/undo", "/undo"], ["1", "2", "3", "4"])
    assert [call.messages[-1]["content"] for call in backend(chat).calls] == ["A?", "A?", "B?", "C?"]
    assert printed(capsys) == [
        *("1", "2", "3", "4"),
        "(/edit needs the new text of your last message)",
        "(taken back; 1 turn left)",
        "(taken back; 0 turns left)",
        "(nothing has been said yet in this conversation)",
    ]


def test_retry_asks_again_what_came_to_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, ["A?", "B?", "/retry", "/retry"], ["1", UserError("backend: it is gone"), "2", "3"])
    assert [call.messages[-1]["content"] for call in backend(chat).calls] == ["A?", "B?", "B?", "B?"]
    assert [exchange.assistant for exchange in chat.session.turns] == ["1", "3"]
    assert printed(capsys)[1] == "(backend: it is gone)"


def test_edit_alone_puts_the_last_message_back_into_the_line(tmp_path: Path) -> None:
    given: list[str] = []
    typed = iter(["A?", "/edit", "/edit B?"])

    def read(default: str = "") -> str | None:
        given.append(default)
        return next(typed, None)

    chat = talk(tmp_path, [])
    chat.interactive = True
    converse(chat, read)
    assert given == ["", "", "/edit A?", ""]
    assert [exchange.user for exchange in chat.session.turns] == ["B?"]


def test_why_shows_what_supports_the_answer_and_what_does_not_stand_there(
    tmp_path: Path, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = "There is a right effusion. No pneumothorax. Hello!"
    talk(tmp_path, ["/why", f"/report {report}", "/why", "What is seen?", "/why"], [answer])
    told = printed(capsys)
    assert told[0] == told[2] == "(there is no answer about a report yet)"
    assert told[4:] == [
        "There is a right effusion.",
        "  findings: Small left pleural effusion.",
        "  another side than in the report: «right»",
        "No pneumothorax.",
        "  findings: No pneumothorax.",
        "Hello!",
        "  nothing that can be checked by rule",
        "(found by rules for reports of chest radiographs, which miss things and err)",
    ]


def test_stats_add_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk(tmp_path, ["/stats", "one two", "three", "/stats"], ["a b", "c"])
    told = printed(capsys)
    assert told[0] == "answers        0, of which 0 stopped"
    assert told[8:11] == [
        "answers        2, of which 0 stopped",
        "new tokens     5",
        "prompt tokens  21, of which 7 reused (33.3 %)",
    ]


def test_save_writes_a_new_file_as_text_or_with_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, table = tmp_path / "talk.md", tmp_path / "talk.jsonl"
    talk(tmp_path, ["Hello.", f"/save {text}", f"/save {text}", f"/save {table}", "/save /no/such/x", "/save a\0b", "/save"], ["Hi."])
    assert text.read_text() == "> Hello.\n\nHi.\n"
    assert table.read_bytes() == (tmp_path / "transcript.jsonl").read_bytes()
    assert printed(capsys)[1:] == [
        f"(saved to {text})",
        f"({text} exists already; choose another name)",
        f"(saved to {table})",
        "(/no/such/x: No such file or directory)",
        "(ab is no file name)",
        f"(the transcript is kept in {tmp_path / 'transcript.jsonl'})",
    ]


def test_help_names_every_command_and_others_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, ["/help", "/repotr x", "/xyzzy", "//etc/hosts?"], ["A file."])
    told = printed(capsys)
    assert [command.name for command in COMMANDS] == list(ACTIONS)
    for command in COMMANDS:
        assert any(line.startswith(command.usage) for line in told)
    assert told[-3:] == ["(/repotr is no command; did you mean /report?)", "(/xyzzy is no command; /help lists them)", "A file."]
    assert backend(chat).calls[0].messages[-1]["content"] == "/etc/hosts?"


def test_a_message_too_long_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, ["why " * 500, "Hello."], window=100)
    assert [turn.user for turn in chat.told] == ["Hello."]
    assert "the model's window has 100" in printed(capsys)[0]


def interrupting(number: int) -> None:
    """Send this process a signal, as the terminal does for Ctrl-C."""
    os.kill(os.getpid(), number)


def test_ctrl_c_stops_the_answer_and_keeps_the_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, [])
    chat.interactive = True
    model = backend(chat)
    model.replies, model.hold = ["one two three", "four"], Event()
    threading.Thread(target=lambda: (model.begun.wait(5), interrupting(signal.SIGINT)), daemon=True).start()
    converse(chat, lines("Count."))
    model.hold = None
    converse(chat, lines("Go on."))
    assert printed(capsys) == ["one", "(stopped)", "four"]
    assert [exchange.assistant for exchange in chat.session.turns] == ["one", "four"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_ends_an_answer_that_the_first_one_did_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, [])
    chat.interactive = True
    model = backend(chat)

    def deaf(*_: object) -> Generator[str, None, None]:
        yield "one"
        while True:
            interrupting(signal.SIGINT)

    model.stream = deaf  # type: ignore[method-assign, assignment]
    converse(chat, lines("Count."))
    assert printed(capsys) == ["one", "(stopped)"]
    assert [exchange.assistant for exchange in chat.session.turns] == ["one"]


def test_ctrl_c_while_a_model_is_loaded_keeps_the_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chat = talk(tmp_path, ["A?"], ["1"])
    chat.interactive = True
    chat.models.open = lambda name: interrupting(signal.SIGINT)  # type: ignore[method-assign, assignment, func-returns-value]
    converse(chat, lines("/model gpt", "B?"))
    assert printed(capsys) == ["1", "(stopped)", "You said: B?"]


def test_an_end_from_outside_ends_the_chat_and_is_recorded(tmp_path: Path) -> None:
    chat = talk(tmp_path, [])
    chat.interactive = True

    def told_to_end(*_: object) -> Generator[str, None, None]:
        yield "one"
        raise KeyboardInterrupt

    backend(chat).stream = told_to_end  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        converse(chat, lines("Count.", "Go on."))
    with jsonlines.open(tmp_path / "transcript.jsonl") as rows:
        assert [(row["assistant"], row["finish_reason"]) for row in rows] == [("one", "interrupted")]


def test_an_interrupt_where_nobody_sits_ends_the_chat(tmp_path: Path) -> None:
    chat = talk(tmp_path, [])
    model = backend(chat)
    model.replies, model.hold = ["one two three"], Event()
    threading.Thread(target=lambda: (model.begun.wait(5), interrupting(signal.SIGINT)), daemon=True).start()
    converse(chat, lines("Count.", "Go on."))
    assert [turn.finish_reason for turn in chat.told] == ["interrupted"]
