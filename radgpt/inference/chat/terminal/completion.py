"""Complete commands, and what they take: files, names of models, settings and their values."""

from collections.abc import Collection, Iterable
from typing import Any

from radgpt.inference.chat import decoding_settings
from radgpt.inference.chat.terminal.commands import COMMANDS, parsed

VALUES = {"do_sample": ("true", "false"), "temperature": ("0.2", "0.75", "1"), "top_p": ("0.9", "1"), "repetition_penalty": ("1", "1.2")}
"""Usual values of some settings."""


def choices(line: str, models: Iterable[str]) -> tuple[str, list[tuple[str, str]]] | None:
    """What may stand at the end of a line.

    Args:
        line: up to the cursor.
        models: names of `/model`.

    Returns:
        The part of the line that it would replace, and (text, remark) for each possibility; None for a message.
    """
    read = parsed(line)
    if read is None or "\n" in line:
        return None
    if " " not in line:
        return line, [(command.name, command.purpose) for command in COMMANDS if command.name.startswith(line)]
    command, argument = read
    if line.endswith(" "):
        argument += " "
    typed = argument.lstrip()
    if command == "/model":
        return typed, [(name, "") for name in models if name.startswith(typed)]
    if command == "/report":
        return typed, [(word, "") for word in ("sample", "off") if word.startswith(typed)]
    if command == "/adapter":
        return typed, [(word, "") for word in ("off",) if word.startswith(typed)]
    if command == "/set":
        name, space, value = typed.partition(" ")
        if not space:
            return name, [(known, "") for known in decoding_settings.names() if known.startswith(name)]
        return value, [(usual, "") for usual in VALUES.get(name.removeprefix("decoding."), ()) if usual.startswith(value)]
    return typed, []


def completer(models: Collection[str]) -> Any:
    """prompt_toolkit's, for the commands of the chat; `models` may grow."""
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
    from prompt_toolkit.document import Document

    paths = {
        "/report": PathCompleter(expanduser=True),
        "/save": PathCompleter(expanduser=True),
        "/adapter": PathCompleter(expanduser=True, only_directories=True),
    }

    class Commands(Completer):
        """Completes the end of a line that begins with a slash."""

        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            line = document.text_before_cursor
            found = choices(line, models)
            if found is None:
                return
            typed, possible = found
            for text, remark in possible:
                yield Completion(text, start_position=-len(typed), display_meta=remark)
            command, space, _ = line.partition(" ")
            if space and command in paths:
                yield from paths[command].get_completions(Document(typed, len(typed)), complete_event)

    return Commands()
