"""Made-up reports: the same for a seed, varied, in MIMIC-CXR's layout, and findings that agree with the impression."""

import re
from collections import Counter

import pytest
from rapidfuzz import fuzz
from reading_documents import documents, refusal

from radgpt.config import Data, SplitPolicy
from radgpt.records import Report
from radgpt.reports.sectioning import as_report


def made_up(data: Data, seed: int) -> list[Report]:
    return [as_report(document, data.sections) for document in documents(data, seed)]


@pytest.fixture(scope="module")
def reports() -> list[Report]:
    return made_up(Data(), seed=0)


def test_same_seed_same_reports_and_more_of_them_keep_the_first(reports: list[Report]) -> None:
    assert made_up(Data(synthetic_reports=250), seed=0)[:200] == reports
    assert made_up(Data(limit=7), seed=0) == reports[:7]
    assert not {report.text for report in made_up(Data(), seed=1)} & {report.text for report in reports}


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_reports_are_the_same_however_they_are_shared_out(reports: list[Report], batch: int) -> None:
    found = documents(Data(limit=20), batch=batch)
    assert [(document.report_id, document.text) for document in found] == [(report.report_id, report.text) for report in reports[:20]]


def test_there_is_no_official_split() -> None:
    assert "made-up reports have none" in refusal(Data(split=SplitPolicy.official))


def test_patients_have_one_to_three_studies(reports: list[Report]) -> None:
    assert len(reports) == len({report.report_id for report in reports}) == 200
    studies = Counter(report.patient_id for report in reports)
    assert set(studies.values()) == {1, 2, 3}


def test_layout_is_that_of_mimic_cxr(reports: list[Report]) -> None:
    for report in reports:
        lines = report.text.splitlines()
        assert lines[0] == " " * 33 + "FINAL REPORT"
        assert all(line.startswith(" ") and len(line) <= 79 for line in lines)
        assert {"technique", "comparison", "findings", "impression"} <= report.sections.keys()
        assert not report.flags
        assert 40 <= len(report.text.split()) <= 160


def test_reports_differ(reports: list[Report]) -> None:
    findings = [report.sections["findings"] for report in reports]
    near = [max(fuzz.ratio(text, other) for other in findings[:position]) for position, text in enumerate(findings) if position]
    assert sum(ratio >= 95 for ratio in near) <= 2


@pytest.mark.parametrize("abbreviation", ["CHF", "PICC", "NG", "ETT", "COPD", "SOB", "AP", "PA", "SVC", "PTX", "PNA"])
def test_abbreviations_occur(reports: list[Report], abbreviation: str) -> None:
    assert sum(bool(re.search(rf"\b{abbreviation}\b", report.text)) for report in reports) >= 3


@pytest.mark.parametrize(
    "condition", ["pneumothorax", "pleural effusion", "pulmonary edema", "cardiomegaly", "nodule", "opacity", "atelectasis"]
)
def test_impression_tells_what_findings_tell(reports: list[Report], condition: str) -> None:
    told = 0
    for report in reports:
        impression = " ".join(report.sections["impression"].split())
        findings = re.split(r"(?<=\.) ", " ".join(report.sections["findings"].split()))
        seen = any(condition in sentence.lower() and not re.search(r"\b[Nn]o\b|neither", sentence) for sentence in findings)
        gone = any(condition in sentence.lower() and re.search(r"resolved|no longer seen", sentence) for sentence in findings)
        assert (condition in impression.lower()) == (seen or gone), report.report_id
        told += seen
    assert told >= 5


def test_no_acute_process_only_without_acute_findings(reports: list[Report]) -> None:
    quiet = [r for r in reports if re.search(r"No (radiographic evidence of )?acute", r.sections["impression"])]
    assert len(quiet) >= 20
    for report in quiet:
        assert not re.search(
            r"pneumothorax\b(?! of)|opacity|edema|effusion|atelectasis|rib\b",
            re.sub(r"Resolved [^.]*\.", "", " ".join(report.sections["impression"].split())),
        )
