"""Turn ids into text as they come, never half a character."""

from typing import Any

INCOMPLETE = "\ufffd"
"""What a tokenizer gives for bytes that are no whole character (yet)."""

LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8 at most, and so tokens."""


class StreamedText:
    """The text of growing ids, without special tokens and without white space at either end.

    Ids are decoded behind those before them, in a window of a few: a token alone may lose the space that it begins with.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._start = self._told = 0
        """Ids before `_told` are in the text; those from `_start` on are the window."""
        self._shown = 0
        """Characters of the window that were given out."""
        self._held = ""
        """White space that belongs to the text if more comes."""
        self.text = ""
        """All that was given out."""

    def add(self, token: int) -> str:
        """The piece of text that an id completes; often empty."""
        self._ids.append(token)
        decoded = self._decoded(self._start)
        broken = len(decoded) - len(decoded.rstrip(INCOMPLETE))
        if len(self._ids) - self._told > LONGEST_CHARACTER - 1:
            broken = min(broken, LONGEST_CHARACTER - 1)  # what stands before was no character and will be none
        piece = decoded[self._shown : len(decoded) - broken]
        self._shown += len(piece)
        if piece and not broken:  # what gave no text is no context that keeps the next token's space
            self._start, self._told = self._told, len(self._ids)
            self._shown = len(self._decoded(self._start))
        return self._give(piece)

    def end(self, broken_off: bool = False) -> str:
        """What is left; of ids that were broken off no character that is not whole."""
        piece = self._decoded(self._start)[self._shown :]
        if broken_off:
            piece = piece.rstrip(INCOMPLETE)
        self._shown += len(piece)
        return self._give(piece)

    def _give(self, piece: str) -> str:
        piece = self._held + piece
        if not self.text:
            piece = piece.lstrip()
        given = piece.rstrip()
        self._held = piece[len(given) :]
        self.text += given
        return given

    def _decoded(self, start: int) -> str:
        return str(self._tokenizer.decode(self._ids[start:], skip_special_tokens=True, clean_up_tokenization_spaces=False))


def text_of(tokenizer: Any, ids: list[int]) -> str:
    """The whole text of an answer, as `StreamedText` gives it."""
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)).strip()
