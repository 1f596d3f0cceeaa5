"""Whose failures the comparison of parsers shows: never those of headers that are held out."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.append(str(ROOT / "benchmarks"))

import sections

NONSENSE = "Nothing that any parser would take for findings."


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a short comparison of a parser that finds nothing, and give what is printed."""
    monkeypatch.setattr(sections, "radgpt_parser", lambda: lambda text: {})

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["sections.py", "--reports", "33", "--passes", "1", *arguments])
        sections.main()
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("vocabulary", ["common", "heldout_a"])
def test_failures_are_shown_of_what_a_parser_may_be_mended_by(compared: Callable[..., str], vocabulary: str) -> None:
    shown = compared("--corpora", f"{vocabulary}/natural", "--failures", "2")
    assert shown.count("\nwanted {") == 2 and "FINAL REPORT" in shown


@pytest.mark.parametrize("vocabulary", ["heldout_b", "heldout"])
def test_no_failure_is_shown_of_headers_that_are_held_out(compared: Callable[..., str], vocabulary: str) -> None:
    told = compared("--corpora", f"{vocabulary}/natural", "--failures", "2", "--families")
    assert "reports/s" in told and "wanted" not in told and "FINAL REPORT" not in told


def test_of_a_file_figures_are_told_and_failures_refused(
    compared: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(json.dumps({"id": "1", "family": "plain", "text": NONSENSE, "gold": [{"technique": "Supine."}]}) + "\n")
    told = compared("--corpora", "--corpus", str(path), "--families", "--json")
    assert json.loads(told.splitlines()[-1])["other_radgpt_report_exact"] == 0.0 and NONSENSE not in told
    with pytest.raises(SystemExit):
        compared("--corpora", "--corpus", str(path), "--failures", "1")
    assert "--failures and --corpus: the headers of a file may be held out" in capsys.readouterr().err
