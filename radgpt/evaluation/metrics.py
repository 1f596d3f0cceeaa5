"""What answers are measured by: the registry of metrics, and the scorer that reads one row for all of them.

A metric is a function of numbers summed over rows, so that any resample of rows can be scored from the rows' numbers alone: a mean is
sum / count, corpus BLEU a function of summed n-gram counts, micro-F1 of summed hits and misses.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol

from radgpt.evaluation import answer_form
from radgpt.evaluation.agreement import findings, measures, multiset_f1, shared, sides, sides_of_findings
from radgpt.evaluation.observations import FIVE, OBSERVATIONS, VERSION, counted_as_positive, counts
from radgpt.evaluation.overlap import BLEU_WIDTH, CHRF_WIDTH, ROUGE, bleu, chrf, corpus_bleu, corpus_chrf, rouge
from radgpt.evaluation.overlap import signatures as overlap_signatures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from radgpt.config import Evaluation

Statistics = tuple[float, ...]
"""The numbers that one row adds to a metric: `Metric.width` of them."""


class Row(Protocol):
    """What a row must have to be scored: a Prediction, or a floor's answer in its shape."""

    @property
    def text(self) -> str:
        """The answer."""

    @property
    def reference(self) -> str | None:
        """The answer that is held for right; None where there is none."""

    @property
    def finish_reason(self) -> str:
        """As in Prediction."""

    @property
    def reference_nll(self) -> float | None:
        """As in Prediction."""

    @property
    def reference_tokens(self) -> int:
        """As in Prediction."""


@dataclass(frozen=True)
class Metric:
    """One figure about a set of answers."""

    name: str
    """Its key in files."""
    label: str
    """Its name in tables."""
    width: int
    """How many numbers a row gives."""
    combine: "Callable[[NDArray[np.float64]], NDArray[np.float64]]"
    """Numbers summed over rows, (..., width), to values (...); NaN where they say nothing."""
    better: Literal["higher", "lower", "neither"]
    group: str
    """Which metrics it stands with in tables: one of GROUPS."""
    top: float | None = 1.0
    """The largest possible value; None where there is none."""


GROUPS = {
    "overlap": "wording shared with the reference",
    "content": "content shared with the reference",
    "labels": "CheXpert observations shared with the reference",
    "form": "form of the answer",
    "likelihood": "likelihood of the reference",
    "extra": "models that compare meaning",
}
"""Group of metrics to what it is about."""


def ratio(statistics: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """First sum / second sum, (..., 2) → (...): a mean, where each row gives (value, 1)."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(statistics[..., 1] == 0, np.nan, statistics[..., 0] / statistics[..., 1]))


def perplexity(statistics: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """e to the mean negative log-likelihood of a token, (..., 2) → (...)."""
    import numpy as np

    with np.errstate(over="ignore"):
        return np.asarray(np.exp(ratio(statistics)))


def micro_f1(statistics: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """F1 of hits, false alarms and misses over all labels alike, (..., 3 x labels) → (...)."""
    import numpy as np

    pooled = statistics.reshape(*statistics.shape[:-1], -1, 3).sum(axis=-2)
    return ratio(np.stack([2 * pooled[..., 0], 2 * pooled[..., 0] + pooled[..., 1] + pooled[..., 2]], axis=-1))


def macro_f1(statistics: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Mean of the labels' F1, (..., 3 x labels) → (...), without labels on neither side (`zero_division=nan` in scikit-learn)."""
    import numpy as np

    each = micro_f1(statistics.reshape(*statistics.shape[:-1], -1, 3))
    there = ~np.isnan(each)
    return ratio(np.stack([np.where(there, each, 0.0).sum(axis=-1), there.sum(axis=-1).astype(float)], axis=-1))


def mean_metric(
    name: str, label: str, group: str, better: Literal["higher", "lower", "neither"] = "higher", top: float | None = 1.0
) -> Metric:
    """A metric that is the mean of the rows' values."""
    return Metric(name, label, 2, ratio, better, group, top)


METRICS = {
    metric.name: metric
    for metric in (
        mean_metric("rouge1", "ROUGE-1", "overlap"),
        mean_metric("rouge2", "ROUGE-2", "overlap"),
        mean_metric("rougeL", "ROUGE-L", "overlap"),
        Metric("bleu", "BLEU, corpus", BLEU_WIDTH, corpus_bleu, "higher", "overlap", 100.0),
        mean_metric("sentence_bleu", "BLEU, mean of rows", "overlap", top=100.0),
        Metric("chrf", "chrF", CHRF_WIDTH, corpus_chrf, "higher", "overlap", 100.0),
        mean_metric("exact_match", "exact match", "content"),
        mean_metric("numbers", "numbers", "content"),
        mean_metric("laterality", "laterality", "content"),
        mean_metric("findings", "findings, denied or not", "content"),
        Metric("negations", "denied alike, of findings in both", 2, ratio, "higher", "content"),
        Metric("finding_sides", "side alike, of findings in both", 2, ratio, "higher", "content"),
        Metric("chexpert_micro_f1", "CheXpert-14 micro-F1", 3 * len(OBSERVATIONS), micro_f1, "higher", "labels"),
        Metric("chexpert_macro_f1", "CheXpert-14 macro-F1", 3 * len(OBSERVATIONS), macro_f1, "higher", "labels"),
        Metric("chexpert5_micro_f1", "CheXpert-5 micro-F1", 3 * len(FIVE), micro_f1, "higher", "labels"),
        Metric("chexpert5_macro_f1", "CheXpert-5 macro-F1", 3 * len(FIVE), macro_f1, "higher", "labels"),
        Metric("length_ratio", "words / reference's words", 2, ratio, "neither", "form", None),
        mean_metric("ended_itself", "ended itself", "form"),
        mean_metric("empty", "empty", "form", "lower"),
        mean_metric("refusal", "refuses", "form", "lower"),
        mean_metric("repeated_grams", "repeated 4-grams", "form", "lower"),
        mean_metric("looping", "loops or says a sentence twice", "form", "lower"),
        Metric("perplexity", "perplexity", 2, perplexity, "lower", "likelihood", None),
    )
}
"""Name to metric, in the order of tables."""

Scores = dict[str, Statistics | None]
"""Metric to the numbers of one row; None where the metric does not apply to it."""


def scorer(evaluation: "Evaluation") -> Callable[[Row], Scores]:
    """A function from a row to its numbers for each of METRICS.

    What needs a reference is None for a row without one. What concerns texts alone is remembered, as floors repeat themselves.
    """
    compared = lru_cache(maxsize=10_000)(_comparison(evaluation))
    looked_at = lru_cache(maxsize=10_000)(_form)
    unanswered = dict.fromkeys(compared("a", "a"))

    def score(row: Row) -> Scores:
        known = row.reference_nll is not None and row.reference_tokens > 0
        found: Scores = {
            **(unanswered if row.reference is None else compared(row.text, row.reference)),
            **looked_at(row.text),
            "ended_itself": _one(row.finish_reason == "stop"),
            "perplexity": (float(row.reference_nll or 0), float(row.reference_tokens)) if known else None,
        }
        return {name: found[name] for name in METRICS}

    return score


def signatures(evaluation: "Evaluation") -> dict[str, str]:
    """What makes scores comparable: packages, versions and settings, in the style of `sacrebleu`."""
    labeller = f"radgpt|{VERSION}|uncertain:{evaluation.uncertain}|macro:labels-on-either-side"
    return overlap_signatures(stemmer=evaluation.stemmer) | {"chexpert": labeller}


def row_value(metric: Metric, statistics: Statistics | None) -> float | None:
    """The metric of one row alone, for showing; None where it does not apply.

    BLEU of a row scored as a corpus is mostly 0: show `sentence_bleu` instead.
    """
    import numpy as np

    if statistics is None:
        return None
    value = float(metric.combine(np.asarray(statistics, dtype=float)))
    return None if math.isnan(value) else value


def _comparison(evaluation: "Evaluation") -> Callable[[str, str], Scores]:
    rouge_of, bleu_of, chrf_of = rouge(stemmer=evaluation.stemmer), bleu(), chrf()
    positive = counted_as_positive(evaluation.uncertain)

    def compare(answer: str, reference: str) -> Scores:
        overlap = rouge_of(answer, reference)
        grams, sentence = bleu_of(answer, reference)
        said, wanted = len(answer_form.words(answer)), len(answer_form.words(reference))
        ours, theirs = findings(answer), findings(reference)
        fourteen = counts(answer, reference, OBSERVATIONS, positive)
        five = counts(answer, reference, FIVE, positive)
        return {
            **{name: _one(overlap[name]) if overlap else None for name in ROUGE},
            "bleu": grams,
            "sentence_bleu": _one(sentence),
            "chrf": chrf_of(answer, reference),
            "exact_match": _one(normalised(answer) == normalised(reference)),
            "numbers": _one(multiset_f1(measures(answer), measures(reference))),
            "laterality": _one(multiset_f1(sides(answer), sides(reference))),
            "findings": _one(multiset_f1(Counter(ours.items()), Counter(theirs.items()))),
            "negations": shared(ours, theirs),
            "finding_sides": shared(sides_of_findings(answer), sides_of_findings(reference)),
            "chexpert_micro_f1": fourteen,
            "chexpert_macro_f1": fourteen,
            "chexpert5_micro_f1": five,
            "chexpert5_macro_f1": five,
            "length_ratio": (float(said), float(wanted)) if wanted else None,
        }

    return compare


def _form(text: str) -> Scores:
    return {
        "empty": _one(answer_form.empty(text)),
        "refusal": _one(answer_form.refuses(text)),
        "repeated_grams": _one(answer_form.repeated_share(answer_form.words(text))),
        "looping": _one(answer_form.loops(text)),
    }


def _one(value: float | bool | None) -> Statistics | None:
    return None if value is None else (float(value), 1.0)


def summed(metric: Metric, rows: Sequence[Statistics | None]) -> float | None:
    """The metric over some rows; None where it applies to none of them."""
    import numpy as np

    there = [row for row in rows if row is not None]
    return row_value(metric, tuple(np.sum(there, axis=0))) if there else None


def normalised(text: str) -> str:
    """A text as exact match compares it: case, punctuation and spacing do not count, but decimal points do."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"(?<!\d)\.|\.(?!\d)|[^\w\s.]|_", " ", text).split())
