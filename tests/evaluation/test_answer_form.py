"""Length, refusals and repetitions."""

import pytest

from radgpt.evaluation.answer_form import empty, loops, refuses, repeated_share, words


@pytest.mark.parametrize("text", ["", " \n", "...", "—"])
def test_no_word_is_empty(text: str) -> None:
    assert empty(text)


@pytest.mark.parametrize("text", ["No", "4", "정상"])
def test_a_word_in_any_script_is_not_empty(text: str) -> None:
    assert not empty(text)


def test_words() -> None:
    assert words("The patient's X-ray, 4.5 cm; STRAẞE.") == ["the", "patient's", "x", "ray", "4", "5", "cm", "strasse"]


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot provide medical advice.",
        "I am unable to interpret this report.",
        "I’m not a doctor, so I cannot say.",
        "As an AI language model, I have no access to images.",
        "As a helpful assistant I must decline.",
        "I don't have access to the report.",
        "It is not appropriate for me to comment.",
        "I won't answer this.",
        "I can't see any image here.",
        "Please consult your doctor for medical advice.",
    ],
)
def test_refusals(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "A fracture cannot be excluded.",
        "I cannot exclude a fracture.",
        "I cannot see a pneumothorax on this view.",
        "The report does not say.",
        "No, there is no effusion.",
        "The radiologist was unable to assess the left base.",
        "Please correlate clinically and see the radiologist's note of today.",
        "As a result the line was removed.",
        "The patient can't stand; the study is portable.",
    ],
)
def test_answers_about_what_cannot_be_seen_are_none(text: str) -> None:
    assert not refuses(text)


def test_repeated_four_word_sequences() -> None:
    assert repeated_share(["a", "b", "c", "d", "e"]) == 0
    # Of five sequences, abcd comes twice.
    assert repeated_share(["a", "b", "c", "d", "a", "b", "c", "d"]) == pytest.approx(1 / 5)
    assert repeated_share(["a", "b", "c", "d"]) is None
    assert repeated_share([]) is None


@pytest.mark.parametrize(
    "text",
    [
        "no no no no no no",
        "the lungs are clear, the lungs are clear, the lungs are clear, the lungs are clear",
        "There is a small effusion. The heart is normal. There is a small effusion.",
        "Small left pleural effusion\nSmall left pleural effusion",
    ],
)
def test_loops_and_sentences_that_come_twice(text: str) -> None:
    assert loops(text)


@pytest.mark.parametrize(
    "text",
    [
        "No effusion. No pneumothorax. No consolidation. No edema. No fracture.",
        "No. There is no effusion. No.",
        "Clear. Clear.",
        "",
    ],
)
def test_lists_and_short_sentences_are_no_loops(text: str) -> None:
    assert not loops(text)
