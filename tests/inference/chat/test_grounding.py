"""Sentences of an answer stand beside the sentences of the report that speak for them, and what does not stand there is named."""

import pytest

from radgpt.inference.chat.grounding import grounding

REPORT = (
    "INDICATION: Cough.\n"
    "FINDINGS: The heart size is mildly enlarged. There is a small left pleural effusion with adjacent atelectasis. No pneumothorax.\n"
    "IMPRESSION: 1. Small left pleural effusion. 2. Mild cardiomegaly."
)


def told(answer: str, question: str = "What is seen?", report: str = REPORT) -> list[tuple[str, list[str], list[tuple[str, str]]]]:
    """(sentence of the answer, sentences of the report, (kind of problem, words at fault)) for each."""
    return [
        (
            answer[slice(*found.answer)],
            [report[slice(*span)] for span in found.report],
            [(problem.kind, answer[problem.start : problem.end]) for problem in found.problems],
        )
        for found in grounding(report, question, answer)
    ]


def test_each_sentence_stands_beside_what_supports_it() -> None:
    assert told("There is no pneumothorax. The heart is mildly enlarged.") == [
        ("There is no pneumothorax.", ["No pneumothorax."], []),
        ("The heart is mildly enlarged.", ["The heart size is mildly enlarged."], []),
    ]


def test_the_question_tells_what_a_bare_no_is_about() -> None:
    assert told("No.", "Is there a pneumothorax?") == [("No.", ["No pneumothorax."], [])]
    ((_, support, problems),) = told("No.", "Is there a pleural effusion?")
    assert support == [] and problems == [("negation", "No")]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("There is a small right pleural effusion.", ("side", "right")),
        ("The effusion measures 4 cm.", ("measurement", "4 cm")),
        ("There is a fracture of the clavicle.", ("finding", "fracture")),
    ],
)
def test_what_the_report_does_not_say_is_named(answer: str, problem: tuple[str, str]) -> None:
    ((_, _, problems),) = told(answer)
    assert problem in problems


def test_a_sentence_that_claims_nothing_has_nothing_beside_it() -> None:
    (found,) = grounding(REPORT, "Hello?", "Hello, how can I help?")
    assert not found.checked and found.report == () and found.problems == ()


def test_a_list_is_read_line_by_line_and_numbers_are_no_words() -> None:
    assert [sentence for sentence, _, _ in told("1. Small left effusion\n2. No pneumothorax")] == ["Small left effusion", "No pneumothorax"]


@pytest.mark.parametrize(("report", "answer"), [("", "No."), (REPORT, ""), (REPORT, "   \n"), ("", ""), ("\ud800", "\x00 …")])
def test_odd_texts_are_no_error(report: str, answer: str) -> None:
    for found in grounding(report, "?", answer):
        assert 0 <= found.answer[0] <= found.answer[1] <= len(answer)


def test_what_a_looping_model_writes_is_judged_up_to_a_limit() -> None:
    answer = "No pneumothorax. " * 3000
    found = grounding(REPORT, "?", answer)
    assert found[0].report and found[-1].answer[1] <= 20_001
