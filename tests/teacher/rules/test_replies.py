"""The rules teacher: what it asks, what it answers, on small reports with the answers in sight."""

import pytest

from radgpt.clinical.lexicon import abbreviations_in
from radgpt.records import TASKS, Report
from radgpt.teacher.ask import Request
from radgpt.teacher.rules import questions, replies
from radgpt.teacher.rules.plain_language import explainable, plain_language

SECTIONS = {
    "indication": "Fever and SOB, s/p CABG.",
    "technique": "Portable AP view.",
    "comparison": "None.",
    "findings": (
        "The tip of the endotracheal tube is 4.2 cm above the carina. Small left pleural effusion. No pneumothorax. "
        "Possible pneumonia at the right base. Lungs are otherwise clear. The heart is normal in size."
    ),
    "impression": "1. Small left pleural effusion. 2. Possible right basilar pneumonia. CT is recommended.",
}
REPORT = Report("r1", "p1", "\n".join(f"{name.upper()}: {text}" for name, text in SECTIONS.items()), SECTIONS)


def report(**sections: str) -> Report:
    return Report("r", "p", " ".join(sections.values()), sections)


def instruction(task: str, number: int = 0, about: Report = REPORT, seed: int = 0) -> str:
    return replies.reply(Request(f"{about.report_id}/{number}", "instruction", task, [], about), seed).text


def answer(text: str, task: str = "question_answering", about: Report = REPORT) -> str:
    return replies.reply(Request("r/0", "answer", task, [], about, instruction=text), 0).text


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is there a pleural effusion?", 'Yes, small, on the left. The report states: "Small left pleural effusion."'),
        ("Is there a pneumothorax?", 'No. The report states: "No pneumothorax."'),
        ("Does the image show pneumonia?", 'Possibly, on the right. The report states: "Possible pneumonia at the right base."'),
        ("Does the report describe scoliosis?", "The report does not mention scoliosis."),
        ("Is there consolidation?", 'No. The report states: "Lungs are otherwise clear."'),
        ("Does the patient have an enlarged heart?", 'No. The report states: "The heart is normal in size."'),
        ("On which side is the pleural effusion?", 'On the left. The report states: "Small left pleural effusion."'),
        ("How large is the pleural effusion?", 'Small. The report states: "Small left pleural effusion."'),
        ("Where is the endotracheal tube?", 'The report states: "The tip of the endotracheal tube is 4.2 cm above the carina."'),
        ("Where does the tip of the ETT end?", 'The report states: "The tip of the endotracheal tube is 4.2 cm above the carina."'),
        ("Where is the nasogastric tube?", "The report does not mention a nasogastric tube."),
        ("Why was this study done?", 'The indication was: "Fever and SOB, s/p CABG."'),
        ("Which technique was used?", 'The technique was: "Portable AP view."'),
        ("What was this study compared with?", "No earlier study was available for comparison."),
        ("Does the radiologist advise another study? What is recommended?", 'Yes. The report states: "CT is recommended."'),
        (
            "What is the impression?",
            'The impression is: "Small left pleural effusion. Possible right basilar pneumonia. CT is recommended."',
        ),
        ("What is the capital of France?", "The report does not state this."),
    ],
)
def test_questions_are_answered_from_the_report(question: str, expected: str) -> None:
    assert answer(question) == expected


@pytest.mark.parametrize(
    ("finding", "sentence", "verdict"),
    [
        ("a pleural effusion", "No large pleural effusion.", "No large one."),
        ("a pleural effusion", "No change in the right pleural effusion.", "Yes, on the right."),
        ("a pleural effusion", "Pericardial effusion is present.", "The report does not mention a pleural effusion."),
        ("a pneumothorax", "There is no effusion, but a tiny right pneumothorax persists.", "Yes, tiny, on the right."),
        ("a pneumothorax", "Previously seen pneumothorax has resolved.", "No."),
        ("pneumonia", "Opacity at the left base, pneumonia cannot be excluded.", "Possibly."),
        ("pneumonia", "Correlate for pneumonia.", "The report does not mention pneumonia."),
        ("atelectasis", "Bibasilar atelectasis without edema.", "Yes, on both sides."),
        ("pulmonary edema", "Bibasilar atelectasis without edema.", "No."),
        ("a lung nodule", "There is a 1.2 cm nodule in the right upper lobe.", "Yes, 1.2 cm, on the right."),
        ("an enlarged heart", "The heart is not enlarged.", "No."),
        ("an enlarged heart", "HEART SIZE IS MODERATELY ENLARGED.", "Yes."),
        ("consolidation", "The right lung is clear.", "The report does not mention consolidation."),
    ],
)
def test_denials_doubts_sides_and_sizes(finding: str, sentence: str, verdict: str) -> None:
    assert answer(f"Is there {finding}?", about=report(findings=sentence)).split(" The report states:")[0] == verdict


def test_a_finding_affirmed_once_outweighs_its_denials() -> None:
    about = report(findings="No pleural effusion on the right. Small left effusion.", impression="No acute process.")
    assert answer("Is there a pleural effusion?", about=about) == 'Yes, small, on the left. The report states: "Small left effusion."'


def test_abbreviations_are_expanded_in_the_sense_of_the_report() -> None:
    assert answer("What does CABG stand for?", "abbreviation_expansion") == "CABG stands for coronary artery bypass grafting."
    assert answer("Spell out s/p.", "abbreviation_expansion") == "s/p stands for status post (after)."


def test_summaries_name_reason_result_and_abnormal_findings() -> None:
    result = "Small left pleural effusion. Possible right basilar pneumonia. CT is recommended."
    assert answer("Summarise this report briefly.", "summarisation") == result
    assert (
        answer("Summarise the reason for the study and its result.", "summarisation")
        == f"Reason: Fever and SOB, s/p CABG. Result: {result}"
    )
    assert answer("List the abnormal findings.", "summarisation") == "Small left pleural effusion. Possible pneumonia at the right base."
    normal = report(findings="The heart is not enlarged. No edema. Lungs are clear.")
    assert answer("List the abnormal findings.", "summarisation", normal) == "The report describes no abnormal findings."


def test_a_long_impression_is_cut_to_its_abnormal_sentences() -> None:
    about = report(impression=f"Lines are as before. {'Word ' * 40}here. Moderate cardiomegaly. Trace right effusion.")
    assert answer("Sum up the key result.", "summarisation", about) == "Moderate cardiomegaly. Trace right effusion."


@pytest.mark.parametrize(
    ("sentence", "plain"),
    [
        ("Small left pleural effusion.", "The image shows a small amount of fluid around the left lung."),
        ("No acute cardiopulmonary abnormality.", "The image shows no new heart or lung problem."),
        (
            "There is no pneumothorax or pleural effusion identified.",
            "The image shows no trapped air around the lungs or fluid around the lungs.",
        ),
        ("New 15 mm right apical pneumothorax.", "The image shows a 15 mm pocket of new trapped air around the top of the right lung."),
        ("Heart size within normal limits.", "The heart size is normal."),
        ("The cardiomediastinal silhouette is unremarkable.", "The outline of the heart and middle of the chest is normal."),
        ("NO FOCAL CONSOLIDATION.", "The image shows no filled-in area in the lungs."),
        ("Stable calcified granuloma in the right lower lobe.", None),
    ],
)
def test_plain_language_keeps_denials_sides_and_sizes(sentence: str, plain: str | None) -> None:
    expected = (
        plain or "The image shows an unchanged calcium-hardened small scar from an old infection in the lower part of the right lung."
    )
    assert plain_language(sentence) == expected


def test_only_sentences_that_become_plain_are_asked_about() -> None:
    assert explainable("Small left pleural effusion.")
    assert explainable("Left hilar fullness.") is None, "jargon would stay"
    assert explainable("Lungs are clear.") is None, "nothing would change"
    assert explainable("XXXX pleural effusion.") is None, "a word is missing"


def test_quoted_sentences_and_the_impression_are_paraphrased() -> None:
    assert answer('Explain this: "No pneumothorax."', "paraphrasing") == "The image shows no trapped air around the lungs."
    about = report(findings="Lungs are clear.", impression="1. Mild cardiomegaly. 2. No acute osseous abnormality.")
    expected = "The image shows mild enlargement of the heart. The image shows no new bone problem."
    assert answer("Rewrite the impression in plain language.", "paraphrasing", about) == expected


@pytest.mark.parametrize("task", TASKS)
def test_instructions_are_drawn_by_seed_and_id_and_differ_within_a_report(task: str) -> None:
    first = [instruction(task, number) for number in range(3)]
    assert first == [instruction(task, number) for number in range(3)]
    assert len(set(first)) == 3
    assert any(instruction(task, number, seed=seed) != first[number] for seed in range(1, 5) for number in range(3))


def test_abbreviations_asked_for_stand_in_the_report() -> None:
    asked = {abbreviations_in(instruction("abbreviation_expansion", number))[0] for number in range(5)}
    assert asked == {"SOB", "s/p", "CABG", "AP", "cm"} | (asked & {"CT"})


def test_every_question_that_is_asked_is_understood() -> None:
    """No question of the teacher's own falls back to the nearest sentence or to «not stated»."""
    for _, wordings in questions.askable(REPORT):
        answers = {answer(wording) for wording in wordings}
        assert len(answers) == 1, (wordings, answers)
        assert answers != {questions.NOT_STATED}, wordings


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "about", [report(), report(findings="XXXX. ___."), report(findings="\u0000 {0.__class__} {report} ((((", impression="?")]
)
def test_a_report_that_says_nothing_gives_empty_or_harmless_replies(task: str, about: Report) -> None:
    got = replies.reply(Request("r/0", "instruction", task, [], about), 0)
    assert (got.outcome == "dropped: empty") == (got.text == "")
    assert "XXXX" not in got.text
    assert replies.reply(Request("r/0", "answer", task, [], about, instruction=got.text), 0).model == "rules"


def test_a_report_without_sections_is_read_as_a_whole() -> None:
    bare = Report("r", "p", "Portable chest. Small left effusion. No pneumothorax.", {})
    assert answer("Is there a pleural effusion?", about=bare).startswith("Yes, small, on the left.")


def test_text_that_looks_like_the_rewriters_marks_is_harmless() -> None:
    assert plain_language("⟦7⟧ No effusion ⟪9⟫ seen.") == "The image shows 7 No fluid around the lungs 9 seen."
    assert plain_language("small " * 3000 + "effusion.").endswith("a small amount of fluid around the lungs.")
