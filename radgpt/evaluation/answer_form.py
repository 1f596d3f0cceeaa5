"""What shows in an answer without reading it: length, refusals, repetitions."""

import re
from collections import Counter

from radgpt.instructions.text_filters import in_circles

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_REFUSAL = re.compile(
    r"\b(?:i(?: am|'m|’m) (?:\w+ ){0,2}(?:sorry|unable|not able|not allowed|not permitted|not qualified|not a (?:doctor|physician"
    r"|radiologist|medical professional)|just an? (?:ai|language model))"
    r"|i (?:\w+ )?(?:cannot|can't|can’t|can not|won't|won’t|will not|must decline|decline|refuse|am not going to) "
    r"(?:\w+ ){0,2}(?:answer|help|assist|provide|give|offer|interpret|comply|do (?:that|this|so)|fulfil\w*|complete|respond|discuss"
    r"|diagnose|comment|summari[sz]e|share|process|analy[sz]e|generate|write|continue)"
    r"|i (?:cannot|can't|can’t|can not) (?:\w+ )?(?:see|view|read|access|open) (?:\w+ ){0,2}"
    r"(?:images?|reports?|files?|scans?|pictures?|attachments?)"
    r"|i (?:do not|don't|don’t) (?:have (?:access|the ability|enough information)|feel comfortable)"
    r"|as an? (?:\w+ ){0,3}(?:ai|language model|assistant|chatbot)\b"
    r"|(?:it is|it's|it’s) (?:not (?:possible|appropriate) for me|against my)"
    r"|(?:please |you should )?(?:consult|ask|see|speak (?:to|with)) (?:a|an|your) (?:\w+ )?(?:doctor|physician|radiologist|healthcare"
    r"|medical professional)\w*(?: \w+){0,3} (?:instead|for (?:medical advice|an answer|a diagnosis)))",
    re.IGNORECASE,
)
GRAM = 4
"""Words of a sequence whose second coming counts as a repetition."""

SENTENCE_WORDS = 4
"""Words from which on a sentence that comes twice was meant once: «No.» may come twice."""


def words(text: str) -> list[str]:
    """The words of a text in lower case, in any script."""
    return [word.casefold() for word in _WORD.findall(text)]


def empty(text: str) -> bool:
    """Whether no word or number stands in it."""
    return not _WORD.search(text)


def refuses(text: str) -> bool:
    """Whether the model speaks of what it cannot or will not do, or of itself as a machine, instead of the patient.

    «I cannot exclude a fracture» and «The report does not say» are answers.
    """
    return bool(_REFUSAL.search(text))


def repeated_share(found: list[str]) -> float | None:
    """The share of four-word sequences that came before in the same text, in [0, 1); None of fewer than two sequences.

    Args:
        found: `words` of the text.
    """
    grams = list(zip(*(found[start:] for start in range(GRAM)), strict=False))
    return 1 - len(set(grams)) / len(grams) if len(grams) > 1 else None


def loops(text: str) -> bool:
    """Whether it turns in circles, or says a sentence of some words twice."""
    sentences = Counter(" ".join(words(sentence)) for sentence in _SENTENCE.split(text))
    twice = any(count > 1 and sentence.count(" ") >= SENTENCE_WORDS - 1 for sentence, count in sentences.items())
    return twice or in_circles(text)
