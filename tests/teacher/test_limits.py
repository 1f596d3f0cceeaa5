"""What headers say of limits is read in every spelling that endpoints use, and nothing else is taken for a number."""

import pytest

from radgpt.teacher.limits import Limit, duration, limits_of, number, retry_after


def test_limits_stand_in_headers() -> None:
    headers = {
        "x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "499", "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "200000", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m30s",
    }  # fmt: skip
    assert limits_of(headers) == (Limit(500, 499, 0.12), Limit(200_000, 0, 90))
    assert limits_of({"x-ratelimit-limit-requests": "0"}) == (Limit(), Limit())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20ms", 0.02), ("1.5s", 1.5), ("6m0s", 360), ("1h2m3s", 3723), ("1d", 86_400), ("7", 7), ("", None), (None, None), ("soon", None)],
)
def test_durations(text: str | None, seconds: float | None) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "value"), [("60", 60), ("-1", None), ("nan", None), ("inf", None), ("60 a minute", None), (None, None)])
def test_numbers(text: str | None, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2),
        ({"retry-after": "2", "retry-after-ms": "150"}, 0.15),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 40),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:40 GMT"}, 0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "later"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=60.0) == seconds
