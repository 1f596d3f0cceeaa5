"""How much of a reference's wording an answer shares: ROUGE, BLEU and chrF as their reference packages compute them, row by row.

A corpus score is a function of numbers summed over rows (its sufficient statistics): whoever sums them over a resample of rows gets the
package's score of that resample.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROUGE = ("rouge1", "rouge2", "rougeL")

BLEU_ORDER = 4
BLEU_WIDTH = 2 + 2 * BLEU_ORDER
"""Words of the answer and of the reference; n-grams in common, then n-grams of the answer, of one to four words."""

CHRF_ORDER = 6
CHRF_WIDTH = 3 * CHRF_ORDER
"""For one to six characters: n-grams of the answer, of the reference, in common."""

CHRF_BETA = 2
"""Recall counts twice as much as precision (Popović 2015, https://aclanthology.org/W15-3049)."""

_LATIN = re.compile(r"[A-Za-z0-9]")


def rouge(*, stemmer: bool) -> Callable[[str, str], dict[str, float] | None]:
    """A function (answer, reference) → F1 of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004, https://aclanthology.org/W04-1013).

    Words are those of the package `rouge-score`, which knows Latin letters and digits only: None where the reference has none, since
    the score would be 0 for any answer. The longest common subsequence, which the package finds in quadratic time, is rapidfuzz's.

    Args:
        stemmer: compare Porter stems of words.
    """
    from rapidfuzz.distance import LCSseq
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.scoring import fmeasure
    from rouge_score.tokenizers import DefaultTokenizer

    words = KeptWords(DefaultTokenizer(stemmer))
    ngrams = RougeScorer(["rouge1", "rouge2"], tokenizer=words)

    def score(answer: str, reference: str) -> dict[str, float] | None:
        if not _LATIN.search(reference):
            return None
        found = {name: float(value.fmeasure) for name, value in ngrams.score(reference, answer).items()}
        said, wanted = words.tokenize(answer), words.tokenize(reference)
        common = LCSseq.similarity(said, wanted)
        return found | {"rougeL": float(fmeasure(common / len(said), common / len(wanted))) if common else 0.0}

    return score


class KeptWords:
    """A tokenizer that remembers the last texts: a reference is compared with every system's answer."""

    def __init__(self, tokenizer: Any) -> None:
        """Remember what `tokenizer`, one of `rouge_score.tokenizers`, says."""
        self.tokenize = lru_cache(maxsize=4096)(tokenizer.tokenize)


def bleu() -> Callable[[str, str], tuple[tuple[float, ...], float]]:
    """A function (answer, reference) → (BLEU_WIDTH statistics, the sentence's own BLEU in [0, 100]).

    BLEU (Papineni et al. 2002, https://aclanthology.org/P02-1040) of `sacrebleu` with its defaults; a sentence alone is scored over the
    orders that it has n-grams of (`effective_order`), a corpus over all four.
    """
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(effective_order=True)

    def score(answer: str, reference: str) -> tuple[tuple[float, ...], float]:
        found = metric.sentence_score(answer, [reference])
        return tuple(map(float, (found.sys_len, found.ref_len, *found.counts, *found.totals))), float(found.score)

    return score


def chrf() -> Callable[[str, str], tuple[float, ...]]:
    """A function (answer, reference) → CHRF_WIDTH statistics of `sacrebleu`'s chrF with its defaults."""
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    return lambda answer, reference: tuple(map(float, metric._extract_corpus_statistics([answer], [[reference]])[0]))


def corpus_bleu(statistics: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """BLEU in [0, 100] of summed statistics, (..., BLEU_WIDTH) → (...), smoothed as `sacrebleu` does (`smooth:exp`)."""
    import numpy as np

    said, wanted = statistics[..., 0], statistics[..., 1]
    common, total = statistics[..., 2 : 2 + BLEU_ORDER], statistics[..., 2 + BLEU_ORDER :]
    # Each order without a match counts half as much as the one before it (Lin and Och 2004).
    halvings = np.cumsum((common == 0) & (total > 0), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(common > 0, common, 0.5**halvings) / total
        brevity = np.where(said < wanted, np.exp(1 - wanted / said), 1.0)
        score = 100 * brevity * np.exp(np.log(precision).mean(axis=-1))
    possible = (common > 0).any(axis=-1) & (total > 0).all(axis=-1)
    return np.asarray(np.where(possible, score, 0.0))


def corpus_chrf(statistics: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """chrF in [0, 100] of summed statistics, (..., CHRF_WIDTH) → (...): means over the orders that both texts have n-grams of."""
    import numpy as np

    by_order = statistics.reshape(*statistics.shape[:-1], CHRF_ORDER, 3)
    said, wanted, common = by_order[..., 0], by_order[..., 1], by_order[..., 2]
    there = (said > 0) & (wanted > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(there, common / said, 0.0).sum(axis=-1) / there.sum(axis=-1)
        recall = np.where(there, common / wanted, 0.0).sum(axis=-1) / there.sum(axis=-1)
        score = 100 * (1 + CHRF_BETA**2) * precision * recall / (CHRF_BETA**2 * precision + recall)
    return np.asarray(np.nan_to_num(score, nan=0.0))


def signatures(*, stemmer: bool) -> dict[str, str]:
    """What makes these scores comparable: package, version and settings, as `sacrebleu` writes them."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    found = {"rouge": f"rouge-score|f1|stemmer:{'yes' if stemmer else 'no'}|version:{version('rouge-score')}"}
    for name, metric in (("bleu", BLEU()), ("sentence_bleu", BLEU(effective_order=True)), ("chrf", CHRF())):
        metric.num_refs = 1
        found[name] = str(metric.get_signature())
    return found
