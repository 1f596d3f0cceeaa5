"""Write to the terminal: answers as they grow, remarks in dim, a sign of life while there is nothing to show."""

import os
import re
import shutil
import sys
import threading
import time
import unicodedata

DIM, BOLD, RED, GREEN = "2", "1", "31", "32"
"""Styles, as ANSI terminals number them (ECMA-48, SGR)."""

BRAILLE, PLAIN = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
FRAME_SECONDS = 0.1

ERASE_BACK = "\x1b[{}D\x1b[K"
"""Move the cursor back by so many columns, and clear the rest of the line (ECMA-48, CUB and EL)."""


class Screen:
    """Standard output; colours, signs of life and breaks between words only where it is a terminal."""

    def __init__(self, live: bool | None = None) -> None:
        """Look at what standard output is; `live` says it instead."""
        self.live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" if live is None else live
        self._coloured = self.live and not os.environ.get("NO_COLOR")
        self._spinner: Spinner | None = None
        self._answer = Wrapping(columns() - 1) if self.live else None

    def wait(self, what: str = "") -> None:
        """Show that something is going on, until the next output or `settle`."""
        self.settle()
        if self.live:
            self._answer = Wrapping(columns() - 1)
            self._spinner = Spinner(what)

    def settle(self) -> None:
        """Take that sign away."""
        if self._spinner is not None:
            self._spinner.end()
            self._spinner = None

    def write(self, piece: str) -> None:
        """A piece of an answer, without a line end."""
        self.settle()
        piece = printable(piece)
        print(piece if self._answer is None else self._answer.placed(piece), end="", flush=True)

    def say(self, text: str = "", style: str | None = None) -> None:
        """Lines of their own; an empty one also ends an answer's line."""
        self.settle()
        text = printable(text)
        if self.live:
            text = Wrapping(columns() - 1).placed(text)
            self._answer = Wrapping(columns() - 1)
        print(f"\x1b[{style}m{text}\x1b[0m" if style and self._coloured and text else text, flush=True)

    def remark(self, text: str) -> None:
        """A line about the conversation, in parentheses."""
        self.say(f"({text})", DIM)


class Wrapping:
    """Breaks lines between words, though words may come in pieces: what stands of one moves into the next line with it.

    A line that is indented goes on as far indented.
    """

    def __init__(self, width: int) -> None:
        """`width`: columns that may be written to."""
        self._width = width
        self._column = 0
        self._indent = ""
        """White space that the line began with, and the lines that it is broken into begin with."""
        self._word = ""
        """What stands before the cursor of a word that may go on."""

    def placed(self, piece: str) -> str:
        """What to write for a piece of text."""
        from prompt_toolkit.utils import get_cwidth

        written = []
        for part in re.findall(r"\n|[^\S\n]+|\S+", piece):
            width, begun = get_cwidth(part), get_cwidth(self._word)
            full = self._column + width > self._width
            if part == "\n":
                self._column, self._indent, self._word = 0, "", ""
            elif part.isspace():
                if self._column == 0 and width < self._width // 2:
                    self._indent = part
                if full:
                    part, width, self._column = f"\n{self._indent}", get_cwidth(self._indent), 0
                self._word = ""
                self._column += width
            else:
                if full and begun + get_cwidth(self._indent) < self._column and begun + width <= self._width:
                    written.append(f"{ERASE_BACK.format(begun) if begun else ''}\n{self._indent}{self._word}")
                    self._column = get_cwidth(self._indent) + begun
                self._word += part
                self._column += width
            written.append(part)
        return "".join(written)


class Spinner:
    """A sign that moves in a line of its own, with the seconds that have passed, until `end` clears the line."""

    def __init__(self, what: str) -> None:
        """Begin."""
        self._what = what
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Clear the line; nothing is written after this returns."""
        self._over.set()
        self._thread.join()

    def _spin(self) -> None:
        frames = BRAILLE if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else PLAIN
        start, number = time.monotonic(), 0
        while not self._over.wait(FRAME_SECONDS if number else 0):
            seconds = time.monotonic() - start
            told = f" {seconds:.0f} s" if seconds >= 1 else ""
            sys.stdout.write(f"\r\x1b[2m{frames[number % len(frames)]} {self._what}{told}\x1b[0m\x1b[K")
            sys.stdout.flush()
            number += 1
        sys.stdout.write("\r\x1b[K")
        sys.stdout.flush()


def columns() -> int:
    """Columns of the terminal."""
    return max(20, shutil.get_terminal_size().columns)


def printable(text: str) -> str:
    """A text without control characters, with which a report or a model could move the cursor, and without what UTF-8 cannot hold."""
    return "".join(letter for letter in text if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cs"))
