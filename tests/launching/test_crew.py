"""Which of several machines this one is, and how one that fails tells the others."""

import socket
import time

import pytest

from radgpt.errors import UserError
from radgpt.launching.crew import POLL_SECONDS, Crew, is_here, nodes_crew, watched


def test_a_name_of_this_machine_is_told_from_anothers() -> None:
    assert is_here("127.0.0.1") and is_here("localhost")
    assert not is_here("192.0.2.1") and not is_here("no-such-host.invalid")


def test_who_fails_is_not_interrupted_by_the_news_of_its_own_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    tell = Crew.fail

    def slowly(self: Crew, error: BaseException) -> bool:
        first = tell(self, error)
        time.sleep(3 * POLL_SECONDS)
        return first

    monkeypatch.setattr(Crew, "fail", slowly)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(UserError, match="mine"), watched(nodes_crew(place, 2, 0)):
        raise UserError("mine")
