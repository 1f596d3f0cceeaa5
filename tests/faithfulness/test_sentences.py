"""What is read from one sentence: who is denied, doubted or left alone, and which details belong to whom."""

import pytest

from radgpt.faithfulness.marks import marks, plain
from radgpt.faithfulness.sentences import Sentence, read, sentence_spans


def reading(text: str) -> Sentence:
    low = plain(text)
    return read(low, 0, len(low), 0)


def said(text: str) -> dict[str, str]:
    return {statement.name: statement.status for statement in reading(text).statements}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("No pneumothorax, effusion or fracture.", {"pneumothorax": "absent", "pleural effusion": "absent", "fracture": "absent"}),
        ("No pneumothorax, but a small effusion.", {"pneumothorax": "absent", "pleural effusion": "present"}),
        ("No effusion and the heart is enlarged.", {"pleural effusion": "absent", "enlarged heart": "present"}),
        ("Cardiomegaly without edema.", {"enlarged heart": "present", "pulmonary edema": "absent"}),
        ("The effusion has resolved.", {"pleural effusion": "absent"}),
        ("Effusion is not seen.", {"pleural effusion": "absent"}),
        ("No change in the effusion.", {"pleural effusion": "present"}),
        ("Pneumonia cannot be excluded.", {"pneumonia": "possible"}),
        ("Possible pneumonia.", {"pneumonia": "possible"}),
        ("Atelectasis or pneumonia.", {"atelectasis": "possible", "pneumonia": "possible"}),
        ("Opacity consistent with pneumonia.", {"opacity": "present", "pneumonia": "likely"}),
        ("Evaluate for pneumonia.", {"pneumonia": "mentioned"}),
        ("The report does not mention scoliosis.", {"scoliosis": "silent"}),
        ("The heart is not enlarged.", {"heart": "present"}),
        ("Lungs are clear.", {"lungs": "present"}),
        ("Follow-up CT is recommended.", {"advice": "present"}),
        ("There is no air around the left lung.", {"pneumothorax": "absent"}),
    ],
)
def test_what_is_asserted(sentence: str, expected: dict[str, str]) -> None:
    assert said(sentence) == expected


def test_details_belong_to_the_noun_they_stand_by() -> None:
    right, left = reading("Large right effusion and tiny left apical pneumothorax.").statements
    assert (right.values("side"), right.values("severity"), right.values("location")) == ({"right"}, {"large"}, set())
    assert (left.values("side"), left.values("severity"), left.values("location")) == ({"left"}, {"small"}, {"upper"})
    (nodule,) = reading("The nodule in the right upper lobe measures 1.2 cm.").statements
    assert (nodule.values("side"), nodule.values("location"), nodule.sizes[0].values) == ({"right"}, {"upper"}, (12.0,))
    (both,) = reading("Bilateral effusions.").statements
    assert both.values("side") == {"left", "right"}


def test_sentences_survive_numbers_titles_and_broken_lines() -> None:
    text = plain("1. Nodule of 1.2 cm.\n 2. Dr. Roe was\n told.No effusion is seen\n\nEnd")
    assert [text[start:end] for start, end in sentence_spans(text, 0, len(text), lines=False)] == [
        "nodule of 1.2 cm",
        "dr. roe was\n told",
        "no effusion is seen",
        "end",
    ]


def test_plain_text_keeps_every_character_in_its_place() -> None:
    assert plain("It’s İ – ﬁ Ａ 1×2") == "it's İ - ﬁ Ａ 1x2"


def test_of_marks_at_one_word_those_that_reach_farthest_count() -> None:
    text = "no longer seen: fluid around the left lung"
    assert [(mark.kind, mark.value) for mark in marks(text, 16, len(text))] == [("finding", "pleural effusion"), ("side", "left")]
