"""The pacer's arithmetic on a clock that tests turn by hand, against an endpoint that is one bucket."""

import heapq
import random
from itertools import count

import pytest

from radgpt.teacher.limits import Limit
from radgpt.teacher.pacing import LOWEST_SPEED, LastMinute, Pacer


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


def use(paced: Pacer, clock: Clock, rate: float, seconds: float, *, burst: float = 1.0, spurious: float = 0.0) -> tuple[float, float]:
    """(share used of what a bucket of so many requests a second allows, share refused); refusals take 50 ms, replies 200."""
    level, filled, begun = rate * burst, clock.now, clock.now
    answers: list[tuple[float, int, bool, object]] = []
    accepted = refused = 0
    chance, number = random.Random(1), count()
    while clock.now < begun + seconds:
        goes = clock.now + max(0.0, paced.wait())
        if answers and answers[0][0] <= goes:
            moment, _, good, admission = heapq.heappop(answers)
            clock.now = max(clock.now, moment)
            if good:
                paced.accepted()
            else:
                paced.limited(admission, 0.05)  # type: ignore[arg-type]
            continue
        clock.now = goes
        admission = paced.take(1)
        level, filled = min(rate * burst, level + (clock.now - filled) * rate), clock.now
        if level >= 1 and chance.random() >= spurious:
            level -= 1
            accepted += 1
            heapq.heappush(answers, (clock.now + 0.2, next(number), True, admission))
        else:
            refused += 1
            heapq.heappush(answers, (clock.now + 0.05, next(number), False, admission))
    return accepted / (rate * (seconds + burst)), refused / (accepted + refused)


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


def test_after_a_hold_nothing_comes_at_once() -> None:
    paced, clock = pacer()
    paced.limited(paced.take(1), 5.0)
    clock.now += paced.wait()
    paced.take(1)
    assert paced.wait() >= 0.1


def test_holds_grow_where_nothing_says_how_long() -> None:
    paced, clock = pacer()
    waits = []
    for _ in range(12):
        clock.now += max(0.0, paced.wait())
        paced.limited(paced.take(1), None)
        waits.append(paced.wait())
    assert 1 <= waits[0] <= 1.2 and 2 <= waits[1] <= 2.3 and 60 <= waits[-1] <= 67


def test_a_request_let_in_starts_holds_anew() -> None:
    paced, clock = pacer()
    for _ in range(3):
        paced.limited(paced.take(1), None)
        clock.now += paced.wait()
    paced.accepted()
    paced.limited(paced.take(1), None)
    assert 1 <= paced.wait() <= 1.2


@pytest.mark.parametrize("told", [1.0, 1.3, 2.0, 4.0])
def test_an_endpoints_rate_is_learned_from_its_refusals(told: float) -> None:
    paced, clock = pacer(requests=3000 * told)
    used, refused = use(paced, clock, rate=50, seconds=60)
    assert used >= 0.95 and refused <= 0.02
    assert paced.speed <= 1.1 / told


@pytest.mark.parametrize("burst", [1.0, 5.0, 60.0])
def test_bursts_that_an_endpoint_grants_do_not_mislead(burst: float) -> None:
    paced, clock = pacer(requests=6000)
    used, refused = use(paced, clock, rate=50, seconds=180, burst=burst)
    assert used >= 0.95 and refused <= 0.02


def test_a_limit_that_falls_is_noticed_and_one_that_rises_is_found() -> None:
    paced, clock = pacer(requests=3000)
    assert use(paced, clock, rate=50, seconds=60) == (pytest.approx(0.987, abs=0.01), 0)
    used, refused = use(paced, clock, rate=25, seconds=120)
    assert used >= 0.95 and refused <= 0.03
    use(paced, clock, rate=50, seconds=400)
    assert paced.speed > 0.95


@pytest.mark.parametrize(("spurious", "least"), [(0.003, 0.8), (0.01, 0.4)])
def test_refusals_that_have_nothing_to_do_with_our_speed_bring_no_standstill(spurious: float, least: float) -> None:
    paced, clock = pacer(requests=3000)
    used, _ = use(paced, clock, rate=50, seconds=600, spurious=spurious)
    assert used > least


def test_refusals_alone_slow_down_to_a_floor_and_quiet_speeds_up_again() -> None:
    paced, clock = pacer()
    for _ in range(400):
        clock.now += max(0.0, paced.wait())
        paced.limited(paced.take(1), 0.01)
    assert paced.speed == LOWEST_SPEED
    for _ in range(900):
        clock.now += 1
        paced.accepted()
    assert paced.speed == 1.0


def test_those_under_way_at_a_refusal_slow_down_only_once() -> None:
    paced, clock = pacer()
    sent = [paced.take(1) for _ in range(20)]
    clock.now += 1
    paced.limited(sent[0], 1.0)
    after_one = paced.speed
    for admission in sent[1:]:
        paced.limited(admission, 1.0)
    assert paced.speed == after_one < 1
    assert paced.refused == 20


@pytest.mark.parametrize(
    ("requests", "tokens", "rate"),
    [
        (Limit(300), Limit(), 5),
        (Limit(), Limit(30_000), 5),  # of a hundred tokens each
        (Limit(6000), Limit(1e6), 10),  # headers never raise what the user said
        (Limit(10), Limit(), 10),  # nobody is wrong by so much: it counts by the second
        (Limit(), Limit(), 10),
    ],
)
def test_headers_lower_the_users_limits(requests: Limit, tokens: Limit, rate: float) -> None:
    paced, _ = pacer()
    paced.heed(requests, tokens)
    assert paced.rate(100) == rate


def test_an_empty_bucket_waits_a_moment() -> None:
    paced, clock = pacer()
    paced.heed(Limit(600, 0, 45.0), Limit())
    assert 0.1 < paced.wait() < 0.21  # some servers tell when it is full again, which nobody needs to wait for
    clock.now += 1
    paced.heed(Limit(600, 1, 45.0), Limit(60_000, 0, 0.05))
    assert 0 < paced.wait() < 0.06


def test_the_last_minute_as_a_share_of_the_limit_that_binds() -> None:
    clock = Clock()
    lately = LastMinute(clock)
    assert lately.share(60, 6000) is None
    for _ in range(120):
        lately.add(50)
        clock.now += 1
    assert lately.share(60, 6000) == pytest.approx(1.0, abs=0.02)
    assert lately.share(600, 3000) == pytest.approx(1.0, abs=0.02)
    clock.now += 30
    assert lately.share(60, 6000) == pytest.approx(0.5, abs=0.02)
    clock.now += 300
    assert lately.share(60, 6000) == 0
