"""What ends a run on purpose: what a user can mend (a single line, exit code 2, no traceback), and the end of a dry run."""


class UserError(Exception):
    """Say what is wrong, name the setting as typed, and give the mend, in one line.

    The text must never quote a report: it reaches the console, the log and the manifest.
    """


class DryRunEnd(Exception):  # noqa: N818 (it is no error)
    """A dry run has counted all that it would ask; the text is what it tells the user. The exit code is 0."""
