"""Where the user's lines come from: a prompt with editing, completion and a status line, or plain standard input."""

import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, Protocol

from radgpt.inference.chat.terminal.screen import printable


class ReadLine(Protocol):
    """Gives the next message or command, several lines of it where the user wants; None at the end of input."""

    def __call__(self, default: str = "") -> str | None:
        """`default` already stands in the line, where lines can be edited.

        Raises:
            KeyboardInterrupt: something wants this process to end.
        """


def is_terminal() -> bool:
    """Whether somebody types and looks."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def plain_lines() -> ReadLine:
    """Lines of standard input; one that ends in a backslash goes on in the next one."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # a stray byte in a pipe is no reason to end

    def read(default: str = "") -> str | None:
        lines: list[str] = []
        while line := sys.stdin.readline():
            lines.append(line.rstrip("\r\n"))
            if not lines[-1].endswith("\\"):
                break
            lines[-1] = lines[-1][:-1]
        return "\n".join(lines) if lines else None

    return read


def typed_lines(completer: Any, toolbar: Callable[[], str], hint: Callable[[], None]) -> ReadLine:
    """Lines typed at a prompt with a history in memory.

    Enter sends, Esc-Enter and a backslash before Enter break the line, Ctrl-C empties it, Ctrl-D in an empty one ends the input.

    Args:
        completer: prompt_toolkit's.
        toolbar: the line at the bottom, asked for each time that it is drawn.
        hint: called at Ctrl-C in an empty line.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import has_focus
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.styles import Style

    keys = KeyBindings()
    in_line = has_focus(DEFAULT_BUFFER)

    @keys.add("enter", filter=in_line)
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.current_line_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=in_line)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c", filter=in_line)
    @keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=CtrlCError())

    session: PromptSession[str] = PromptSession(
        "> ",
        multiline=True,
        prompt_continuation="  ",
        completer=completer,
        complete_while_typing=True,
        key_bindings=keys,
        bottom_toolbar=lambda: printable(toolbar()),
        style=Style.from_dict({"bottom-toolbar": "noreverse fg:ansibrightblack"}),
    )

    def read(default: str = "") -> str | None:
        while True:
            try:
                return session.prompt(default=default)
            except CtrlCError:
                hint()
            except EOFError:
                return None

    return read


class CtrlCError(Exception):
    """Ctrl-C at an empty prompt."""
