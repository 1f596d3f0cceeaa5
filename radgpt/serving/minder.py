"""Run a command, and end it with all that it started as soon as the process that asked for it ends, however that one ends.

Started by its path, as a process of its own that needs nothing but the standard library: `python minder.py COMMAND …`. Its standard input
is a pipe whose other end only the asking process holds, so that even a killed one closes it.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

GRACE = 10.0
"""Seconds that the command has to end once it was asked to."""


def main(command: list[str]) -> int:
    """Run the command to its end or to that of the asking process; gives its exit code, as a shell would tell it."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    signal.signal(signal.SIGTERM, lambda *_: end(child.pid, signal.SIGTERM))
    threading.Thread(target=end_with_parent, args=(child,), daemon=True).start()
    code = child.wait()
    end(child.pid, signal.SIGKILL)  # what it left running
    return code if code >= 0 else 128 - code


def end_with_parent(child: "subprocess.Popen[bytes]") -> None:
    """Wait until the pipe is closed, then ask the command to end, and insist after a while."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    end(child.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE)
        return
    end(child.pid, signal.SIGKILL)


def end(group: int, how: signal.Signals) -> None:
    """Send a signal to all processes of the command's group that are left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, how)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
