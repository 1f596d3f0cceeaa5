"""The judge on answers as language models word them, on what it points at, and on text that no sane model writes."""

import gc
import time

import held_out_answers
import pytest
import tuned_answers
from hypothesis import given, settings
from hypothesis import strategies as st

from radgpt.faithfulness.verdict import judge
from radgpt.records import Report, Section

REPORT = Report(
    "r",
    "p",
    "INDICATION: Rule out\n pneumonia.\n\nFINDINGS: Small left pleural\n effusion. No pneumothorax. 1.2 cm nodule "
    "in the right upper\n lobe.",
    {},
    spans=[Section("indication", "INDICATION", "header", 12, 32), Section("findings", "FINDINGS", "header", 44, 133)],
)


def about(text: str) -> Report:
    return Report("r", "p", text, {})


def problems(answer: str, report: Report = REPORT, instruction: str = "What does the report say?") -> list[tuple[str, str]]:
    return [(problem.kind, answer[problem.start : problem.end]) for problem in judge(answer, instruction, report).problems]


@pytest.mark.parametrize(("letter", "instruction", "answer", "wrong"), tuned_answers.ANSWERS)
def test_answers_of_language_models(letter: str, instruction: str, answer: str, wrong: str | None) -> None:
    kinds = {kind for kind, _ in problems(answer, about(tuned_answers.REPORTS[letter]), instruction)}
    assert wrong in kinds if wrong else not kinds


def test_answers_that_no_rule_was_tuned_on() -> None:
    """Not one by one: whoever mends a rule for one of them takes it out of the held-out half."""
    right = sum(
        bool(problems(answer, about(held_out_answers.REPORTS[letter]), instruction)) == (wrong is not None)
        for letter, instruction, answer, wrong in held_out_answers.ANSWERS
    )
    assert right / len(held_out_answers.ANSWERS) >= 0.9


def test_a_problem_points_at_the_words_at_fault() -> None:
    assert problems("A small right effusion and a 2.1 cm nodule.") == [("side", "right"), ("measurement", "2.1 cm")]


def test_evidence_gives_characters_of_the_reports_text_though_its_lines_are_broken() -> None:
    answer = "There is fluid around the left lung."
    verdict = judge(answer, "Explain it.", REPORT)
    pointed = [(REPORT.text[e.start : e.end], answer[e.answer_start : e.answer_end]) for e in verdict.evidence]
    assert ("effusion", "fluid around the left lung") in [(words.split()[-1], said) for words, said in pointed]
    assert not verdict.problems


def test_the_score_is_the_share_of_supported_claims() -> None:
    assert judge("No pneumothorax. There is a rib fracture.", "Summarise.", REPORT).score == 0.5
    assert judge("No pneumothorax.", "Summarise.", REPORT).score == 1
    assert judge("Thank you for asking.", "Summarise.", REPORT).score is None


def test_what_the_indication_asks_is_no_finding() -> None:
    assert problems("The patient has pneumonia.") == [("finding", "pneumonia")]
    assert problems("The study was done to rule out pneumonia.", instruction="Why was the study done?") == []


@pytest.mark.parametrize(
    ("report", "answer", "kinds"),
    [
        ("No effusion on the right. Small left effusion.", "There is no effusion.", ["negation"]),
        ("No effusion on the right. Small left effusion.", "There is no effusion on the right.", []),
        ("Small left effusion.", "There is no large effusion.", []),
        ("Large left effusion.", "There is no large effusion.", ["negation"]),
        ("Old rib fracture.", "There is no acute fracture.", []),
        ("Lungs are clear.", "No consolidation.", []),
        ("Lungs are clear.", "No fracture.", ["denial"]),
        ("Normal chest radiograph.", "No fracture.", []),
        ("No fracture.", "The report does not mention a fracture.", ["unanswered"]),
        ("Lungs are clear.", "The report does not mention consolidation.", []),
    ],
)
def test_how_far_a_denial_reaches(report: str, answer: str, kinds: list[str]) -> None:
    assert [kind for kind, _ in problems(answer, about(f"FINDINGS: {report}"))] == kinds


@pytest.mark.parametrize(
    ("question", "answer", "kinds"),
    [
        ("Is there an effusion?", "Yes.", []),
        ("Is there an effusion?", "No.", ["negation"]),
        ("Is there a pneumothorax?", "Yes, on the left.", ["negation"]),
        ("On which side is the effusion?", "On the right.", ["side"]),
        ("Has the effusion changed?", "No.", []),
    ],
)
def test_short_answers_are_read_with_their_question(question: str, answer: str, kinds: list[str]) -> None:
    assert [kind for kind, _ in problems(answer, instruction=question)][: len(kinds) or 1] == kinds


def test_a_word_changed_in_a_copied_sentence_needs_no_vocabulary() -> None:
    report = about("FINDINGS: Left shoulder prosthesis is seen. Stable mediastinal contour.")
    assert problems("Left shoulder prosthesis is seen.", report) == []
    assert problems("Right shoulder prosthesis is seen.", report) == [("side", "Right")]
    assert ("change", "Worsening") in problems("Worsening mediastinal contour.", report)


@given(st.text(max_size=300), st.text(max_size=100), st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_no_text_makes_it_raise(answer: str, instruction: str, report: str) -> None:
    verdict = judge(answer, instruction, about(report))
    assert all(0 <= problem.start < problem.end <= len(answer) for problem in verdict.problems)
    assert all(0 <= item.start <= item.end <= len(report) for item in verdict.evidence)


WORDS = st.sampled_from(
    (
        "no",
        "small",
        "left",
        "right",
        "effusion",
        "pneumothorax",
        "1.2 cm",
        "x",
        "3/4/2015",
        "at",
        "2:30 pm",
        ".",
        ";",
        "(",
        "possible",
        "İ",
        "ß",
        "폐",
        "fluid around the lung",
        "is not",
        "CT",
        "advised",
        "\n",
        "nodule",
        "or",
        "unchanged",
    )
)


@given(st.lists(WORDS, max_size=60).map(" ".join), st.lists(WORDS, max_size=60).map(" ".join))
@settings(max_examples=150, deadline=None)
def test_no_heap_of_its_own_words_makes_it_raise(answer: str, report: str) -> None:
    assert all(answer[problem.start : problem.end] for problem in judge(answer, "Is there an effusion?", about(report)).problems)


def test_another_script_claims_nothing() -> None:
    assert judge("폐에 이상이 없습니다.", "요약하세요.", REPORT).score is None


@pytest.mark.parametrize(
    "piece", ["no effusion ", "air in the ", "1.2 x ", "the left lung ", "a" * 50, "(", "\n", "no change of the heart or "]
)
def test_time_grows_no_faster_than_the_answer(piece: str) -> None:
    def seconds(length: int) -> float:
        answer = (piece * (length // len(piece) + 1))[:length]
        # Collecting garbage among all that other tests have loaded would be counted as judging.
        gc.disable()
        start = time.process_time()
        judge(answer, "Summarise.", REPORT)
        taken = time.process_time() - start
        gc.enable()
        return taken

    seconds(500)
    assert seconds(16_000) < 12 * max(seconds(2_000), 0.02)
