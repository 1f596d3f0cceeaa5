"""Start worker processes that end with their parent and leave Ctrl-C to it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process

from radgpt.errors import UserError

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def pool(workers: int, mend: str, prepare: Callable[[], None] | None = None) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with this one, however it ends; what has not begun is dropped when the block is left early.

    They start at once, and are there when the first work is.

    Args:
        mend: what a user may do where one is killed.
        prepare: called in each of them before its first work.

    Raises:
        UserError: one was killed.
    """
    # Forked workers would share W&B's threads and locks.
    started = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=begin_work, initargs=(prepare,))
    try:
        with interrupts_held():
            # Each call starts one process, as none is idle yet.
            for _ in range(workers):
                started.submit(os.getpid)
        yield started
    except BrokenProcessPool:
        raise UserError(f"a worker process was killed, most often for want of memory; free some, or {mend}") from None
    finally:
        started.shutdown(cancel_futures=True)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block has ended, as a pool that is half started cannot be shut down.

    Processes that start within it see neither, not even while they import, until they unblock them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    handlers = {number: signal.signal(number, lambda received, _: held.append(received)) for number in INTERRUPTS}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for received in held:
            signal.raise_signal(received)


def begin_work(prepare: Callable[[], None] | None) -> None:
    """Leave Ctrl-C to the parent, let it terminate this worker (as where another one was killed), and end if it is killed."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    parent = parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare()
