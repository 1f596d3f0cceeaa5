"""Tell which instructions and answers are not fit to train on, and why: one small named test for each reason."""

from collections.abc import Mapping

from radgpt.config import Dataset, Instructions, Language
from radgpt.instructions.answer_filters import cut_off, echoes_report, invented_measurement, repeats_instruction
from radgpt.instructions.drafts import Draft, Test
from radgpt.instructions.instruction_filters import (
    about_removed_text,
    invented_number,
    invented_quote,
    invented_side,
    not_an_instruction,
    several_questions,
    unknown_abbreviation,
    unknown_section,
)
from radgpt.instructions.text_filters import (
    empty,
    injected_order,
    invented_link,
    junk_characters,
    loop,
    not_english,
    prompt_leak,
    teacher_speak,
    unfilled_slot,
    word_count,
)

OF_BOTH: Mapping[str, Test] = {
    "junk_characters": junk_characters,
    "prompt_leak": prompt_leak,
    "injected_order": injected_order,
    "teacher_speak": teacher_speak,
    "unfilled_slot": unfilled_slot,
    "invented_link": invented_link,
    "loop": loop,
}
"""The tests that instructions and answers share."""


MEANINGS: Mapping[str, str] = {
    "too_short": "Fewer words than instructions.min_words.",
    "too_long": "More words than instructions.max_words, or dataset.max_answer_words, allows.",
    **{
        test.__name__: (test.__doc__ or "").splitlines()[0]
        for test in (
            empty,
            *OF_BOTH.values(),
            not_english,
            about_removed_text,
            not_an_instruction,
            several_questions,
            invented_number,
            invented_side,
            invented_quote,
            unknown_section,
            unknown_abbreviation,
            cut_off,
            repeats_instruction,
            echoes_report,
            invented_measurement,
        )
    },
}
"""Reason to what it says of a draft."""


def instruction_tests(settings: Instructions) -> dict[str, Test]:
    """The tests of an instruction, by the reason that a dropped row carries; tried in this order."""
    return {
        "empty": empty,
        "too_short": lambda draft: word_count(draft.text) < settings.min_words,
        "too_long": lambda draft: word_count(draft.text) > settings.max_words,
        **OF_BOTH,
        **_language_tests(settings.language),
        "about_removed_text": about_removed_text,
        "not_an_instruction": not_an_instruction,
        "several_questions": several_questions,
        "invented_number": invented_number,
        "invented_side": invented_side,
        "invented_quote": invented_quote,
        "unknown_section": unknown_section,
        "unknown_abbreviation": unknown_abbreviation,
    }


def answer_tests(settings: Dataset) -> dict[str, Test]:
    """The tests of an answer, by the reason that a dropped row carries; tried in this order."""
    return {
        "empty": empty,
        "too_long": lambda draft: word_count(draft.text) > settings.max_answer_words,
        **OF_BOTH,
        **_language_tests(settings.language),
        "cut_off": cut_off,
        "repeats_instruction": repeats_instruction,
        "echoes_report": echoes_report,
        "invented_measurement": invented_measurement,
    }


def first_reason(tests: Mapping[str, Test], draft: Draft) -> str | None:
    """Why a draft is to be dropped, or None if it is to be kept."""
    return next((reason for reason, fails in tests.items() if fails(draft)), None)


def _language_tests(language: Language) -> dict[str, Test]:
    return {"not_english": not_english} if language is Language.en else {}
