"""Talk with a model in the terminal: lines in, streamed answers out, commands that start with a slash."""

import sys
import unicodedata
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path

import jsonlines

from radgpt.errors import UserError
from radgpt.inference.session import INTERRUPTED, ChatSession, Turn
from radgpt.records import as_row

BANNER = "Research software, not for clinical use: answers may be wrong."

COMMANDS = {
    "/report FILE": "start a conversation about the report in a text file",
    "/reset": "forget the turns so far; a report stays",
    "/save [FILE]": "write the transcript to a file; without one, tell where it stands",
    "/help": "this list",
    "/exit": "end the chat, as Ctrl-D does; Ctrl-C stops an answer",
}

ReadLine = Callable[[], str | None]
"""Gives the next line; None at the end of input."""


def converse(session: ChatSession, read_line: ReadLine, keep: Callable[[], Path]) -> None:
    """Answer line by line until the input ends, `/exit`, or Ctrl-C while waiting.

    Args:
        session: remembers the conversation.
        read_line: where the user's lines come from.
        keep: writes the transcript so far and gives its place; called after every turn.
    """
    while (line := next_line(read_line)) is not None:
        line = line.strip()
        if not line:
            continue
        command, _, rest = line.partition(" ")
        argument = rest.strip()
        match command:
            case "/exit" | "/quit":
                break
            case "/help":
                width = max(map(len, COMMANDS))
                say("\n".join(f"{name:<{width}}  {purpose}" for name, purpose in COMMANDS.items()))
            case "/reset":
                session.reset()
                say("(a new conversation)")
            case "/report":
                say(open_report(session, argument))
            case "/save":
                say(save(session.transcript, argument, keep))
            case _ if command.startswith("/"):
                say(f"({printable(command)} is no command; /help lists them)")
            case _:
                try:
                    turn = answer(session, line)
                except UserError as error:
                    say(f"({error})")
                    continue
                keep()
                if turn.finish_reason == INTERRUPTED and not sys.stdin.isatty():
                    break  # nobody typed Ctrl-C: something wants this process to end


def next_line(read_line: ReadLine) -> str | None:
    """The next line; None where Ctrl-C interrupts the wait."""
    try:
        return read_line()
    except KeyboardInterrupt:
        return None


def answer(session: ChatSession, message: str) -> Turn:
    """Stream the answer to one message, and say what was unusual about it."""
    turn = session.reply(message, write=lambda text: print(printable(text), end="", flush=True), notice=lambda line: say(f"({line})"))
    say("")
    if turn.finish_reason == INTERRUPTED:
        say("(stopped)")
    elif turn.finish_reason == "length":
        say("(cut: no room was left for more; decoding.max_new_tokens sets the limit)")
    return turn


def open_report(session: ChatSession, argument: str) -> str:
    """Load a report into the session; gives the line that says how it went."""
    if not argument:
        return "(/report needs the file's name)"
    try:
        session.open_report(read_report(argument))
    except UserError as error:
        return f"({printable(str(error))})"
    return "(a new conversation about this report)"


def read_report(name: str) -> str:
    """The text of a report file.

    Raises:
        UserError: the file cannot be read, is not UTF-8, or is empty.
    """
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{name} is not UTF-8 text") from None
    except (ValueError, RuntimeError):  # a null byte, or the home of a user whom nobody knows
        raise UserError(f"{name} is no file name") from None
    if not text:
        raise UserError(f"{name} is empty")
    return text


def save(transcript: Sequence[Turn], argument: str, keep: Callable[[], Path]) -> str:
    """Write the transcript to the file named, or where the run keeps it; gives the line that says where."""
    if not argument:
        return f"(the transcript is kept in {keep()})"
    path = Path(argument)
    try:
        path = path.expanduser()
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            jsonlines.Writer(file).write_all(map(as_row, transcript))
    except FileExistsError:
        return f"({printable(argument)} exists already; choose another name)"
    except OSError as error:
        return f"({printable(argument)}: {error.strerror})"
    except (ValueError, RuntimeError):  # as in read_report
        return f"({printable(argument)} is no file name)"
    return f"(saved to {printable(str(path))})"


def lines_of_terminal() -> ReadLine:
    """Lines typed with editing and a history in memory where there is a terminal, plain lines of standard input elsewhere."""
    if not sys.stdin.isatty():
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")  # a stray byte in a pipe is no reason to end
        return lambda: sys.stdin.readline() or None

    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter

    names = [name.partition(" ")[0] for name in COMMANDS]
    prompt: PromptSession[str] = PromptSession(completer=WordCompleter(names, sentence=True))

    def typed() -> str | None:
        try:
            return prompt.prompt("> ")
        except EOFError:
            return None

    return typed


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def printable(text: str) -> str:
    """A text without control characters, with which a report or a model could move the cursor, and without what UTF-8 cannot hold."""
    return "".join(letter for letter in text if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cs"))
