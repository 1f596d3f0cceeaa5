"""The one exception for what a user can mend: shown as a single line, exit code 2, no traceback."""


class UserError(Exception):
    """Say what is wrong, name the setting as typed, and give the mend, in one line.

    The text must never quote a report: it reaches the console, the log and the manifest.
    """
