"""What answers without a model say."""

import pytest

from radgpt.evaluation.floors import lead_sentence, majority_answers
from radgpt.records import Pair, Report


def pair(task: str, answer: str) -> Pair:
    return Pair("r/0", "r", "p", task, "train", [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}], "", "", "")


def test_majority_is_the_most_frequent_answer_of_the_task() -> None:
    majority = majority_answers(
        [
            pair("summarisation", "Effusion."),
            pair("question_answering", "Yes."),
            pair("question_answering", "No."),
            pair("question_answering", "No."),
            pair("summarisation", "Normal."),
            pair("summarisation", "Normal."),
            pair("summarisation", "Normal."),
        ]
    )
    assert majority is not None
    assert majority("question_answering") == "No."
    assert majority("summarisation") == "Normal."
    assert majority("paraphrasing") == "Normal."


def test_of_equally_frequent_answers_the_first_is_taken() -> None:
    majority = majority_answers([pair("summarisation", "B."), pair("summarisation", "A.")])
    assert majority is not None and majority("summarisation") == "B."


def test_no_pairs_no_majority() -> None:
    assert majority_answers([]) is None


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"findings": "Nodule of 4.5 mm\nat the apex. No effusion.", "impression": "Nodule."}, "Nodule of 4.5 mm at the apex."),
        ({"impression": "Normal chest. Nothing else."}, "Normal chest."),
        ({}, "Chest: clear."),
    ],
)
def test_lead_is_the_first_sentence(sections: dict[str, str], expected: str) -> None:
    assert lead_sentence(Report("r", "p", "Chest: clear. No more.", sections)) == expected
