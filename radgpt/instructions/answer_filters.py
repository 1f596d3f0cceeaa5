"""Tests of an answer: that it is whole, says something, and does not just hand back what it was given."""

import re

from radgpt.instructions.drafts import Draft
from radgpt.instructions.report_facts import numbers, numbers_in_either_unit, plain_words
from radgpt.instructions.rouge import rouge_l
from radgpt.instructions.text_filters import word_count

REPETITION = 0.9
"""An answer whose ROUGE-L F1 with its instruction, or with its whole report, exceeds this says nothing new."""
SHORT_REPORT = 50
"""Words of a report that an answer may repeat as a whole."""

_MEASUREMENT = re.compile(r"(\d+(?:\.\d+)?)(?: |-)?(?:mm|cm|%|degrees?|millimet(?:re|er)s?|centimet(?:re|er)s?)(?!\w)")
_DANGLING = re.compile(
    r"(?:[,;:(\[–—-]|\b(?:a|an|the|and|or|of|with|to|from|by|at|as|in|on|for|is|are|was|were|has|have|be|been|which|that|than|without|but|no"
    r"|this|its|between|into|may|could|should))$",
    re.IGNORECASE,
)


def cut_off(draft: Draft) -> bool:
    """It stops within a sentence: behind a word that calls for another, or before a bracket closes, unless the report leaves it open."""
    text = draft.text.rstrip("*_ \n")
    _, bracket, tail = text.rpartition("(")
    left_open = bool(bracket) and ")" not in tail and plain_words(tail) not in plain_words(draft.report)
    return left_open or bool(_DANGLING.search(text))


def repeats_instruction(draft: Draft) -> bool:
    """The answer only says the instruction again."""
    return rouge_l(draft.text, draft.instruction) > REPETITION


def echoes_report(draft: Draft) -> bool:
    """The answer only says the whole report again, and the report is not short."""
    return word_count(draft.report) > SHORT_REPORT and rouge_l(draft.text, draft.report) > REPETITION


def invented_measurement(draft: Draft) -> bool:
    """A length, angle or share that neither report nor instruction holds, in centimetres or millimetres."""
    said = {float(number) for number in _MEASUREMENT.findall(draft.text)}
    return not said <= numbers_in_either_unit(draft.report) | numbers(draft.instruction)
