"""Find the words of the vocabulary in a text, each with its place: one pass over the text's words, in time linear in its length."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from radgpt.clinical.lay_terms import PLAIN_NOUNS
from radgpt.faithfulness.vocabulary import (
    CHANGES,
    COMMON_SUFFIXED,
    CUES,
    DEVICES,
    FINDINGS,
    LOCATIONS,
    LUNG,
    REGIONS,
    SEVERITIES,
    SIDES,
    SUFFIX,
)

WORD = re.compile(r"[a-z]+")
_NOT_PLAIN = re.compile(r"[^\x00-\x7f]")
_PLAIN = {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": ";", "‑": "-", "×": "x", "\u00a0": " "}
_LITERAL = re.compile(r"[a-z]+")
LONGEST = 160
"""Characters of the longest stretch that a pattern is tried on: it bounds the time that odd text can take."""

INNER = frozenset({*(("side", side) for side in SIDES), ("location", "upper"), ("location", "middle"), ("location", "lower")})
"""Marks that are found within the words of a finding too: «left» in «fluid around the left lung»."""


@dataclass(slots=True)
class Mark:
    """A stretch of text that is in the vocabulary."""

    kind: str
    """`finding`, `device`, `region`, `location`, `side`, `severity`, `change`, or a cue."""
    value: str
    start: int
    end: int


def plain(text: str) -> str:
    """The text in lower case and plain punctuation, character for character in its place."""
    low = _NOT_PLAIN.sub(lambda match: _PLAIN.get(match.group(), match.group()), text)
    return "".join(letter.lower() if letter.isascii() else letter for letter in low) if not low.isascii() else low.lower()


@cache
def _entries() -> dict[str, list[tuple[re.Pattern[str], str, str]]]:
    """First letters of a word to the patterns that may begin with it: (pattern, kind, value)."""
    tables = [
        ("finding", FINDINGS),
        ("device", DEVICES),
        ("region", REGIONS),
        ("location", LOCATIONS),
        ("side", SIDES),
        ("severity", SEVERITIES),
        ("change", CHANGES),
    ]
    rows = [(kind, value, spelling) for kind, table in tables for value, spelling in table.items()]
    for cue, spelling in CUES.items():
        kind, _, value = cue.partition(":")
        rows.append((kind, value, spelling))
    for noun in PLAIN_NOUNS:
        rows += [("finding", noun.finding, words) for words in (noun.plain, noun.plural) if noun.finding and words]
    entries: dict[str, list[tuple[re.Pattern[str], str, str]]] = {}
    for kind, value, spellings in rows:
        for key, pattern in _spellings(spellings):
            entries.setdefault(key, []).append((pattern, kind, value))
    return entries


_CHOICE = re.compile(r"\(\?:([^()]*)\)(?![?*+{])")
_BOUNDARY = re.compile(r"(?:$| (?!\?)|\(\?[:!] ?(?= )|\(\?!|,|')")
_VERB_NOT = re.compile(r"(is|are|was|were|has|have|does|do|did|could|would|should) not ")


def _spellings(spellings: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    """(letters to look it up by, pattern) of each of the patterns in a cell of the vocabulary."""
    for spelling in spellings.split(";"):
        first = _CHOICE.match(spelling)
        for choice in first.group(1).split("|") if first else [""]:
            spelt = choice + (spelling[first.end() :] if first else spelling)
            for variant in (spelt, *_contracted(spelt)):
                yield _compiled(variant)


def _contracted(spelling: str) -> Iterator[str]:
    """«doesn't show» for «does not show», «isn't seen» for «not seen», «can't be excluded» for «cannot be excluded»."""
    verb = _VERB_NOT.match(spelling)
    if verb:
        yield f"{verb.group(1)}n't {spelling[verb.end() :]}"
    elif spelling.startswith("cannot "):
        yield f"can't {spelling[7:]}"
        yield f"can not {spelling[7:]}"
    elif spelling.startswith("not "):
        for word in ("is", "are", "was", "were", "has", "have", "does", "do", "did", "could"):
            yield f"{word}n't {spelling[4:]}"


def _compiled(spelling: str) -> tuple[str, re.Pattern[str]]:
    literal = _LITERAL.match(spelling)
    key = literal.group() if literal else ""
    if spelling[len(key) : len(key) + 1] in ("?", "*"):
        key = key[:-1]
    if not key or (len(key) < 4 and not _BOUNDARY.match(spelling, len(key))):
        raise ValueError(f"'{spelling}' has no literal first word or four first letters to look it up by")
    body = spelling.replace("{lung}", LUNG).replace("{own}", r"(?:(?:the|a|an|your|his|her|their|its) )?")
    return key[:4], re.compile(body.replace(" ?", r"[\s-]*").replace(" ", r"[\s-]+") + r"(?![a-z])")


def marks(text: str, start: int, end: int) -> Iterator[Mark]:
    """The marks of a stretch of `plain` text, in order; of several at one word, those that reach farthest."""
    entries = _entries()
    busy = start
    inside = False
    for word in WORD.finditer(text, start, end):
        at = word.start()
        found = word.group()
        options = entries.get(found[:4])
        best: list[tuple[str, str]] = []
        reached = 0
        if options is not None:
            limit = min(end, at + LONGEST)
            for pattern, kind, value in options:
                if at < busy and not (inside and (kind, value) in INNER):
                    continue
                match = pattern.match(text, at, limit)
                if match is not None and match.end() >= reached:
                    if match.end() > reached:
                        best, reached = [], match.end()
                    best.append((kind, value))
        if best:
            for kind, value in {kind: value for kind, value in reversed(best)}.items() if best[0][0] == "finding" else dict.fromkeys(best):
                yield Mark(kind, value, at, reached)
            if reached > busy:
                # «both lungs» is a side and leaves its lungs to be found, «follow-up CT» is advice and leaves its CT.
                busy = word.end() if best[0][0] in ("side", "advice") else reached
                inside = best[0][0] in ("finding", "device", "location")
        elif at >= busy and len(found) > 6 and SUFFIX.search(found) and found not in COMMON_SUFFIXED:
            yield Mark("finding", f"word {found.rstrip('s')[:9]}", at, word.end())
