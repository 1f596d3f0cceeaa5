"""Read lines and do what they say until the chat ends."""

from collections.abc import Callable
from contextlib import nullcontext

from radgpt.errors import UserError
from radgpt.inference.chat.terminal import about_models, about_reports, about_turns
from radgpt.inference.chat.terminal.commands import help_text, message_of, nearest, parsed
from radgpt.inference.chat.terminal.conversation import Conversation
from radgpt.inference.chat.terminal.lines import ReadLine
from radgpt.inference.chat.terminal.stopping import BrokenOffError, broken_off_by_ctrl_c


def tell_commands(talk: Conversation, _: str) -> None:
    """List the commands."""
    talk.screen.say(help_text())


def leave(talk: Conversation, _: str) -> None:
    """End the chat."""
    talk.over = True


ACTIONS: dict[str, Callable[[Conversation, str], None]] = {
    "/report": about_reports.report,
    "/model": about_models.model,
    "/adapter": about_models.adapter,
    "/system": about_models.system,
    "/set": about_models.change,
    "/retry": about_turns.retry,
    "/edit": about_turns.edit,
    "/undo": about_turns.undo,
    "/why": about_turns.why,
    "/stats": about_turns.stats,
    "/save": about_turns.save,
    "/reset": about_turns.reset,
    "/help": tell_commands,
    "/exit": leave,
}


def converse(talk: Conversation, read_line: ReadLine) -> None:
    """Answer line by line until the input ends, `/exit`, or something wants the process to end.

    Raises:
        KeyboardInterrupt: it was told to end while it answered.
    """
    while not talk.over:
        default, talk.line = talk.line, ""
        try:
            line = read_line(default)
        except KeyboardInterrupt:
            return
        if line is None:
            return
        if line.strip():
            handle(talk, line.strip())


def handle(talk: Conversation, line: str) -> None:
    """Carry out a command, or answer a message; a mistake of the user costs one line."""
    try:
        with broken_off_by_ctrl_c() if talk.interactive else nullcontext():
            carry_out(talk, line)
    except UserError as error:
        talk.screen.remark(str(error))
    except BrokenOffError:
        talk.screen.remark("stopped")


def carry_out(talk: Conversation, line: str) -> None:
    """Do what a line says."""
    read = parsed(line)
    if read is None:
        talk.ask(message_of(line))
    elif read[0] in ACTIONS:
        ACTIONS[read[0]](talk, read[1])
    else:
        near = nearest(read[0])
        talk.screen.remark(f"{read[0]} is no command; {f'did you mean {near}?' if near else '/help lists them'}")
