"""The planter of the faithfulness benchmark: what it changes contradicts the report, or it changes nothing."""

import random
import sys

import pytest
from conftest import ROOT

sys.path.append(str(ROOT / "benchmarks"))

import faithfulness as benchmark

REPORT = "FINDINGS: Small left pleural effusion. No pneumothorax. 7 mm nodule in the right upper lobe, stable. Possible scarring."


def planted(kind: str, answer: str, report: str = REPORT, instruction: str = "") -> str | None:
    return benchmark.PLANTS[kind](answer, instruction, report, random.Random(1))


def test_errors_are_planted_where_the_report_says_otherwise() -> None:
    assert planted("side", "Small left pleural effusion.") == "Small right pleural effusion."
    assert planted("severity", "Small left pleural effusion.") == "Large left pleural effusion."
    assert planted("location", "A nodule in the right upper lobe.") == "A nodule in the right lower lobe."
    assert planted("negation", "The image shows no trapped air around the lungs.") == "The image shows trapped air around the lungs."
    assert planted("negation", "No. The report says so.", instruction="Is there a pneumothorax?") == "Yes. The report says so."
    measured = planted("measurement", "A 7 mm nodule.")
    assert measured is not None and "7 mm" not in measured


@pytest.mark.parametrize(
    ("kind", "answer", "report"),
    [
        ("side", "Small left pleural effusion.", "FINDINGS: Small left pleural effusion. Right pleural effusion is larger."),
        ("side", "Small left pleural effusion.", "FINDINGS: Bilateral effusions, small on the left."),
        ("negation", "No consolidation.", "FINDINGS: No consolidation. Right lower lobe opacity."),
        ("negation", "No effusion, no edema.", "FINDINGS: Possible effusion. Edema cannot be excluded."),
        ("severity", "No large effusion.", "FINDINGS: No large effusion."),
        ("recommendation", "Normal.", "FINDINGS: Normal. CT is recommended."),
    ],
)
def test_nothing_is_planted_that_might_be_true(kind: str, answer: str, report: str) -> None:
    assert planted(kind, answer, report) is None


def test_the_figures_are_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["faithfulness.py", "--synthetic-reports", "12", "--json"])
    benchmark.main()
    assert '"faithfulness_recall_side"' in capsys.readouterr().out
