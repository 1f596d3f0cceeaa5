"""The console table of a preprocess run, and that it tells no header text of data that are not free."""

import pytest
from eight_reports import EIGHT, quality_of

from radgpt.config import Governance
from radgpt.records import Report, Section
from radgpt.reports import quality
from radgpt.reports.quality import Quality
from radgpt.reports.quality_console import console


def told(found: Quality, governance: Governance) -> str:
    return console(found, found.duplicates(), governance)


def test_console() -> None:
    assert told(quality_of(EIGHT), Governance.open).splitlines() == [
        "8 reports of 6 patients",
        "",
        "  section             reports     share    empty   what says so",
        "  history                   1    12.5 %        0   header 100.0 %",
        "  indication                1    12.5 %        0   header 100.0 %",
        "  findings                  5    62.5 %        1   header 60.0 %, last_paragraph 20.0 %, merged 20.0 %",
        "  impression                3    37.5 %        1   header 100.0 %",
        "  wet_read                  1    12.5 %        0   none 100.0 %",
        "  other                     1    12.5 %        0   none 100.0 %",
        "",
        "  pairs        2 with findings and impression (25.0 %)",
        "               the others: 3 without impression, 1 without findings, 2 without either",
        "  splits       train 2, test 1, none 5",
        "  flags        no_narrative 2, merged 1, split_conflict 1, unheaded 1; 4 reports, all in flagged.jsonl",
        "  repeats      1 report with the text of an earlier one; 1 held out with that of a training report",
        "  new headers  1, 2 times: LUNG VOLUMES 2",
    ]


@pytest.mark.parametrize("governance", [Governance.credentialed, Governance.restricted])
def test_console_tells_no_header_of_data_that_are_not_free(governance: Governance) -> None:
    table = told(quality_of(EIGHT), governance)
    assert table.endswith("\n  new headers  1, 2 times")
    assert "LUNG VOLUMES" not in table


def test_console_says_where_headers_were_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "MOST_HEADERS", 2)
    monkeypatch.setattr(quality, "HEADERS_KEPT", 1)
    reports = [Report(name, "p", name, {}, spans=[Section("other", name, "none", 0, 1)]) for name in "AABC"]
    assert told(quality_of(reports), Governance.credentialed).endswith("  new headers  1 or more, 4 times")


def test_console_of_nothing() -> None:
    assert told(Quality(), Governance.open).splitlines()[0] == "0 reports of 0 patients"


def test_sources_that_name_neither_patients_nor_splits() -> None:
    found = Quality()
    found.add([Report(name, name, "Clear.", {"findings": "Clear."}) for name in "abc"])
    told = console(found, found.duplicates(), Governance.open)
    assert told.startswith("3 reports, each counted as a patient's of its own\n") and "splits" not in told
