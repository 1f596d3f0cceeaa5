"""Scores of single rows, with the arithmetic in sight."""

import pytest
from rouge_score.rouge_scorer import RougeScorer

from radgpt.evaluation.agreement import findings, measures, multiset_f1, sides
from radgpt.evaluation.metrics import METRICS, normalised, scorer

REFERENCE = "No pneumothorax. Small left pleural effusion, 4.5 cm."


def test_rouge_is_the_reference_packages() -> None:
    package = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    score = scorer()
    for prediction in (REFERENCE, "", "Left effusions of 4.5 cm; no small pneumothorax.", "정상 흉부 사진", "small " * 30):
        found = score(prediction, REFERENCE)
        assert {name: found[name] for name in ("rouge1", "rouge2", "rougeL")} == {
            name: value.fmeasure for name, value in package.score(REFERENCE, prediction).items()
        }


def test_rouge_by_hand() -> None:
    found = scorer()("no acute effusion", "no effusion is seen")
    # 2 common words of 3 and 4; no common bigram; the common subsequence is "no effusion".
    assert found["rouge1"] == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert found["rouge2"] == 0
    assert found["rougeL"] == found["rouge1"]


def test_words_are_not_stemmed() -> None:
    assert scorer()("effusions", "effusion")["rouge1"] == 0


def test_a_reference_without_latin_words_has_no_rouge() -> None:
    found = scorer()("정상", "정상")
    assert found["rougeL"] is None
    assert found["exact_match"] == 1


def test_every_metric_has_a_name() -> None:
    assert list(scorer()("a", "b")) == list(METRICS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No  Pneumothorax.", "no pneumothorax"),
        ("4.5 cm, at T12.", "4.5 cm at t12"),
        ("snake_case – ﬁne", "snake case fine"),
    ],
)
def test_exact_match_ignores_case_punctuation_and_spacing(text: str, expected: str) -> None:
    assert normalised(text) == expected


def test_a_decimal_point_makes_a_difference() -> None:
    assert scorer()("45 cm", "4.5 cm")["exact_match"] == 0


def test_numbers_that_word_overlap_takes_for_equal_differ() -> None:
    found = scorer()("5.4 cm", "4.5 cm")
    assert found["rouge1"] == 1
    assert found["numbers"] == 0


def test_measures() -> None:
    assert measures("4.50 x 4.5 cm, 1,200 ml, 2-3 mm. On 12.") == measures("4.5 4.5 1200 2 3 12")
    assert measures("none") == {}


def test_sides() -> None:
    assert set(sides("Left and bilateral")) == {"left", "right"}
    assert set(sides("The RIGHT lung; leftover")) == {"right"}
    assert multiset_f1(sides("left"), sides("bilateral")) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No pneumothorax or pleural effusion.", {("pneumothorax", True), ("effusion", True)}),
        ("There is a left effusion.", {("effusion", False)}),
        ("No pneumothorax, but a small effusion.", {("pneumothorax", True), ("effusion", False)}),
        ("No pneumothorax. Effusion is larger.", {("pneumothorax", True), ("effusion", False)}),
        ("Pneumothorax is not seen.", {("pneumothorax", True)}),
        ("The effusion has resolved.", {("effusion", True)}),
        ("No change in the effusion.", {("effusion", False)}),
        ("No significant interval change. Nodule of 4.5 mm without calcification.", {("nodule", False), ("calcification", True)}),
        ("Pneumonia cannot be excluded.", {("pneumonia", False)}),
        ("The heart is mildly enlarged.", {("cardiomegaly", False)}),
        ("The heart is not enlarged.", {("cardiomegaly", True)}),
        ("Free of\nconsolidation; opacities at the base.", {("consolidation", False), ("opacity", False)}),
        ("The lungs are clear.", set()),
    ],
)
def test_findings_are_affirmed_or_denied(text: str, expected: set[tuple[str, bool]]) -> None:
    assert set(findings(text)) == expected


def test_a_flipped_negation_costs_the_finding() -> None:
    found = scorer()("Pneumothorax. Small left pleural effusion, 4.5 cm.", REFERENCE)
    assert found["rougeL"] is not None and found["rougeL"] > 0.9
    assert found["findings"] == pytest.approx(0.5)


def test_agreement_of_nothing_with_nothing_is_no_score() -> None:
    found = scorer()("Clear.", "Normal.")
    assert (found["numbers"], found["laterality"], found["findings"]) == (None, None, None)
