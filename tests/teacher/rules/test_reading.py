"""Sentences of reports as sources write them."""

from radgpt.teacher.rules.reading import limit_of, sentences, side_of, status_at


def test_sentences_survive_list_numbers_titles_and_decimals() -> None:
    assert sentences("1. No effusion.2. Dr. Roe was told at 8 a.m. 2) Nodule of 1.2 cm.. XXXX. The Heart is normal") == [
        "No effusion.",
        "Dr. Roe was told at 8 a.m.",
        "Nodule of 1.2 cm.",
        "The Heart is normal.",
    ]


def test_status_side_and_limit_of_the_words_in_question() -> None:
    sentence = "No pneumothorax, but a small left effusion."
    assert status_at(sentence, 3, 15) == "absent"
    assert status_at(sentence, 34, 42) == "present"
    assert (side_of("left greater than right"), side_of("the left base"), side_of("the base")) == ("both", "left", None)
    assert limit_of("No large pleural ") == "large"
    assert limit_of("No pneumothorax or large ") == "large"
    assert limit_of("No ") is None, "the pneumothorax of «no pneumothorax or large effusion»"
