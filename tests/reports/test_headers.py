"""What headers open, by the words that they are made of."""

import pytest

from radgpt.reports.headers import MERGED, ORGAN, START, TITLE, opens, stands_alone


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("examination", "EXAM|TYPE OF EXAMINATION|STUDY|PROCEDURE|EXAMINATION PERFORMED|STUDY DESCRIPTION|NAME OF STUDY"),
        ("history", "CLINICAL HISTORY|CLINICAL INFORMATION|PAST MEDICAL HISTORY|HX|CHEST PAIN HISTORY|HISTORY OF PRESENT ILLNESS"),
        ("indication", "REASON FOR EXAM|REASON FOR CHEST X-RAY|INDICATIONS|CLINICAL QUESTION|CHIEF COMPLAINT|PROVISIONAL DIAGNOSIS"),
        ("technique", "TECHNIQUE|TECHNIQUES|VIEWS|VIEWS OBTAINED|IMAGING PROTOCOL|EXAM TECHNIQUE|TECHNICAL FACTORS"),
        ("comparison", "COMPARISONS|REFERENCE EXAM|COMPARISON FILM|PRIOR STUDIES|PRIORS|STUDIES FOR COMPARISON|COMPARED WITH"),
        ("findings", "FINDING|FINDINGS (portable)|TECHNIQUE AND FINDINGS|REPORT|RADIOGRAPHIC FINDINGS|OBSERVATIONS|BODY OF REPORT"),
        ("impression", "CONCLUSION|OPINION|IMPRESSION AND RECOMMENDATION(S)|RADIOLOGIST'S IMPRESSION|FINAL DIAGNOSIS|SUMMARY"),
        (MERGED, "FINDINGS AND IMPRESSION|IMPRESSION/FINDINGS|FINDINGS & IMPRESSION|FINDINGS/ IMPRESSION|FINDINGS-IMPRESSION"),
        ("notification", "NOTIFICATION|COMMUNICATION OF FINDINGS|NOTIFICATION OF CRITICAL FINDINGS|CRITICAL RESULTS|PFI"),
        ("recommendations", "RECOMMENDATION(S)|FOLLOW-UP RECOMMENDATIONS|FOLLOW UP"),
        ("addendum", "ADDENDUM|FINAL ADDENDUM|ADDENDUM TO REPORT"),
        ("wet_read", "WET READ|WETREAD|WET READ VERSION #2|PRELIMINARY REPORT"),
        (TITLE, "CHEST, TWO VIEWS|PORTABLE AP CHEST RADIOGRAPH|CHEST X-RAY, 2 VIEWS|CT OF THE HEAD WITHOUT CONTRAST"),
        (ORGAN, "LUNGS|HEART AND MEDIASTINUM|SUPPORT DEVICES|BONES"),
        (START, "FINAL REPORT"),
        (None, "CHEST PAIN|DR. ___|ADMIT COMMENTS|NOTE THE TUBE|___|THE FINDINGS ARE AS FOLLOWS|COMPRESSION|DEPRESSION"),
    ],
)
def test_what_names_open(kind: str | None, names: str) -> None:
    assert {name: opens(name) for name in names.split("|")} == dict.fromkeys(names.split("|"), kind)
    assert {opens(name.capitalize()) for name in names.split("|")} == {kind}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("impression", "IMPRESSON IMPRESSOIN IMPRSSION MPRESSION IMPESSION IMPRRESSION IPMRESSION IMRPESSIN"),
        ("findings", "FINDINS FINDINDGS FIDNINGS FINDIINGS FINDINGSS"),
        ("indication", "NDICATION IDICATION INDICAITON"),
        ("comparison", "COMPARISION COMPARSION COMAPRISON"),
        ("technique", "TECHINQUE TECNIQUE"),
        ("history", "HISOTRY"),
        ("examination", "EXAMIANTION"),
    ],
)
def test_misspelt_names(kind: str, names: str) -> None:
    assert {name: opens(name) for name in names.split()} == dict.fromkeys(names.split(), kind)


def test_misspelt_names_of_several_words() -> None:
    assert opens("CLINCIAL HISOTRY") == "history"
    assert opens("REASON FRO EXAM") == "indication"


def test_only_standard_names_stand_alone() -> None:
    assert stands_alone("CLINICAL HISTORY") == "history"
    assert stands_alone("COMMUNICATION OF FINDINGS") == "notification"
    for name in ("CHEST FINDINGS", "REPORT", "AND FINDINGS", "LINE PLACEMENT HISTORY", "IMPRESSOIN", "CHEST, TWO VIEWS", "LUNGS", ""):
        assert stands_alone(name) is None, name
