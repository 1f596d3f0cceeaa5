"""What two texts agree on: numbers with units, sides, findings."""

from collections import Counter

import pytest

from radgpt.evaluation.agreement import findings, measures, multiset_f1, shared, sides, sides_of_findings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("4.5 cm", "45 mm"),
        ("4.50", "4.5"),
        ("1,200 ml", "1200 cc"),
        ("two nodules", "2 nodules"),
        ("3 weeks", "21 days"),
        ("2-3 mm", "0.3 cm and 2 mm"),
        ("4.5 x 2 cm", "20 mm by 45 mm"),
        ("5 %", "5 percent"),
        ("120 mm Hg", "120 mmHg"),
    ],
)
def test_the_same_amount_is_the_same_however_it_is_written(one: str, other: str) -> None:
    assert measures(one) == measures(other) != Counter()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("4.5 cm", "4.5 mm"),
        ("4.5 cm", "5.4 cm"),
        ("4.5 cm", "4.5"),
        ("5 %", "5 ml"),
        ("5 mm", "5 mm Hg"),
        ("3 weeks", "3 days"),
        ("1,200", "1.2"),
    ],
)
def test_other_units_and_other_numbers_differ(one: str, other: str) -> None:
    assert not measures(one) & measures(other)


def test_each_number_counts_as_often_as_it_stands_there() -> None:
    assert multiset_f1(measures("4 mm and 4 mm"), measures("4 mm")) == pytest.approx(2 / 3)
    assert measures("none") == Counter()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Left and bilateral", {"left", "right"}),
        ("The RIGHT lung; leftover", {"right"}),
        ("RLL opacity", {"right"}),
        ("Bibasilar atelectasis", {"left", "right"}),
        ("No side", set()),
    ],
)
def test_sides(text: str, expected: set[str]) -> None:
    assert sides(text) == Counter(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No pneumothorax or pleural effusion.", {"pneumothorax": True, "pleural effusion": True}),
        ("There is a left effusion.", {"pleural effusion": False}),
        ("No pneumothorax, but a small effusion.", {"pneumothorax": True, "pleural effusion": False}),
        ("The effusion has resolved.", {"pleural effusion": True}),
        ("No change in the effusion.", {"pleural effusion": False}),
        ("No interval change. Nodule without calcification.", {"lung nodule": False, "calcification": True}),
        ("Pneumonia cannot be excluded.", {"pneumonia": False}),
        ("The heart is not enlarged.", {"enlarged heart": True}),
        ("The heart is normal.", {"enlarged heart": True}),
        ("Free of\nconsolidation; opacities at the base.", {"consolidation": True, "opacity": False}),
        ("Clear lungs. Opacity at the left base.", {"opacity": False}),
        ("No effusion on the left. Effusion on the right.", {"pleural effusion": False}),
        ("Yes.", {}),
    ],
)
def test_findings_are_affirmed_or_denied(text: str, expected: dict[str, bool]) -> None:
    assert findings(text) == expected


def test_sides_belong_to_the_findings_that_are_there() -> None:
    assert sides_of_findings("Right effusion, left pneumothorax. No left consolidation. Nodule.") == {
        "pleural effusion": {"right"},
        "pneumothorax": {"left"},
    }
    assert sides_of_findings("Left effusion. Right effusion.") == {"pleural effusion": {"left", "right"}}


def test_agreement_on_what_both_name() -> None:
    assert shared({"a": True, "b": False, "c": True}, {"a": True, "b": True, "d": True}) == (1.0, 2.0)
    assert shared({"a": True}, {"b": True}) is None


def test_multiset_f1() -> None:
    assert multiset_f1(Counter(["left", "right"]), Counter(["left"])) == pytest.approx(2 / 3)
    assert multiset_f1(Counter(), Counter()) is None
    assert multiset_f1(Counter(), Counter("a")) == 0
