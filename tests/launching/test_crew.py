"""Which of several machines this one is."""

from radgpt.launching.crew import is_here


def test_a_name_of_this_machine_is_told_from_anothers() -> None:
    assert is_here("127.0.0.1") and is_here("localhost")
    assert not is_here("192.0.2.1") and not is_here("no-such-host.invalid")
