"""Measurements, dates, times, durations and numbers in comparable units."""

import pytest

from radgpt.faithfulness.quantities import quantities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2 cm", ("measurement", (12.0,))),
        ("12mm", ("measurement", (12.0,))),
        ("a 12 millimeter spot", ("measurement", (12.0,))),
        ("1.2 x 0.9 cm", ("measurement", (12.0, 9.0))),
        ("12 mm by 9 mm", ("measurement", (12.0, 9.0))),
        ("march 4, 2015", ("date", (2015, 3, 4))),
        ("4 march 2015", ("date", (2015, 3, 4))),
        ("3/4/15", ("date", (2015, 3, 4))),
        ("2015-03-04", ("date", (2015, 3, 4))),
        ("2:30 pm", ("time", (870,))),
        ("14:30", ("time", (870,))),
        ("three weeks", ("duration", (21.0,))),
        ("the seventh rib", ("number", (7.0,))),
        ("the 7th rib", ("number", (7.0,))),
    ],
)
def test_a_quantity_in_its_words(text: str, expected: tuple[str, tuple[float, ...]]) -> None:
    assert [(quantity.kind, quantity.values) for quantity in quantities(text, 0, len(text))] == [expected]


def test_words_that_do_not_count_are_left_alone() -> None:
    assert quantities("no large one", 0, 12) == []
