"""Score one predicted answer against its reference: word overlap, equality, and what a radiologist would look at first."""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from radgpt.evaluation.agreement import findings, measures, multiset_f1, sides

METRICS = {
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "exact_match": "exact match",
    "numbers": "numbers",
    "laterality": "laterality",
    "findings": "findings",
}
"""Metric to its name in tables, all in [0, 1] and better when higher."""

USE_STEMMER = False
"""Stemming raises ROUGE by up to a point of 100; papers differ in it, so results name it."""

Score = Callable[[str, str], dict[str, float | None]]
"""(prediction, reference) to metric to score; None where the metric does not apply to the row."""


def scorer() -> Score:
    """A function that scores one row; it keeps recent results, because floors repeat themselves.

    ROUGE (Lin 2004, https://aclanthology.org/W04-1013) is F1 by the package `rouge-score`. It sees words of Latin letters and
    digits only: it is None where the reference has none, since it would be 0 for any answer.
    """
    from rouge_score.rouge_scorer import RougeScorer

    rouge = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=USE_STEMMER)

    @lru_cache(maxsize=10_000)
    def score(prediction: str, reference: str) -> dict[str, float | None]:
        if re.search(r"[a-z0-9]", reference.lower()):
            overlap = {name: found.fmeasure for name, found in rouge.score(reference, prediction).items()}
        else:
            overlap = dict.fromkeys(("rouge1", "rouge2", "rougeL"))
        return overlap | {
            "exact_match": float(normalised(prediction) == normalised(reference)),
            "numbers": multiset_f1(measures(prediction), measures(reference)),
            "laterality": multiset_f1(sides(prediction), sides(reference)),
            "findings": multiset_f1(findings(prediction), findings(reference)),
        }

    return score


def normalised(text: str) -> str:
    """A text as exact match compares it: case, punctuation and spacing do not count, but decimal points do."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"(?<!\d)\.|\.(?!\d)|[^\w\s.]|_", " ", text).split())
