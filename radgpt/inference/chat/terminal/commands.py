"""The commands of the chat: their names, what they take, and what they do."""

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command."""

    name: str
    takes: str
    """Its argument as the help shows it; empty for none."""
    purpose: str

    @property
    def usage(self) -> str:
        """As it is typed."""
        return f"{self.name} {self.takes}".rstrip()


COMMANDS = (
    Command("/report", "[FILE|sample|off]", "talk about a report; alone: show it by sections"),
    Command("/model", "[NAME]", "let another model go on; alone: list them"),
    Command("/adapter", "[FOLDER|off]", "put an adapter on the base, or none"),
    Command("/system", "[TEXT]", "set the system prompt; alone: show it"),
    Command("/set", "[NAME VALUE]", "draw differently (temperature 0.2); alone: list"),
    Command("/retry", "", "answer the last message again"),
    Command("/edit", "[TEXT]", "replace your last message; alone: put it in the line"),
    Command("/undo", "", "take the last turn back"),
    Command("/why", "", "what in the report supports the last answer"),
    Command("/stats", "", "tokens, speed and how much was reused"),
    Command("/save", "[FILE]", "write the conversation (.jsonl: with its settings)"),
    Command("/reset", "", "forget the turns so far; a report stays"),
    Command("/help", "", "this list"),
    Command("/exit", "", "end the chat, as Ctrl-D does; Ctrl-C stops an answer"),
)

ALSO = {"/quit": "/exit", "/?": "/help", "/q": "/exit"}
"""Other spellings."""


def parsed(line: str) -> tuple[str, str] | None:
    """(command, argument) of a line that begins with a slash; None for a message, which `//` at the beginning makes of any line."""
    if not line.startswith("/") or line.startswith("//"):
        return None
    command, _, rest = line.partition(" ") if "\n" not in line.partition(" ")[0] else line.partition("\n")
    return ALSO.get(command, command), rest.strip()


def message_of(line: str) -> str:
    """The message in a line that is no command: `//etc` says `/etc`."""
    return line[1:] if line.startswith("//") else line


def nearest(command: str) -> str | None:
    """The command that was probably meant."""
    return next(iter(difflib.get_close_matches(command, [known.name for known in COMMANDS], n=1, cutoff=0.5)), None)


def help_text() -> str:
    """All commands, one a line, and how to write several lines."""
    width = max(len(command.usage) for command in COMMANDS)
    listed = [f"{command.usage:<{width}}  {command.purpose}" for command in COMMANDS]
    return "\n".join([*listed, "", "Esc-Enter, or \\ at its end, breaks a line. // begins a message with a slash."])
