"""Replies of teachers lose their wrapping and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radgpt.instructions.parsing import parse_answer, parse_instruction, parse_turns


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Is there a pneumothorax?", "Is there a pneumothorax?"),
        ("1. Is there a pneumothorax?\n2. Is there an effusion?", "Is there a pneumothorax?"),
        ("Question: Is there a pneumothorax?\nAnswer: No.", "Is there a pneumothorax?"),
        ("Question: Is there a pneumothorax? Answer: No.", "Is there a pneumothorax?"),
        ("**Question 1:** “Is there a pneumothorax?”", "Is there a pneumothorax?"),
        ("Sure! Here is a question:\n\n- *Is there a pneumothorax?*", "Is there a pneumothorax?"),
        ("Sure! Here's one question: Is there a pneumothorax?", "Is there a pneumothorax?"),
        ("<think>One? 1. No.</think>\nIs there a pneumothorax?<|im_end|>\n<|im_start|>user\nNo.", "Is there a pneumothorax?"),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nIs there a pneumothorax?<|eot_id|>", "Is there a pneumothorax?"),
        ("[/INST] User: Is there a pneumothorax? </s>", "Is there a pneumothorax?"),
        ('The clinician says, "Is there a pneumothorax?"', "Is there a pneumothorax?"),
        ('The clinician could ask: "Is there a pneumothorax?"', "Is there a pneumothorax?"),
        ("### Question\nIs there a pneumothorax?\n### Answer\nNo.", "Is there a pneumothorax?"),
        ("Instruction:\nSummarise  the\tfindings.", "Summarise the findings."),
        ("```text\nSummarise the findings.\n```", "Summarise the findings."),
        ('Rewrite this sentence:\n"No effusion."', 'Rewrite this sentence: "No effusion."'),
        ('"No effusion" means what? Explain "effusion"', '"No effusion" means what? Explain "effusion"'),
        ("A 1.2 cm nodule: where is it?", "A 1.2 cm nodule: where is it?"),
        ("Here is the question:", ""),
        ("", ""),
    ],
)
def test_one_instruction_is_taken(reply: str, expected: str) -> None:
    assert parse_instruction(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Answer: No effusion.", "No effusion."),
        ('"No effusion."', "No effusion."),
        ('"Yes" and "no"', '"Yes" and "no"'),
        ("Here is the summary:\n\n- Effusion.\r\n- Edema.", "- Effusion.\n- Edema."),
        ("A small effusion.", "A small effusion."),
        ("Here: no effusion.", "Here: no effusion."),
        ("  \n", ""),
        ("No effusion.\n\nQuestion: Is there a mass?\nAnswer: No.", "No effusion."),
        ("Summary: No effusion.", "No effusion."),
        ("<|im_start|>assistant\nNo effusion.<|im_end|>", "No effusion."),
        ("1. Effusion.\n2. Edema.", "1. Effusion.\n2. Edema."),
    ],
)
def test_an_answer_keeps_its_lines(reply: str, expected: str) -> None:
    assert parse_answer(reply) == expected


THREE = ["Is there an effusion?", "On which side?", "How large is it?"]


@pytest.mark.parametrize(
    "reply",
    [
        "1. Is there an effusion?\n2. On which side?\n3. How large is it?",
        "Is there an effusion?\n\nOn which side?\n\nHow large is it?",
        "Here are three questions:\n- Is there an effusion?\n- On which side?\n- How large is it?\n\nThey follow up on each other.",
        "1. Is there an effusion? 2. On which side? 3. How large is it? 4. Is it new?",
        "Question 1: Is there an effusion?\nAnswer 1: Yes.\nQuestion 2:\nOn which side?\nAnswer 2: Left.\n**Question 3:** How large is it?",
        "**Turn 1**\nUser: Is there an effusion?\nAssistant: Yes,\nit is.\n**Turn 2**\nUser: On which side?\n**Turn 3**\nHow large is it?",
        "1. **Is there an effusion?**\n   - A finding.\n2. **On which side?**\n   - A side.\n3. **How large is it?**",
        '["Is there an effusion?", "On which side?",\n"How large is it?"]',
        "### Question 1\nIs there an effusion?\n### Question 2\nOn which side?\n### Question 3\nHow large is it?",
        "<think>What to ask?</think>1) Is there an effusion?\n2) On which side?\n3) How large is it?<|im_end|>\n1. More?",
        "Is there an effusion?\n2. On which side?\n3. How large is it?",
        "Clinician: Is there an effusion?\nClinician: On which side?\nClinician: How large is it?",
    ],
)
def test_the_turns_of_a_conversation_are_taken_however_they_are_listed(reply: str) -> None:
    assert parse_turns(reply, 3) == THREE
    assert parse_turns(reply, 2) == THREE[:2]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Sorry, no.", ["Sorry, no."]),
        ("Here is the conversation:", []),
        ("", []),
        ('1. Reword this sentence:\n"No effusion."\n2. Is it new?', ['Reword this sentence: "No effusion."', "Is it new?"]),
        ("1. A 1.2 cm nodule: where is it?\n2. Is it new?", ["A 1.2 cm nodule: where is it?", "Is it new?"]),
    ],
)
def test_fewer_turns_than_asked_for_are_no_more(reply: str, expected: list[str]) -> None:
    assert parse_turns(reply, 3) == expected


def test_one_turn_is_one_instruction() -> None:
    assert parse_turns("1. Is there an effusion?\n2. On which side?", 1) == ["Is there an effusion?"]
    assert parse_turns("Sure:", 1) == []


PIECES = [
    *("Question", "Answer", "Turn 1", "User", "A", "Sure", "Here is one question", "1", "2.", "3)", ":", ": ", ". ", "?", "? "),
    *(
        "\n",
        "\r\n",
        "\n\n",
        " ",
        "\t",
        "\u2028",
        "\x85",
        "- ",
        "**",
        "*",
        "_",
        "# ",
        "```",
        '"',
        "“",
        "”",
        "'",
        '["',
        '"]',
        '", "',
        "[",
        ",",
    ),
    *("<|im_start|>", "<|im_end|>", "</s>", "<think>", "</think>", "[INST]", "assistant", "No effusion", "ab", "흉수", "\ud800"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60))
def test_any_reply_is_parsed_and_nothing_is_invented(reply: str) -> None:
    instruction, turns, answer = parse_instruction(reply), parse_turns(reply, 3), parse_answer(reply)
    assert len(turns) <= 3 and all(turns)
    for text in (instruction, *turns):
        assert len(text.splitlines()) <= 1 and text == text.strip()
    for text in (instruction, " ".join(turns), answer):
        # What is left stands in the reply, in its order.
        rest = iter(reply)
        assert all(character in rest for character in text if not character.isspace())
