"""How lengths spread."""

from collections import Counter

from radgpt.pages.spread import Spread, spread


def test_spread() -> None:
    assert spread(Counter({3: 1})) == Spread(1, 3.0, 3, 3, 3, 3)
    assert spread(Counter({1: 50, 10: 45, 100: 4, 7_000: 1})) == Spread(100, 79.0, 1, 10, 100, 7_000)
    assert spread(Counter(range(1, 101))) == Spread(100, 50.5, 50, 95, 99, 100)
    assert spread(Counter()) == Spread(0, 0.0, 0, 0, 0, 0)
