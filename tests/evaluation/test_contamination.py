"""What test rows share with training."""

from radgpt.evaluation.contamination import counts, overlaps
from radgpt.instructions.deduplication import Duplicates
from radgpt.records import Pair

FINDINGS = "The heart is normal in size. The lungs are clear. No pleural effusion or pneumothorax."
"""15 words."""


def pair(report: str, question: str = "Summarise.", answer: str = "Normal.", patient: str = "p0") -> Pair:
    messages = [{"role": "user", "content": f"{report}\n\n{question}"}, {"role": "assistant", "content": answer}]
    return Pair("r/0", "r", patient, "summarisation", "train", messages, "", "", "", [0, len(report)])


TRAIN = [pair(FINDINGS)]


def shared(asked: Pair, near_duplicate: float = 0.8) -> dict[str, bool]:
    (found,) = overlaps(TRAIN, [asked], near_duplicate)
    return vars(found) | {"clean": found.clean}


def test_the_same_report_with_another_question() -> None:
    again = pair(FINDINGS.upper().replace(" ", "\n"), "Is there an effusion?", "No.", "p1")
    assert shared(again) == {
        "report": True,
        "near_report": True,
        "prompt": False,
        "reference": False,
        "patient": False,
        "clean": False,
    }


def test_the_same_prompt_and_answer() -> None:
    found = shared(pair(FINDINGS, "summarise.", "NORMAL.", "p1"))
    assert found["prompt"] and found["reference"]


def test_near_is_from_the_threshold_on() -> None:
    """12 of the 15 words: ROUGE-L F1 is 2 x 12 / (12 + 15) = 0.889."""
    shorter = pair("The heart is normal in size. The lungs are clear. No pneumothorax.", answer="Other.", patient="p1")
    assert len(FINDINGS.split()) == 15
    assert shared(shorter, 24 / 27) | {"clean": None} == shared(shorter, 0.8) | {"clean": None}
    assert shared(shorter, 24 / 27)["near_report"] and not shared(shorter, 24 / 27)["report"]
    assert not shared(shorter, 0.89)["near_report"]
    assert shared(shorter, 0.89)["clean"]


def test_only_words_equal_is_near_at_any_threshold() -> None:
    assert shared(pair(FINDINGS.replace(".", ";"), patient="p1"), 1.0)["near_report"]


def test_a_patient_on_both_sides_is_not_clean() -> None:
    found = shared(pair("Rib fracture.", answer="Fracture.", patient="p0"))
    assert found["patient"] and not found["near_report"] and not found["clean"]


def test_rows_of_the_test_do_not_contaminate_each_other() -> None:
    first, second = overlaps(TRAIN, [pair("Rib fracture.", patient="p1"), pair("Rib fracture.", patient="p2")], 0.8)
    assert first.clean and second.clean


def test_counts() -> None:
    found = overlaps(TRAIN, [pair(FINDINGS, patient="p1"), pair("Rib fracture.", answer="Fracture.", patient="p1")], 0.8)
    assert counts(found) == {"rows": 2, "report": 1, "near_report": 1, "prompt": 1, "reference": 1, "patient": 0, "clean": 1}
    assert counts(None) is None


def test_asking_whether_a_text_is_known_does_not_make_it_known() -> None:
    known = Duplicates(0.8, [FINDINGS])
    assert known.knows(FINDINGS)
    assert not known.knows("Rib fracture.") and not known.knows("Rib fracture.")
    assert not known.repeats("Rib fracture.") and known.knows("Rib fracture.")
