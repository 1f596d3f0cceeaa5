"""What ends a run on purpose: what a user can mend (a single line, exit code 2, no traceback), and the end of a dry run."""

import re
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Say what is wrong, name the setting as typed, and give the mend, in one line.

    The text must never quote a report: it reaches the console, the log and the manifest.
    """


@contextmanager
def settings_of(section: str, *, written: str) -> Iterator[None]:
    """Let a UserError of the block that names settings of the section `written`, or one of its options, name the same ones of `section`.

    For sections that have the same settings, and the same code behind them.
    """
    try:
        yield
    except UserError as error:
        error.args = (re.sub(rf"\b{written}(?=\.\w|=\w)", section, str(error)), *error.args[1:])
        raise


class DryRunEnd(Exception):  # noqa: N818 (it is no error)
    """A dry run has counted all that it would ask; the text is what it tells the user. The exit code is 0."""
