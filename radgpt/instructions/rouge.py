"""Measure how alike two texts are by ROUGE-L."""

import re

from rapidfuzz.distance import LCSseq

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Lower-case words in any script."""
    return _WORD.findall(text.casefold())


def rouge_l(first: str, second: str) -> float:
    """ROUGE-L F1 of two texts over their `words` (Lin, 2004): 2 x longest common subsequence / both lengths, in [0, 1].

    >>> rouge_l("Is there a pneumothorax?", "Is there an effusion?")
    0.5
    """
    one, two = words(first), words(second)
    return f1(LCSseq.similarity(one, two), len(one) + len(two)) if one and two else float(one == two)


def f1(common: int, both_lengths: int) -> float:
    """ROUGE-L F1 of texts with so many words together, `common` of them in a common subsequence."""
    return 2 * common / both_lengths
