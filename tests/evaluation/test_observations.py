"""Labels of short texts of our own: negated, uncertain, resolved, historical, plain words."""

import pytest

from radgpt.evaluation.observations import (
    FINDINGS_OF,
    FIVE,
    OBSERVATIONS,
    abnormal,
    counted_as_positive,
    counts,
    finding_labels,
    hits,
    labels,
)
from radgpt.faithfulness.vocabulary import FINDINGS


def said(text: str) -> dict[str, str]:
    """The labels without «No Finding», which a test of its own looks at."""
    return {name: label for name, label in labels(text).items() if name != "No Finding"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("There is a small left effusion.", {"Pleural Effusion": "positive"}),
        ("No effusion.", {"Pleural Effusion": "negative"}),
        ("Neither effusion nor pneumothorax.", {"Pleural Effusion": "negative", "Pneumothorax": "negative"}),
        ("No pneumothorax, but a small effusion.", {"Pneumothorax": "negative", "Pleural Effusion": "positive"}),
        ("Stable cardiomegaly without edema.", {"Cardiomegaly": "positive", "Edema": "negative"}),
        ("Pneumothorax is not seen.", {"Pneumothorax": "negative"}),
        ("There is no change in the effusion.", {"Pleural Effusion": "positive"}),
        ("The fracture of the left sixth rib is unchanged.", {"Fracture": "positive"}),
    ],
)
def test_what_is_denied_is_negative_and_what_has_not_changed_is_there(text: str, expected: dict[str, str]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Possible pneumonia.", {"Pneumonia": "uncertain"}),
        ("Pneumonia cannot be excluded.", {"Pneumonia": "uncertain"}),
        ("Small effusions suspected.", {"Pleural Effusion": "uncertain"}),
        ("Effusions difficult to exclude.", {"Pleural Effusion": "uncertain"}),
        ("In the appropriate clinical setting this is compatible with pneumonia.", {"Pneumonia": "uncertain"}),
        ("Cardiomegaly could also have this appearance.", {"Cardiomegaly": "uncertain"}),
        ("Vascular congestion.", {"Edema": "uncertain"}),
        ("Likely atelectasis.", {"Atelectasis": "positive"}),
        ("Findings suggestive of edema.", {"Edema": "positive"}),
        ("Borderline heart size.", {"Cardiomegaly": "positive"}),
    ],
)
def test_hedges_make_uncertain_and_likelihood_affirms(text: str, expected: dict[str, str]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Atelectasis or scarring.", "positive"),
        ("Atelectasis versus infiltrate.", "positive"),
        ("Likely atelectasis or scarring.", "positive"),
        ("Opacity that may be atelectasis or scarring.", "uncertain"),
        ("Possible atelectasis versus infiltrate.", "uncertain"),
        ("No atelectasis or scarring.", "negative"),
    ],
)
def test_one_of_several_is_affirmed_unless_all_are_hedged(text: str, label: str) -> None:
    assert said(text)["Atelectasis"] == label


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The effusion has resolved.", {"Pleural Effusion": "negative"}),
        ("Resolved interstitial edema.", {"Edema": "negative"}),
        ("A pneumothorax is no longer present.", {"Pneumothorax": "negative"}),
        ("Interval removal of the endotracheal tube.", {"Support Devices": "negative"}),
        ("History of pneumonia.", {}),
        ("Residuals of prior granulomatous infection.", {}),
        ("Old healed rib fractures.", {"Fracture": "positive"}),
        ("Rule out pneumonia.", {}),
        ("Recommend CT to evaluate for a lung nodule.", {}),
        ("If pneumonia is suspected, repeat the film.", {}),
        ("The report does not mention a pneumothorax.", {}),
        ("Is there an effusion?", {}),
        ("Cystic fibrosis.", {}),
        ("Lytic bone lesion.", {}),
        ("Right lung volume loss.", {}),
    ],
)
def test_what_is_over_or_only_asked_about_is_not_there(text: str, expected: dict[str, str]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The lungs are clear.", {"Lung Opacity": "negative"}),
        ("Cardiomediastinal contours are normal.", {"Enlarged Cardiomediastinum": "negative", "Cardiomegaly": "negative"}),
        ("Lungs: Clear.\nHeart: Normal in size.", {"Lung Opacity": "negative", "Cardiomegaly": "negative"}),
        ("Osseous structures are intact.", {"Fracture": "negative"}),
        ("The cardiomediastinal silhouette is enlarged.", {"Enlarged Cardiomediastinum": "positive"}),
        ("The heart is enlarged.", {"Cardiomegaly": "positive"}),
        ("Left lower lobe airspace consolidation.", {"Consolidation": "positive"}),
        ("Airspace disease.", {"Lung Opacity": "positive"}),
        ("There is fluid around your left lung.", {"Pleural Effusion": "positive"}),
        ("6 mm nodule.", {"Lung Lesion": "positive"}),
        ("Apical pleural thickening.", {"Pleural Other": "positive"}),
        ("Pulmonary fibrosis.", {"Pleural Other": "positive"}),
        ("Endotracheal tube above the carina.", {"Support Devices": "positive"}),
        ("Sternotomy wires are intact.", {}),
        ("Yes.", {}),
    ],
)
def test_normal_parts_deny_and_findings_have_their_observation(text: str, expected: dict[str, str]) -> None:
    assert said(text) == expected


def test_a_line_that_goes_on_is_one_sentence_and_a_new_one_is_not() -> None:
    assert said("No consolidation,\n effusion or\npneumothorax.")["Pneumothorax"] == "negative"
    assert said("No consolidation\nSmall effusion")["Pleural Effusion"] == "positive"


def test_positive_prevails_over_uncertain_over_negative() -> None:
    assert said("No pneumothorax. Possible pneumothorax.") == {"Pneumothorax": "uncertain"}
    assert said("Small pneumothorax. Possible pneumothorax. No pneumothorax.") == {"Pneumothorax": "positive"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No acute cardiopulmonary process.", True),
        ("No effusion. Pacemaker in place.", True),
        ("Clear lungs. Degenerative changes of the spine.", False),
        ("Clear lungs. Possible effusion.", False),
        ("Clear lungs. Cough and fever.", True),
        ("The patient is 54 years old.", False),
        ("Fever and cough.", False),
        ("", False),
    ],
)
def test_no_finding_needs_a_word_on_the_chest_and_nothing_abnormal(text: str, expected: bool) -> None:
    assert labels(text).get("No Finding") == ("positive" if expected else None)


def test_abnormal_is_what_an_image_shows() -> None:
    assert abnormal("Scoliosis.") and abnormal("Possible effusion.")
    assert not abnormal("No effusion. Cough. Pacemaker in place.")


def test_labels_stand_in_chexperts_order() -> None:
    assert list(labels("Fracture. Effusion. No edema.")) == ["Edema", "Pleural Effusion", "Fracture"]


def test_findings_beyond_the_observations_have_labels_too() -> None:
    assert finding_labels("Calcified granuloma. No hiatal hernia. Cough.") == {
        "calcification": "positive",
        "granuloma": "positive",
        "hiatal hernia": "negative",
    }


def test_every_finding_is_one_of_the_vocabularys() -> None:
    assert {finding for findings in FINDINGS_OF.values() for finding in findings} <= FINDINGS.keys()
    assert set(FIVE) < set(OBSERVATIONS) == {"No Finding", "Support Devices", *FINDINGS_OF}


def test_hits_false_alarms_and_misses_of_each_observation() -> None:
    ours = {"Edema": "positive", "Fracture": "uncertain", "Pneumonia": "negative"}
    theirs = {"Edema": "uncertain", "Pneumonia": "positive"}
    order = ("Edema", "Fracture", "Pneumonia", "Atelectasis")
    assert hits(ours, theirs, order, counted_as_positive("positive")) == (1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    assert hits(ours, theirs, order, counted_as_positive("negative")) == (0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)


def test_texts_that_mention_no_observation_have_no_counts() -> None:
    assert counts("Yes.", "4.5 cm", FIVE, ("positive",)) is None
    assert counts("Yes.", "No edema.", FIVE, ("positive",)) == (0.0,) * 15
