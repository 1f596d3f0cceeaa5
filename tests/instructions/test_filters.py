"""Each filter drops what it is named for, and lets sound instructions and answers pass."""

import pytest

from radgpt.config import Dataset, Instructions
from radgpt.instructions.filters import Draft, answer_tests, first_reason, instruction_tests

REPORT = "INDICATION: SOB s/p CABG. FINDINGS: 1.2 cm nodule at T12. Portable AP film."


def judge(text: str, task: str = "question_answering") -> str | None:
    return first_reason(instruction_tests(Instructions(max_words=20)), Draft(text, task, REPORT))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("--", "empty"),
        ("Any nodule?", "too_short"),
        (f"Is there {'really ' * 20}a nodule?", "too_long"),
        ("As an AI language model, what can I ask?", "teacher_speak"),
        ("I'm sorry, but what is this?", "teacher_speak"),
        ("What does [insert term] mean here?", "unfilled_slot"),
        ("What does {examples} say here?", "unfilled_slot"),
        ("What does XXXX mean in this report?", "about_removed_text"),
        ("Who is Dr. ___ in this report?", "about_removed_text"),
        ("The nodule is well seen.", "not_an_instruction"),
        ("Is there a nodule? Where is it?", "several_questions"),
        ("Is the nodule 3 cm in size?", "invented_number"),
    ],
)
def test_unsound_instructions_are_dropped_with_their_reason(text: str, reason: str) -> None:
    assert judge(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        "Is there a nodule near T12?",
        "How large is the 1.2 cm nodule really?",
        "Summarise the findings in 2 sentences.",
        "Please list the abnormal findings.",
        "In one sentence, sum up the result.",
        'Explain "is it large?" to the patient, would you?',
        "결절이 어디에 보입니까, 크기는 얼마입니까?",
    ],
)
def test_sound_instructions_pass(text: str) -> None:
    assert judge(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("What does CABG stand for?", None),
        ("Spell out s/p as used here.", None),
        ("What is the full form of AP?", None),
        ('Expand the term "SOB" in full.', None),
        ("What does COPD stand for?", "unknown_abbreviation"),
        ("What does PA stand for?", "unknown_abbreviation"),
        ("Expand all abbreviations, please do.", "unknown_abbreviation"),
    ],
)
def test_an_abbreviation_asked_for_must_stand_in_the_report(text: str, reason: str | None) -> None:
    assert judge(text, "abbreviation_expansion") == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Yes, it measures 1.2 cm.", None),
        ("SOB stands for shortness of breath.", None),
        ("", "empty"),
        ("word " * 31, "too_long"),
        ("As an AI model I cannot tell.", "teacher_speak"),
        ("How large is the nodule", "repeats_instruction"),
        ("It measures 4 mm.", "invented_measurement"),
    ],
)
def test_answers_are_judged(text: str, reason: str | None) -> None:
    draft = Draft(text, "question_answering", REPORT, "How large is the nodule?")
    assert first_reason(answer_tests(Dataset(max_answer_words=30)), draft) == reason
