"""Several processes that were started by one command agree: the leader looks up and writes manifests, the others follow its orders.

They are the nodes of `launch.nodes`, or all ranks where `torchrun` or `deepspeed` was typed by hand. Orders are a few words of JSON
in the key-value store that PyTorch's processes meet at; what a stage reads and writes stands on the disk that all share.
"""

import json
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from radgpt.errors import UserError

POLL_SECONDS = 0.3
BEAT_SECONDS = 5.0
SILENCE_SECONDS = 300.0
"""A member that has not beaten for so long is taken for dead."""
GRACE_SECONDS = 30.0
"""After a failure elsewhere, a process that waits inside a collective, where no signal reaches it, is ended after so long."""
TAKEN, OBEYED = "taken", "obeyed"
END = "end"
"""The order that ends the followers."""


class MemberError(RuntimeError):
    """Another member of the crew failed; the text says which and why."""


class ToldElsewhereError(Exception):
    """Another rank failed, and tells of it on the console that it shares with this one."""


@dataclass
class Crew:
    """One member's view."""

    place: str
    """HOST:PORT of the store."""
    rank: int
    size: int
    noun: str
    """What a member is called: `node` or `rank`."""
    store: Any
    """torch.distributed.Store."""
    told: int = 0
    """Orders given or taken so far."""

    @property
    def leads(self) -> bool:
        """Whether this member is the leader."""
        return self.rank == 0

    @property
    def by_hand(self) -> bool:
        """Whether each rank is a process that the user's own launcher started."""
        return self.noun == "rank"

    def order(self, **words: Any) -> None:
        """Tell the followers what to do next (the leader calls it)."""
        self.told += 1
        self.store.set(f"order/{self.told}", json.dumps(words))

    def next_order(self) -> dict[str, Any]:
        """Wait for the leader's next order."""
        self.told += 1
        self._await(f"order/{self.told}")
        return dict(json.loads(self.store.get(f"order/{self.told}")))

    def report(self, word: str) -> None:
        """Tell the leader how far this follower is with the last order: TAKEN or OBEYED."""
        if self.store.add(f"{word}/{self.told}", 1) == self.size - 1:
            self.store.set(f"all {word}/{self.told}", "1")

    def await_all(self, word: str) -> None:
        """Wait until every follower has reported the word about the last order."""
        self._await(f"all {word}/{self.told}")

    def _await(self, key: str) -> None:
        while not self.store.check([key]):
            time.sleep(POLL_SECONDS)

    def fail(self, error: BaseException) -> bool:
        """Tell all members what failed here, where they can be told; whether it was the first failure."""
        try:
            first = self.store.add("failures", 1) == 1
        except RuntimeError:
            return True
        if first:
            words = {"rank": self.rank, "kind": type(error).__name__, "text": str(error)}
            self.store.set("failure", json.dumps(words))
        return first

    def failure(self) -> Exception | None:
        """The first failure of another member, as the error to raise here."""
        try:
            words = json.loads(self.store.get("failure")) if self.store.check(["failure"]) else None
        except RuntimeError:
            return MemberError(f"{self.noun} 0 cannot be reached any more at {self.place}")
        if words is None or words["rank"] == self.rank or words["kind"] == KeyboardInterrupt.__name__:
            return None
        if words["kind"] == UserError.__name__:
            return UserError(words["text"])
        return MemberError(f"{self.noun} {words['rank']} failed: {words['kind']}: {words['text']}")

    def watch(self, stopped: threading.Event) -> None:
        """Beat, and interrupt this process by SIGTERM once another member has failed or fallen silent (runs in a thread)."""
        store = room(connected(self.place, hosts=False))
        counts: dict[int, bytes] = {}
        heard: dict[int, float] = {}
        others = range(1, self.size) if self.leads else range(1)
        beat = 0.0
        try:
            while not stopped.wait(POLL_SECONDS):
                if store.check(["failure"]):
                    break
                now = time.monotonic()
                if now - beat < BEAT_SECONDS:
                    continue
                beat = now
                store.add(f"beat/{self.rank}", 1)
                for rank in others:
                    count = store.get(f"beat/{rank}") if store.check([f"beat/{rank}"]) else b""
                    if counts.get(rank) != count:
                        counts[rank], heard[rank] = count, now
                    if now - heard[rank] > SILENCE_SECONDS:
                        words = {"rank": rank, "kind": "silent", "text": f"no sign of life for {SILENCE_SECONDS:.0f} s"}
                        store.set("failure", json.dumps(words))
            else:
                return
        except RuntimeError:
            # The leader, or the launcher that holds the store, is gone; at a regular end it goes last.
            if stopped.wait(2 * POLL_SECONDS):
                return
        if stopped.is_set():
            return
        os.kill(os.getpid(), signal.SIGTERM)
        if not stopped.wait(GRACE_SECONDS):
            for process in multiprocessing.active_children():
                process.kill()
            if self.by_hand or not stopped.wait(GRACE_SECONDS):
                os._exit(1)


@contextmanager
def watched(crew: Crew) -> Iterator[None]:
    """Be one of the crew for the block: tell the others of a failure here, and raise that of another.

    Raises:
        UserError: another member's mistake of the user.
        MemberError: another member's other failure.
        ToldElsewhereError: either, where that member shares this one's console.
    """
    stopped = threading.Event()
    thread = threading.Thread(target=crew.watch, args=(stopped,), daemon=True)
    previous = signal.signal(signal.SIGTERM, interrupt)
    thread.start()
    try:
        yield
    except BaseException as error:
        # Before the failure is told: the watch would take it for another member's, and interrupt the telling.
        stopped.set()
        if isinstance(error, KeyboardInterrupt | RuntimeError) and (failure := crew.failure()):
            raise (ToldElsewhereError() if crew.by_hand else failure) from None
        if not crew.fail(error) and crew.by_hand:
            raise ToldElsewhereError() from None
        raise
    finally:
        stopped.set()
        thread.join()
        signal.signal(signal.SIGTERM, previous)


def interrupt(number: int, frame: Any) -> None:
    """A signal's handler that ends as Ctrl-C does."""
    raise KeyboardInterrupt


def connected(place: str, hosts: bool) -> Any:
    """A connection to the store at HOST:PORT, which this process opens if it `hosts`."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    host, _, port = place.rpartition(":")
    return TCPStore(host, int(port), None, hosts, timedelta(seconds=900), wait_for_workers=False, multi_tenant=True)


def nodes_crew(place: str, nodes: int, rank: int | None) -> Crew:
    """Meet the other nodes at HOST:PORT.

    Args:
        rank: this node's number; None: 0 if it can open the store there, else the next free one.

    Raises:
        UserError: the place cannot be opened or reached, or there are more nodes than expected.
    """
    from torch.distributed import DistError

    store = None
    if rank == 0 or (rank is None and is_here(place.rpartition(":")[0])):
        try:
            store = connected(place, hosts=True)
        except (DistError, RuntimeError) as error:
            if rank == 0:
                raise UserError(f"launch.rendezvous={place} cannot be opened here ({error}); choose another port") from None
    try:
        leads = store is not None
        store = store or connected(place, hosts=False)
    except (DistError, RuntimeError):
        raise UserError(f"launch.rendezvous={place} does not answer; start the same command on that node, or check the address") from None
    store = room(store)
    number = 0 if leads else rank if rank is not None else store.add("nodes", 1)
    if number >= nodes:
        raise UserError(f"launch.nodes={nodes}, but one more has come to launch.rendezvous={place}; choose another port for another job")
    return Crew(place, number, nodes, "node", store)


def room(store: Any) -> Any:
    """The part of a store that a crew talks in; the processes of a stage meet beside it."""
    from torch.distributed.distributed_c10d import PrefixStore

    return PrefixStore("radgpt", store)


def is_here(host: str) -> bool:
    """Whether a host's name or address is this machine's."""
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    for address in addresses:
        family = socket.AF_INET6 if ":" in str(address) else socket.AF_INET
        with socket.socket(family) as probe:
            try:
                probe.bind((address, 0))
                return True
            except OSError:
                continue
    return False


def ranks_crew() -> Crew:
    """The ranks that `torchrun` or `deepspeed` started, as their environment says."""
    from torch.distributed.rendezvous import rendezvous

    store, rank, size = next(rendezvous("env://", timeout=timedelta(seconds=900)))
    return Crew(f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}", rank, size, "rank", room(store))
