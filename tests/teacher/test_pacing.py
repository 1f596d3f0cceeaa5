"""The pacer's arithmetic on a clock that tests turn by hand."""

import random

from radgpt.teacher.pacing import LOWEST_SPEED, Pacer, TokenEstimate


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def pacer(requests: float = 600.0, tokens: float = 60_000.0) -> tuple[Pacer, Clock]:
    clock = Clock()
    return Pacer(requests, tokens, random.Random(0), clock), clock


def admitted(pacer: Pacer, clock: Clock, seconds: float, tokens: float) -> int:
    """Requests let through in so many seconds by callers that always want more."""
    end, total = clock.now + seconds, 0
    while True:
        clock.now += max(0.0, pacer.wait())
        if clock.now >= end:
            clock.now = end
            return total
        pacer.take(tokens)
        total += 1


def test_requests_bind() -> None:
    assert 600 <= admitted(*pacer(), seconds=60, tokens=1) <= 603


def test_tokens_bind() -> None:
    assert 60 <= admitted(*pacer(), seconds=60, tokens=1000) <= 61


def test_unused_time_is_not_saved_up() -> None:
    paced, clock = pacer()
    admitted(paced, clock, 1, 1)
    clock.now += 3600
    assert admitted(paced, clock, 1.0, 1) <= 13  # ten a second, and 0.2 s of catching up


def test_a_request_larger_than_a_minute_waits_and_passes() -> None:
    paced, _ = pacer(tokens=600)
    paced.take(1200)
    assert 119 < paced.wait() < 120


def test_what_tokens_really_were_is_made_good() -> None:
    paced, _ = pacer()
    paced.take(1000)
    before = paced.wait()
    paced.correct(500)
    assert round(paced.wait() - before, 6) == 0.5


def test_retry_after_holds_all_but_a_minute_at_most() -> None:
    paced, clock = pacer()
    paced.limited(paced.take(1), 7.0)
    assert 7 <= paced.wait() <= 8
    clock.now += 30
    paced.limited(paced.take(1), 86_400.0)
    assert 60 <= paced.wait() <= 67


def test_holds_grow_where_nothing_says_how_long() -> None:
    paced, clock = pacer()
    waits = []
    for _ in range(12):
        clock.now += max(0.0, paced.wait())
        paced.limited(paced.take(1), None)
        waits.append(paced.wait())
    assert 1 <= waits[0] <= 1.2 and 2 <= waits[1] <= 2.3 and 60 <= waits[-1] <= 67


def test_refusals_slow_down_and_quiet_speeds_up_again() -> None:
    paced, clock = pacer()
    for _ in range(40):
        clock.now += max(0.0, paced.wait())
        sent = paced.take(1)
        paced.limited(sent, 0.01)
    assert paced.speed == LOWEST_SPEED
    for _ in range(300):
        clock.now += 1
        paced.accepted()
    assert paced.speed == 1.0


def test_those_under_way_at_a_refusal_slow_down_only_once() -> None:
    paced, clock = pacer()
    sent = [paced.take(1) for _ in range(20)]
    clock.now += 1
    paced.limited(sent[0], 1.0)
    after_one = paced.speed
    for moment in sent[1:]:
        paced.limited(moment, 1.0)
    assert paced.speed == after_one < 1
    assert paced.refused == 20


def test_the_token_estimate_learns_how_the_endpoint_counts() -> None:
    estimate = TokenEstimate()
    assert estimate.tokens(400) == 100
    for _ in range(200):
        estimate.learn(400, 160)
    assert 159 < estimate.tokens(400) <= 160
