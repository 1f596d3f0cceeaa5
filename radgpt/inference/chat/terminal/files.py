"""Files that a user names in the chat: reports to read, transcripts to write."""

from collections.abc import Iterable
from pathlib import Path

from radgpt.config import Governance
from radgpt.errors import UserError
from radgpt.governance.inheritance import is_stricter, recorded
from radgpt.inference.chat.session import Exchange


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


def folder_of(name: str) -> Path:
    """The folder of that name, links followed; raises UserError where there is none."""
    try:
        folder = Path(name).expanduser().resolve()
        if folder.is_dir():
            return folder
    except (OSError, ValueError, RuntimeError):  # too long a name, or as in read_report
        pass
    raise UserError(f"{name} is no folder")


def refuse_stricter(name: str, governance: Governance, setting: str) -> None:
    """Raise UserError for a file or folder of a run whose class is stricter than this chat's: what is said of it would not be protected.

    Args:
        name: the file or folder.
        governance: the class of this chat.
        setting: which setting opens it from the start, under the class that it needs.
    """
    try:
        found = recorded(Path(name))
    except (OSError, ValueError):  # a name that is too long, or holds a null byte, is no run's either
        return
    if found is not None and is_stricter(found, governance):
        raise UserError(f"{name} is from a {found.name} run, and this chat is {governance.name}; start one with {setting}={name}")


def save_new(name: str, turns: Iterable[Exchange], transcript: Path) -> Path:
    """Write the conversation to a new file: all rows of the transcript where it is called .jsonl, else as text to read.

    Raises:
        UserError: the file is there already, or cannot be written.
    """
    try:
        path = Path(name).expanduser()
        if path.suffix == ".jsonl":
            content = transcript.read_bytes()
        else:
            content = "\n".join(f"> {turn.user}\n\n{turn.assistant}\n" for turn in turns).encode()
        with open(path, "xb") as file:
            file.write(content)
    except FileExistsError:
        raise UserError(f"{name} exists already; choose another name") from None
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from None
    except (ValueError, RuntimeError):  # as in read_report
        raise UserError(f"{name} is no file name") from None
    return path
