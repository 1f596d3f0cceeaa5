"""What a command that was ended has left running."""

import subprocess
import time


def living(group: int) -> list[str]:
    """The processes of a group that have not ended; a zombie has, only its parent, which may be this machine's init, has not asked how."""
    listed = subprocess.run(["ps", "-o", "stat=,args=", "-g", str(group)], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if not line.startswith("Z")]


def left_behind(group: int, seconds: float = 10) -> list[str]:
    """Those that are still there after so many seconds."""
    deadline = time.monotonic() + seconds
    while (found := living(group)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
