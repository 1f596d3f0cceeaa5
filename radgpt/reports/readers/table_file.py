"""One file of a table, zipped or not, and what a user is told where it cannot be read to its end."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Any, Literal, NamedTuple

from radgpt.errors import UserError


class TableFile(NamedTuple):
    """One file of rows."""

    path: str
    suffix: str
    """What says how to read it, in lower case, such as `.csv.gz`."""
    split: str | None = None
    """The split that the file's name prescribes."""
    prefixed: bool = False
    """Whether report ids take the split before them."""

    @property
    def zipped(self) -> bool:
        """Whether it can only be read front to back."""
        return is_zipped(self.path)

    def opened(self, mode: Literal["rb", "rt"]) -> AbstractContextManager[IO[Any]]:
        """The file as `opened` gives it."""
        return opened(self.path, mode)


def is_zipped(path: str) -> bool:
    """Whether a file is in gzip's format, by its name."""
    return path.lower().endswith(".gz")


@contextmanager
def opened(path: str, mode: Literal["rb", "rt"], mend: str = "make or copy it again") -> Iterator[IO[Any]]:
    """A file as bytes or as text with its line breaks as they stand; raises UserError with `mend` where it is broken."""
    text = {"encoding": "utf-8-sig", "newline": ""} if mode == "rt" else {}
    try:
        with gzip.open(path, mode, **text) if is_zipped(path) else open(path, mode, **text) as file:  # type: ignore[call-overload]
            yield file
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; convert it, for example with iconv, or {mend}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UserError(f"{path} is no whole gzip file; {mend}") from None
