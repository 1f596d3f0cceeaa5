"""Tell which instructions and answers are not fit to train on, and why: one small named test for each reason."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from radgpt.config import Dataset, Instructions
from radgpt.instructions.deduplication import rouge_l

REPETITION = 0.9
"""An answer whose ROUGE-L F1 with its instruction exceeds this says nothing new."""

_TEACHER_SPEAK = re.compile(
    r"\bas an? (?:\w+ ){0,2}(?:AI|language model|assistant)\b|\b(?:large )?language model\b|\bI(?:'m| am) (?:sorry|unable"
    r"|not able)\b|\bI (?:cannot|can't|apologi[sz]e)\b"
    r"|\b(?:as requested|in-context|examples? (?:above|given|provided)|the (?:given|above|provided) (?:examples?|prompt|instructions?))\b"
    r"|\b(?:hope this helps|let me know if|feel free to)\b|\bsure[,!]",
    re.IGNORECASE,
)
_SLOT = re.compile(
    r"\{\w*\}|\[(?:insert|your|abbreviation|term|finding|report|sentence)[^\]]*\]|<(?:abbreviation|term|finding|report|sentence"
    r"|insert)[^>]*>",
    re.IGNORECASE,
)
_REMOVED = re.compile(r"_{3,}|X{4,}")
_QUOTED = re.compile(r"[\"“«].*?[\"”»]", re.DOTALL)
_QUESTION_WORD = re.compile(
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|has|have|had|can|could|should|would|will|may"
    r"|might|in|on|at|for|from|according|"
    r"based|to|with|given)\b.*\?",
    re.IGNORECASE | re.DOTALL,
)
_IMPERATIVE = re.compile(
    r"(?:(?:please|kindly|briefly|concisely|now|in (?:one|two|three|a|plain|simple|your)\b[^,]{0,40},|using\b[^,]{0,40},"
    r"|for\b[^,]{0,40},)\s*)*"
    r"(?:answer|abbreviate|assess|break|change|characteri[sz]e|clarify|classify|combine|compare|compose|condense|convert|create"
    r"|decode|define|derive|describe|detail|"
    r"determine|discuss|distil|draft|elaborate|expand|explain|express|extract|find|formulate|generate|give|highlight|identify"
    r"|indicate|interpret|list|locate|mention|"
    r"name|note|outline|paraphrase|point|present|produce|provide|put|quote|recap|recount|rephrase|report|restate|reword|rewrite"
    r"|rework|say|select|shorten|show|simplify|"
    r"specify|spell|state|sum|summari[sz]e|tell|transform|translate|turn|write)\b",
    re.IGNORECASE,
)
_FORMAT_COUNT = re.compile(
    r"\b\d+(?:-| to )?\d*[ -](?:words?|sentences?|bullets?|points?|lines?|items?|paragraphs?|key|year|years)\b", re.IGNORECASE
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MEASUREMENT = re.compile(r"(\d+(?:\.\d+)?) ?(?:mm|cm|%|degrees?)(?!\w)")
_ABBREVIATION = re.compile(
    r"(?<![\w/])(?:[A-Z][A-Za-z0-9]*[A-Z0-9][A-Za-z0-9]*|[A-Za-z]/[A-Za-z]?|[A-Z]{2,})(?![\w/])|(?<=[\"“'‘])[\w/.-]{1,12}(?=[\"”'’])"
)
_ABBREVIATION_ASKED = re.compile(
    r"(?:abbreviation|acronym|form of|spell out|stands? for|does|short for|expand)s? ([\w/]{1,12})\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Draft:
    """A parsed instruction or answer, with what it is judged by."""

    text: str
    task: str
    report: str
    """The report's text."""
    instruction: str = ""
    """What an answer answers."""


Test = Callable[[Draft], bool]
"""True if the draft is to be dropped."""


def empty(draft: Draft) -> bool:
    """Nothing is left after parsing."""
    return not re.search(r"\w", draft.text)


def teacher_speak(draft: Draft) -> bool:
    """The teacher speaks of itself, of the prompt, or refuses."""
    return bool(_TEACHER_SPEAK.search(draft.text))


def unfilled_slot(draft: Draft) -> bool:
    """A slot of a template stands where a word should."""
    return bool(_SLOT.search(_QUOTED.sub("", draft.text)))


def about_removed_text(draft: Draft) -> bool:
    """It asks about what de-identification took out."""
    return bool(_REMOVED.search(draft.text))


def not_an_instruction(draft: Draft) -> bool:
    """Neither a question nor an order."""
    return not (_QUESTION_WORD.match(draft.text) or _IMPERATIVE.match(draft.text) or draft.text.endswith("?"))


def several_questions(draft: Draft) -> bool:
    """More than one question; those within quotes do not count."""
    return _QUOTED.sub("", draft.text).count("?") > 1


def invented_number(draft: Draft) -> bool:
    """A number that the report does not hold; counts of words, sentences and the like are free."""
    return not set(_NUMBER.findall(_FORMAT_COUNT.sub("", draft.text))) <= set(_NUMBER.findall(draft.report))


def invented_measurement(draft: Draft) -> bool:
    """A length, angle or share that neither report nor instruction holds."""
    known = set(_NUMBER.findall(draft.report)) | set(_NUMBER.findall(draft.instruction))
    return not set(_MEASUREMENT.findall(draft.text)) <= known


def unknown_abbreviation(draft: Draft) -> bool:
    """It asks for an abbreviation, and the report uses none of those that it names."""
    if draft.task != "abbreviation_expansion":
        return False
    named = {*_ABBREVIATION.findall(draft.text), *_ABBREVIATION_ASKED.findall(draft.text)}
    return not any(re.search(rf"(?<![A-Za-z/]){re.escape(name)}(?![A-Za-z])", draft.report) for name in named)


def repeats_instruction(draft: Draft) -> bool:
    """The answer only says the instruction again."""
    return rouge_l(draft.text, draft.instruction) > REPETITION


def word_count(text: str) -> int:
    """Words between white space."""
    return len(text.split())


def instruction_tests(settings: Instructions) -> Mapping[str, Test]:
    """The tests of an instruction, by the reason that a dropped row carries; tried in this order."""
    return {
        "empty": empty,
        "too_short": lambda draft: word_count(draft.text) < settings.min_words,
        "too_long": lambda draft: word_count(draft.text) > settings.max_words,
        "teacher_speak": teacher_speak,
        "unfilled_slot": unfilled_slot,
        "about_removed_text": about_removed_text,
        "not_an_instruction": not_an_instruction,
        "several_questions": several_questions,
        "invented_number": invented_number,
        "unknown_abbreviation": unknown_abbreviation,
    }


def answer_tests(settings: Dataset) -> Mapping[str, Test]:
    """The tests of an answer, by the reason that a dropped row carries; tried in this order."""
    return {
        "empty": empty,
        "too_long": lambda draft: word_count(draft.text) > settings.max_answer_words,
        "teacher_speak": teacher_speak,
        "repeats_instruction": repeats_instruction,
        "invented_measurement": invented_measurement,
    }


def first_reason(tests: Mapping[str, Test], draft: Draft) -> str | None:
    """Why a draft is to be dropped, or None if it is to be kept."""
    return next((reason for reason, fails in tests.items() if fails(draft)), None)
