"""One file of a table, and what a user is told where it cannot be read to its end."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
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
        return self.suffix.endswith(".gz")

    @contextmanager
    def opened(self, mode: Literal["rb", "rt"]) -> Iterator[IO[Any]]:
        """The file as bytes or as text with its line breaks as they stand; raises UserError where it is broken."""
        text = {"encoding": "utf-8-sig", "newline": ""} if mode == "rt" else {}
        try:
            with gzip.open(self.path, mode, **text) if self.zipped else open(self.path, mode, **text) as file:  # type: ignore[call-overload]
                yield file
        except UnicodeDecodeError:
            raise UserError(f"{self.path} is not UTF-8 text; convert it, for example with iconv") from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise UserError(f"{self.path} is no whole gzip file; make or copy it again") from None
