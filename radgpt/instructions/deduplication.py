"""Find instructions that ask the same again."""

import re
from collections.abc import Sequence

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
    return 2 * LCSseq.similarity(one, two) / (len(one) + len(two)) if one and two else float(one == two)


def repeats(instruction: str, earlier: Sequence[str], max_rouge_l: float) -> bool:
    """Whether an instruction equals one of the earlier ones, or is closer to it than `instructions.max_rouge_l` allows."""
    return any(words(instruction) == words(other) or rouge_l(instruction, other) > max_rouge_l for other in earlier)
