"""Replies of teachers lose their wrapping and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radgpt.instructions.parsing import parse_answer, parse_instruction


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Is there a pneumothorax?", "Is there a pneumothorax?"),
        ("1. Is there a pneumothorax?\n2. Is there an effusion?", "Is there a pneumothorax?"),
        ("Question: Is there a pneumothorax?\nAnswer: No.", "Is there a pneumothorax?"),
        ("Question: Is there a pneumothorax? Answer: No.", "Is there a pneumothorax?"),
        ("**Question 1:** “Is there a pneumothorax?”", "Is there a pneumothorax?"),
        ("Sure! Here is a question:\n\n- *Is there a pneumothorax?*", "*Is there a pneumothorax?*"),
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
    ],
)
def test_an_answer_keeps_its_lines(reply: str, expected: str) -> None:
    assert parse_answer(reply) == expected


@given(st.text(alphabet="Q1.:*\"'` \nabc?-A“”", max_size=60))
def test_any_reply_is_parsed_into_one_line(reply: str) -> None:
    parsed = parse_instruction(reply)
    assert "\n" not in parsed
    assert parsed == parsed.strip()
    assert len(parse_answer(reply)) <= len(reply)
