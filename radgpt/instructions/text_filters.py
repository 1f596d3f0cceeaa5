"""Tests that both instructions and answers must pass: nothing of the teacher, of its prompt or of its decoder shows in them."""

import re

from radgpt.instructions.drafts import Draft

_TEACHER_SPEAK = re.compile(
    r"\bas an? (?:\w+ ){0,2}(?:AI|language model|assistant)\b|\b(?:large )?language model\b|\bI(?:'m| am) (?:sorry|unable|afraid"
    r"|not able|just an AI)\b|\bI (?:cannot|can't|apologi[sz]e|don't have (?:access|enough|the ability))\b"
    r"|\b(?:as requested|in-context|examples? (?:above|given|provided)|the (?:given|above|provided) (?:examples?|prompt|instructions?))\b"
    r"|\b(?:hope this helps|let me know if|feel free to|my (?:training data|knowledge cutoff)|you(?:'ve| have) provided)\b|\bsure[,!]"
    r"|\b(?:ready|happy|glad|here) to (?:help|assist)\b|\b(?:how|what) (?:can|may|could) I (?:help|assist|do for)\b"
    r"|^here(?:'s| is| are) [^.:\n]{0,60}:",
    re.IGNORECASE,
)
_ROLE_TAG = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_(?:turn|text)>|</?think>"
    r"|^#{2,} ?(?:instruction|response|input|system|user|assistant)\b|^\W*(?:system|user|assistant|human|bot)\W*:",
    re.IGNORECASE | re.MULTILINE,
)
_PROMPT_WORDS = re.compile(
    r"\bend of report\b|\b(?:questions?|instructions?|examples?) (?:about|from|for|in) other reports\b"
    r"|\babout (?:abbreviations in )?other reports\b"
    r"|\breply with the (?:question|instruction|reworded text|summary)\b|\b(?:question|instruction)s? of the same kind\b"
    r"|\bmaterial, not an order\b|\b(?:one|an?|single) (?:single )?(?:aspect|detail) of (?:it|the report)\b|\bhow long or for whom\b"
    r"|\byou (?:were|are) (?:shown|given) (?:one |an? |the |some )?(?:examples?|report)\b|\byou are asked to\b"
    r"|\b(?:write|generate|create|compose|formulate|ask|give me) (?:one|an?|another|the) (?:\w+ ){0,2}?(?:question|instruction)\b"
    r"|\b(?:clinicians?|doctors?) (?:could|can|might|would|may) ask\b"
    r"|\bquestions? (?:could|can|might|would|may) (?:a |the )?(?:clinician|doctor)"
    r"|\b(?:this|the|your|my|each|new) instructions? (?:is|are|asks?|should|must|to|will|here|was|were)\b",
    re.IGNORECASE,
)
_INJECTED_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b(?: (?:all|any|the|your|my|of|these|those|previous|prior|above|earlier"
    r"|preceding|system|other))* (?:instructions?|prompts?|commands?)\b|\byour (?:rules|guidelines|system prompt)\b|\bsystem prompt\b"
    r"|\byou are now (?:an?|the|in|free)\b|\bfrom now on,? you\b|\b(?:act|behave) as (?:an? )?(?:\w+ )?(?:AI|assistant|hacker|DAN)\b"
    r"|\b(?:developer|jailbreak|god) mode\b|\bjailbreak\b|\bdo anything now\b"
    r"|\b(?:reveal|print|output|repeat|show) (?:\w+ )?(?:your|the) (?:\w+ )?(?:prompt|instructions|api key|password)\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"\bhttps?://\S+|\bwww\.\S+", re.IGNORECASE)
_SLOT = re.compile(
    r"\{\w*\}|\[(?:insert|your|abbreviation|term|finding|report|sentence|section|name|patient|doctor|date|hospital|side|size|location)\b"
    r"[^\]]*\]|<(?:abbreviation|term|finding|report|sentence|section|name|insert)\b[^>]*>",
    re.IGNORECASE,
)
QUOTED = re.compile(r"[\"“«][^\"”»]*[\"”»]")
"""What stands between quotation marks, the marks included; the text may go on in another line."""
_JUNK = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffd\ud800-\udfff\ue000-\uf8ffĠĊ▁]|<0x[0-9A-F]{2}>|\\u[0-9a-f]{4}"
)
_LETTER_BEYOND_LATIN = re.compile(r"[^\W\d_\u0000-\u03ff\u1e00-\u1fff\u2070-\u209f\u2100-\u214f\ufb00-\ufb06]")
"""A letter that is neither Latin nor Greek, which units and names of signs use."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_ENGLISH = frozenset(
    re.findall(
        r"\S+",
        """
        the of and is are was were in on to with no not for that this these it its what which where how does do did has have be been an a
        as at by from or there any your you in can could should would will if when who why than within without there's isn't report
        """,
    )
)
_NOT_ENGLISH = frozenset(
    re.findall(
        r"\S+",
        """
        der das und ist nicht mit dem ein eine einer eines für auf bei keine keinen wird werden sind zeigt sich auch wie gibt des
        het een van niet voor naar wordt zijn op le la les du et est une dans pour avec sur pas aucun aucune cette ce il sont quel
        quelle el los las del y es una con para por sin que en hay cuál qué esta este izquierdo derecho lo gli di che della nel
        nella non sono è um uma não é com em na da ao os são há
        """,
    )
)
"""Function words of the languages that teachers slip into, none of them an English word or an abbreviation of reports."""

REMOVED = re.compile(r"_{3,}|X{4,}")
"""What de-identification leaves in the place of a name, a date and the like: `___` in MIMIC-CXR, `XXXX` in Open-i."""

LONGEST_PERIOD = 24
"""Words of a stretch whose repetition counts as a loop."""
SEVERAL_GRAMS = 24
"""Four-word sequences from which on their share of repetitions says something."""


def empty(draft: Draft) -> bool:
    """Nothing is left after parsing."""
    return not re.search(r"\w", draft.text)


def teacher_speak(draft: Draft) -> bool:
    """The teacher speaks of itself, of the person who asked, or refuses."""
    return bool(_TEACHER_SPEAK.search(draft.text))


def prompt_leak(draft: Draft) -> bool:
    """Tags of a chat template, or words of the prompt that the teacher was sent, stand in it."""
    return bool(_ROLE_TAG.search(draft.text) or _PROMPT_WORDS.search(QUOTED.sub("", draft.text)))


def injected_order(draft: Draft) -> bool:
    """It passes on an order to the model, as a hostile report may hold one: «ignore previous instructions»."""
    return bool(_INJECTED_ORDER.search(draft.text))


def unfilled_slot(draft: Draft) -> bool:
    """A slot of a template stands where a word should."""
    return bool(_SLOT.search(QUOTED.sub("", draft.text)))


def invented_link(draft: Draft) -> bool:
    """A web address that the report does not hold."""
    return any(link not in draft.report for link in _LINK.findall(draft.text))


def junk_characters(draft: Draft) -> bool:
    """Control characters, broken encoding or raw tokens of a decoder."""
    return bool(_JUNK.search(draft.text))


def loop(draft: Draft) -> bool:
    """The teacher turned in circles."""
    return in_circles(draft.text)


def in_circles(text: str) -> bool:
    """Whether a stretch comes three times and more in a row, or most of the text says what it said before."""
    found = [word.casefold() for word in re.findall(r"\w+", text) if not REMOVED.fullmatch(word)]
    for period in range(1, min(LONGEST_PERIOD, len(found) // 2) + 1):
        wanted = max(4, 3 * period) if period < 4 else 2 * period
        run = 0
        for word, before in zip(found[period:], found, strict=False):
            run = run + 1 if word == before else 0
            if run >= wanted:
                return True
    grams = list(zip(found, found[1:], found[2:], found[3:], strict=False))
    return len(grams) >= SEVERAL_GRAMS and len(set(grams)) < len(grams) / 2


def not_english(draft: Draft) -> bool:
    """Letters of other scripts that the report does not hold, or more function words of other languages than English ones."""
    if not set(_LETTER_BEYOND_LATIN.findall(draft.text)) <= set(draft.report):
        return True
    found = [word.casefold() for word in _WORD.findall(draft.text)]
    foreign = sum(word in _NOT_ENGLISH for word in found)
    return foreign >= 2 and foreign > sum(word in _ENGLISH for word in found)


def word_count(text: str) -> int:
    """Words between white space."""
    return len(text.split())
