"""Find instructions that ask the same again: exactly those that comparing all pairs would find, without comparing all pairs."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import LCSseq

from radgpt.errors import UserError
from radgpt.instructions.rouge import f1, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 32
"""So many texts of one length are sooner compared in full than by their signatures."""
AT_ONCE = 8192
"""Signatures compared at once, so that they stay in a core's cache."""
MOST_WORDS = 0x110000
"""Distinct words that a code point each can stand for."""


def least_common(both_lengths: int, max_rouge_l: float) -> int:
    """The shortest common subsequence with which texts of so many words together exceed a ROUGE-L F1.

    The float division decides that `rouge_l` does, so that texts at the very threshold are judged alike.
    """
    common = int(max_rouge_l * both_lengths / 2)
    while f1(common, both_lengths) > max_rouge_l:
        common -= 1
    while f1(common, both_lengths) <= max_rouge_l:
        common += 1
    return common


class Duplicates:
    """The texts met so far that repeat none before them, and whether a further text repeats one of them.

    A text repeats another if their words are equal, or if their ROUGE-L F1 exceeds `max_rouge_l`. Near texts share most of their words,
    so their signatures differ in few bits: each word of a text, its second occurrence as a word of its own, flips one bit of the text's
    signature, and two signatures differ in no more bits than there are words that only one of the texts has. Texts whose signatures
    differ in more bits than near ones of their lengths may are passed over, without a miss; the others are compared in full. (The bound
    on common words is that of exact set joins, Bayardo et al., WWW 2007; their inverted index would be slower on the few, common words
    of instructions.)

    Memory is 200 to 350 bytes a kept text. Time grows with the number of kept texts, by about a nanosecond each for one more text.
    """

    def __init__(self, max_rouge_l: float, earlier: Iterable[str] = ()) -> None:
        """Remember the texts of `earlier`, all of them: they may repeat each other."""
        self._max_rouge_l = max_rouge_l
        self._codes: dict[str, str] = {}
        self._kept: set[str] = set()
        self._by_length: dict[int, _SameLength] = {}
        self.compared = 0
        """Pairs compared in full so far."""
        for text in earlier:
            self._remember(self._coded(text))

    def repeats(self, text: str) -> bool:
        """Whether a text repeats one met before; if not, it is remembered."""
        coded = self._coded(text)
        if coded in self._kept or self._near_one(coded):
            return True
        self._remember(coded)
        return False

    def knows(self, text: str) -> bool:
        """Whether a text repeats one met before; it is not remembered."""
        coded = self._coded(text)
        return coded in self._kept or self._near_one(coded)

    def _coded(self, text: str) -> str:
        """One character for each word: so coded, texts are compared as fast as strings."""
        codes = self._codes
        found = words(text)
        for word in found:
            if word not in codes:
                if len(codes) == MOST_WORDS:
                    raise UserError(
                        f"instructions.duplicates=run: the instructions hold more than {MOST_WORDS:,} different words; "
                        "choose instructions.duplicates=report"
                    )
                codes[word] = chr(len(codes))
        return "".join([codes[word] for word in found])

    def _remember(self, coded: str) -> None:
        if coded not in self._kept:
            self._kept.add(coded)
            self._by_length.setdefault(len(coded), _SameLength()).add(coded)

    def _near_one(self, coded: str) -> bool:
        """Whether a kept text is nearer than allowed; lengths alike are tried first, as that is where it most often is."""
        length = len(coded)
        probe: tuple[np.uint64, np.uint64] | None = None
        for other_length in sorted(self._by_length, key=lambda other: abs(other - length)):
            both = length + other_length
            common = least_common(both, self._max_rouge_l)
            if common > min(length, other_length):
                continue
            same = self._by_length[other_length]
            if probe is None and len(same.texts) > FEW:
                probe = signature(coded)
            for other in same.within(both - 2 * common, probe):
                self.compared += 1
                # Below the cutoff, rapidfuzz gives 0.
                if LCSseq.similarity(coded, other, score_cutoff=common):
                    return True
        return False


def signature(coded: str) -> tuple[np.uint64, np.uint64]:
    """128 bits, one of them flipped for each word."""
    bits = 0
    met: dict[str, int] = {}
    for word in coded:
        times = met[word] = met.get(word, 0) + 1
        # Fibonacci hashing (Knuth, The Art of Computer Programming, vol. 3, 6.4) spreads codes that follow each other.
        bits ^= 1 << (((ord(word) + times * MOST_WORDS) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 57)
    return np.uint64(bits & 0xFFFFFFFFFFFFFFFF), np.uint64(bits >> 64)


class _SameLength:
    """Kept texts of one length in words, with their signatures once they are more than FEW."""

    __slots__ = ("_first", "_second", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._first: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._second: NDArray[np.uint64] = np.empty(0, np.uint64)
        """The halves of the signatures, with room to grow."""

    def add(self, coded: str) -> None:
        self.texts.append(coded)
        count, signed = len(self.texts), len(self._first)
        if count <= FEW:
            return
        if count > signed:
            # Half as much again, so that adding costs the same however many there are.
            self._first, self._second = (np.resize(half, count * 3 // 2) for half in (self._first, self._second))
        for place in range(count - 1 if signed else 0, count):
            self._first[place], self._second[place] = signature(self.texts[place])

    def within(self, most_bits: int, probe: tuple[np.uint64, np.uint64] | None) -> Iterator[str]:
        """The texts whose signatures differ from the probe in at most so many bits; all of them where they are few."""
        if probe is None or len(self.texts) <= FEW:
            yield from self.texts
            return
        for start in range(0, len(self.texts), AT_ONCE):
            place = slice(start, min(start + AT_ONCE, len(self.texts)))
            bits = np.bitwise_count(self._first[place] ^ probe[0])
            bits += np.bitwise_count(self._second[place] ^ probe[1])
            for near in np.flatnonzero(bits <= most_bits).tolist():
                yield self.texts[start + near]
