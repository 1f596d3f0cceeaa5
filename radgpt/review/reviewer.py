"""Say who decides."""

import getpass


def login_name() -> str:
    """The name of who runs this; empty where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
