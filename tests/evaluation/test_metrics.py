"""The registry, and the scores of single rows with the arithmetic in sight."""

from dataclasses import replace
from math import exp

import numpy as np
import pytest
from sklearn.metrics import f1_score

from radgpt.config import Evaluation
from radgpt.evaluation.metrics import (
    GROUPS,
    METRICS,
    macro_f1,
    micro_f1,
    normalised,
    perplexity,
    ratio,
    row_value,
    scorer,
    signatures,
    summed,
)
from radgpt.records import Prediction

ROW = Prediction("s1/0", "s1", "p1", "summarisation", "", "", "stop", 3)
REFERENCE = "No pneumothorax. Small left pleural effusion, 4.5 cm."


def values(answer: str, reference: str | None, evaluation: Evaluation | None = None) -> dict[str, float | None]:
    """Metric to the value of one row."""
    found = scorer(evaluation or Evaluation())(replace(ROW, text=answer, reference=reference))
    return {name: row_value(METRICS[name], numbers) for name, numbers in found.items()}


def test_every_row_has_numbers_of_the_stated_width_for_every_metric() -> None:
    row = replace(ROW, text="Left effusion, 4 cm, is seen here.", reference=REFERENCE, reference_nll=3.0, reference_tokens=6)
    found = scorer(Evaluation())(row)
    assert list(found) == list(METRICS)
    assert {name: len(numbers or ()) for name, numbers in found.items()} == {name: metric.width for name, metric in METRICS.items()}
    for metric in METRICS.values():
        assert metric.group in GROUPS and metric.better in ("higher", "lower", "neither")
        assert metric.combine(np.ones((3, 2, metric.width))).shape == (3, 2)


def test_a_perfect_answer_reaches_the_top_and_no_worse_one_passes_it() -> None:
    found = values(REFERENCE, REFERENCE)
    for name, metric in METRICS.items():
        if metric.better == "higher" and found[name] is not None:
            assert found[name] == pytest.approx(metric.top)


def test_a_row_without_a_reference_has_scores_of_its_form_only() -> None:
    found = values("As an AI language model, I cannot help.", None)
    assert {name for name, value in found.items() if value is not None} == {
        "ended_itself",
        "empty",
        "refusal",
        "repeated_grams",
        "looping",
    }
    assert (found["refusal"], found["ended_itself"], found["empty"]) == (1, 1, 0)


def test_how_the_answer_ended() -> None:
    found = scorer(Evaluation())(replace(ROW, text="a", finish_reason="length"))
    assert found["ended_itself"] == (0, 1)


def test_perplexity_is_over_tokens_not_rows() -> None:
    score = scorer(Evaluation())
    rows = [replace(ROW, reference_nll=3.0, reference_tokens=1), replace(ROW, reference_nll=1.0, reference_tokens=3), ROW]
    numbers = [score(row)["perplexity"] for row in rows]
    assert numbers == [(3, 1), (1, 3), None]
    assert summed(METRICS["perplexity"], numbers) == pytest.approx(exp(4 / 4))
    assert score(replace(ROW, reference_nll=None, reference_tokens=3))["perplexity"] is None
    assert score(replace(ROW, reference_nll=0.0, reference_tokens=0))["perplexity"] is None
    assert perplexity(np.array([1e6, 1.0])) == np.inf


def test_length_is_a_ratio_of_sums() -> None:
    score = scorer(Evaluation())
    numbers = [
        score(replace(ROW, text=text, reference=reference))["length_ratio"] for text, reference in (("a b c d", "a"), ("a", "a b c"))
    ]
    assert numbers == [(4, 1), (1, 3)]
    assert summed(METRICS["length_ratio"], numbers) == pytest.approx(5 / 4)


def test_a_mean_leaves_out_rows_that_a_metric_says_nothing_of() -> None:
    score = scorer(Evaluation())
    numbers = [score(replace(ROW, text=text, reference=reference))["numbers"] for text, reference in (("4", "4"), ("", "no"), ("5", "4"))]
    assert numbers == [(1, 1), None, (0, 1)]
    assert summed(METRICS["numbers"], numbers) == 0.5
    assert summed(METRICS["numbers"], [None]) is None


def test_a_reference_without_latin_words_has_no_rouge() -> None:
    found = values("정상", "정상")
    assert (found["rougeL"], found["exact_match"]) == (None, 1)


def test_the_stemmer_is_a_setting() -> None:
    assert values("effusions", "effusion")["rouge1"] == 0
    assert values("effusions", "effusion", Evaluation(stemmer=True))["rouge1"] == 1


def test_what_word_overlap_takes_for_equal() -> None:
    found = values("5.4 cm", "4.5 cm")
    assert (found["rouge1"], found["numbers"]) == (1, 0)
    found = values("45 mm", "4.5 cm")
    assert (found["exact_match"], found["numbers"]) == (0, 1)


def test_a_flipped_negation_costs_the_finding() -> None:
    found = values("Pneumothorax. Small left pleural effusion, 4.5 cm.", REFERENCE)
    assert found["rougeL"] is not None and found["rougeL"] > 0.9
    assert (found["findings"], found["negations"]) == (0.5, 0.5)


def test_sides_that_changed_places() -> None:
    found = values("Left effusion, right pneumothorax.", "Right effusion, left pneumothorax.")
    assert (found["laterality"], found["finding_sides"], found["negations"]) == (1, 0, 1)


def test_agreement_of_nothing_with_nothing_is_no_score() -> None:
    found = values("Fine.", "Good.")
    names = ("numbers", "laterality", "findings", "negations", "finding_sides", "chexpert_micro_f1", "chexpert5_macro_f1")
    assert [found[name] for name in names] == [None] * 7


def test_label_f1_by_hand() -> None:
    # Effusion is hit, edema missed, fracture a false alarm; of the five only the first two count.
    found = values("Effusion. No edema. Fracture.", "Small effusion. Edema.")
    assert found["chexpert_micro_f1"] == pytest.approx(2 / 4)
    assert found["chexpert_macro_f1"] == pytest.approx(1 / 3)
    assert found["chexpert5_micro_f1"] == pytest.approx(2 / 3)
    assert found["chexpert5_macro_f1"] == pytest.approx(1 / 2)


def test_what_uncertain_counts_as_is_a_setting() -> None:
    assert values("Possible edema.", "Edema.")["chexpert5_micro_f1"] == 1
    assert values("Possible edema.", "Edema.", Evaluation(uncertain="negative"))["chexpert5_micro_f1"] == 0


def test_signatures_say_how_labels_were_counted() -> None:
    found = signatures(Evaluation(uncertain="negative", stemmer=True))
    assert found["chexpert"].startswith("radgpt|rules-") and "|uncertain:negative|" in found["chexpert"]
    assert "stemmer:yes" in found["rouge"]


def test_f1_of_labels_is_scikit_learns() -> None:
    generator = np.random.default_rng(6)
    wanted, said = generator.random((40, 5)) < 0.3, generator.random((40, 5)) < 0.4
    wanted[:, 4] = said[:, 4] = False
    hits = np.stack([wanted & said, ~wanted & said, wanted & ~said], axis=-1).reshape(40, 15).astype(float).sum(axis=0)
    assert micro_f1(hits) == pytest.approx(f1_score(wanted, said, average="micro"), abs=1e-9)
    assert macro_f1(hits) == pytest.approx(f1_score(wanted, said, average="macro", zero_division=np.nan), abs=1e-9)
    assert np.isnan(macro_f1(np.zeros(15)))


def test_ratio_of_nothing_is_no_number() -> None:
    assert np.isnan(ratio(np.array([[0.0, 0.0], [1.0, 2.0]]))).tolist() == [True, False]


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
    assert values("45 cm", "4.5 cm")["exact_match"] == 0
