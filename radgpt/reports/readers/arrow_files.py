"""The Arrow files behind a dataset, mapped into memory, so that rows need be neither sent to other processes nor copied."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from radgpt.errors import UserError


def files_of(dataset: Any) -> tuple[str, ...] | None:
    """The files that hold a dataset's rows in their order; None where it has no such files, or they hold other rows or another order."""
    # A selection or a shuffle leaves the files as they are and keeps the rows' numbers beside them, which no public member tells.
    if not hasattr(dataset, "cache_files") or dataset._indices is not None:
        return None
    files = tuple(file["filename"] for file in dataset.cache_files)
    # A selection of neighbours is a slice without such numbers, and a dataset may be in memory in part.
    return files if sum(mapped(file).num_rows for file in files) == len(dataset) else None


@lru_cache(maxsize=4)
def columns_of(files: tuple[str, ...], changed: tuple[int, ...], wanted: tuple[str, ...]) -> list[Any]:
    """The columns of files as they were at their times of change."""
    import pyarrow

    table = pyarrow.concat_tables(map(mapped, files)).select(list(wanted))
    # Damaged lengths would else be followed to wherever they lead.
    table.validate()
    return table.columns


def mapped(file: str) -> Any:
    """The table in a file."""
    import pyarrow

    return pyarrow.ipc.open_stream(pyarrow.memory_map(file)).read_all()


@contextmanager
def whole(place: str) -> Iterator[None]:
    """Turn pyarrow's complaints of a broken file into a line for the user that begins with `place`."""
    import pyarrow

    try:
        yield
    except PermissionError:
        raise
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError):
        raise UserError(f"{place}: no whole Arrow file; make or copy the dataset again") from None
