"""Random draws that a rerun repeats: each row has a generator of its own, seeded by what the row is."""

import hashlib
import random

from radgpt.records import canonical_digest


def generator(seed: int, *parts: str) -> random.Random:
    """A generator that depends on the seed and on these parts alone."""
    digest = hashlib.sha256("\0".join((str(seed), *parts)).encode("utf-8", "surrogatepass")).digest()
    return random.Random(int.from_bytes(digest[:16]))


def derived_seed(seed: int, *names: str | int) -> int:
    """A seed (63 bits) for one piece of work, the same wherever and in whatever order it is done."""
    return int(canonical_digest([seed, *names])[:16], 16) >> 1
