"""What answers without a model say."""

import pytest

from radgpt.evaluation.floors import copied, floor_answers, lead_sentence, majority_answers, nearest_answers, report_part
from radgpt.records import Pair

REPORT = "FINDINGS: Nodule of 4.5 mm at the apex. No effusion.\n\nIMPRESSION: Nodule."


def pair(task: str, answer: str, shown: str = "?", span: list[int] | None = None) -> Pair:
    messages = [{"role": "system", "content": "Answer."}, {"role": "user", "content": shown}, {"role": "assistant", "content": answer}]
    return Pair("r/0", "r", "p", task, "train", messages, "", "", "", span)


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
    ("report", "expected"),
    [
        (REPORT, "Nodule of 4.5 mm at the apex."),
        ("IMPRESSION: 1. Normal chest.\n2. Nothing else.", "Normal chest."),
        ("Clear chest. No more.", "Clear chest."),
        ("4.5 mm nodule. No effusion.", "4.5 mm nodule."),
        ("", ""),
    ],
)
def test_lead_is_the_first_sentence_of_what_was_seen(report: str, expected: str) -> None:
    assert lead_sentence(report) == expected


def test_the_report_is_what_the_span_says_and_else_the_whole_message() -> None:
    assert report_part(pair("summarisation", "", f"Report: {REPORT}\n\nSummarise it.", [8, 8 + len(REPORT)])) == REPORT
    assert report_part(pair("summarisation", "", "Clear lungs. Summarise it.")) == "Clear lungs. Summarise it."


def test_a_copy_is_the_report_and_for_an_impression_its_findings() -> None:
    shown = "TECHNIQUE: PA.\nFINDINGS: Clear lungs."
    assert copied(pair("question_answering", "", shown)) == shown
    assert copied(pair("findings_to_impression", "", shown)) == "Clear lungs."
    assert copied(pair("findings_to_impression", "", "Lungs clear, heart normal")) == "Lungs clear, heart normal"


def test_the_nearest_prompt_of_the_task_lends_its_answer() -> None:
    train = [
        pair("findings_to_impression", "Effusion.", "Small left pleural effusion is seen."),
        pair("findings_to_impression", "Normal.", "The lungs are clear. The heart is normal."),
        pair("question_answering", "No.", "The lungs are clear. Is there an effusion?"),
    ]
    asked = [
        pair("question_answering", "", "Small left pleural effusion. Which side?"),
        pair("findings_to_impression", "", "Heart normal, lungs clear."),
        pair("findings_to_impression", "", "Left effusion."),
        pair("findings_to_impression", "", "Übersicht"),
        pair("paraphrasing", "", "Is there an effusion?"),
    ]
    assert nearest_answers(train, asked) == ["No.", "Normal.", "Effusion.", "Effusion.", "No."]


def test_a_pair_of_words_in_order_makes_a_prompt_nearer() -> None:
    train = [pair("t", "B.", "effusion left, fracture right"), pair("t", "A.", "left effusion, right fracture")]
    assert nearest_answers(train, [pair("t", "", "left effusion and right fracture")]) == ["A."]


def test_prompts_without_any_word_are_near_to_nothing() -> None:
    assert nearest_answers([pair("t", "A.", "?"), pair("t", "B.", "!")], [pair("t", "", "?")]) == ["A."]


def test_floors_stand_only_where_what_they_take_is_known() -> None:
    train, asked = [pair("summarisation", "Normal.", "Clear lungs.")], [pair("summarisation", "", REPORT)]
    assert floor_answers(["summarisation"], train, asked) == {
        "majority": ["Normal."],
        "lead": ["Nodule of 4.5 mm at the apex."],
        "copy": [REPORT],
        "nearest": ["Normal."],
    }
    assert list(floor_answers(["summarisation"], train, None)) == ["majority"]
    assert list(floor_answers(["summarisation"], [], asked)) == ["lead", "copy"]
    assert floor_answers(["summarisation"], [], None) == {}


def test_wording_of_a_request_for_a_section_does_not_choose_the_nearest_report() -> None:
    request = "State the impression of this report briefly: "
    train = [
        pair("findings_to_impression", "Effusion.", "Left effusion. Sum up.", [0, 14]),
        pair("findings_to_impression", "Normal.", request + "Clear lungs.", [len(request), len(request) + 12]),
    ]
    shown = request + "Large left effusion."
    assert nearest_answers(train, [pair("findings_to_impression", "", shown, [len(request), len(shown)])]) == ["Effusion."]
