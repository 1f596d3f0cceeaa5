"""Find where an answer repeats a sentence of the report with one telling word changed: this needs no knowledge of what the words name."""

import re
from collections import Counter
from collections.abc import Iterable

from radgpt.faithfulness.marks import Mark
from radgpt.faithfulness.reported import Reported
from radgpt.faithfulness.sentences import Sentence

TELLING = frozenset({"side", "severity", "change", "location", "negation"})
DOUBT = frozenset({"possible", "possible_after", "likely", "likely_after"})
MOST_CHANGED = 3
"""Words of either sentence that the other may lack."""
LEAST_COMMON = 0.6
"""Share of the longer sentence's words that the other has too."""
_TOKEN = re.compile(r"[^\W_]+")


def alterations(text: str, sentence: Sentence, reported: Reported) -> list[tuple[str, Mark]]:
    """(kind of problem, the word changed) for a sentence that nearly repeats sentences of the report, all of which say otherwise."""
    said = [mark for mark in sentence.marks if mark.kind in TELLING]
    words = Counter(_TOKEN.findall(text, sentence.start, sentence.end))
    found: list[tuple[str, Mark]] = []
    for source in reported.sentences:
        theirs = Counter(_TOKEN.findall(reported.text, source.start, source.end))
        common = (words & theirs).total()
        longest = max(words.total(), theirs.total())
        if common < 2 or longest - common > MOST_CHANGED or common < LEAST_COMMON * longest:
            continue
        changed = _made_sure(sentence, source) + _changed(said, [mark for mark in source.marks if mark.kind in TELLING], sentence)
        if not changed:
            return []
        found = found or changed
    return found


def _made_sure(sentence: Sentence, source: Sentence) -> list[tuple[str, Mark]]:
    """«Is definitely» for «may be»."""
    sure = [mark for mark in sentence.marks if mark.kind == "sure"]
    doubted = any(mark.kind in DOUBT for mark in source.marks) and not source.has("sure")
    return [("certainty", sure[0])] if sure and doubted else []


def _changed(said: Iterable[Mark], held: Iterable[Mark], sentence: Sentence) -> list[tuple[str, Mark]]:
    ours, theirs = Counter((mark.kind, mark.value) for mark in said), Counter((mark.kind, mark.value) for mark in held)
    added, removed = ours - theirs, theirs - ours
    changed = []
    for kind in TELLING - {"negation"}:
        new = [value for other, value in added if other == kind]
        if new and any(other == kind for other, _ in removed):
            changed.append((kind, next(mark for mark in said if mark.kind == kind and mark.value == new[0])))
    denials, their_denials = (sum(count for (kind, _), count in side.items() if kind == "negation") for side in (ours, theirs))
    if denials != their_denials:
        spot = next((mark for mark in said if mark.kind == "negation"), None)
        changed.append(("negation", spot or Mark("negation", "", sentence.start, sentence.end)))
    return changed
