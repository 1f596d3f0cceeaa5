"""The labeller's benchmark counts right, and shows no text."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.append(str(ROOT / "benchmarks"))

import labeller as benchmark

COLUMNS = "Atelectasis,Cardiomegaly,Effusion,Infiltration,Mass,Nodule,Pneumonia,Pneumothorax,Consolidation,Edema,Emphysema,Fibrosis"
COLUMNS += ",Pleural_Thickening,Hernia,normal"


def test_positive_counts_against_everything_else() -> None:
    found = {"1": {"Edema": "positive"}, "2": {"Edema": "uncertain"}, "3": {"Edema": "positive"}, "4": {}, "5": {"Fracture": "positive"}}
    gold = {
        name: {"A": a, "B": b, "C": "0"}
        for name, a, b in [("1", "1", "0"), ("2", "0", "1"), ("3", "0", "0"), ("4", "0", "0"), ("5", "0", "0")]
    }
    table = benchmark.scored(found, gold, {"Edema": ("A", "B"), "Fracture": ("C",)})
    # Nobody found a fracture: it is left out, the labeller's false alarm too.
    assert list(table) == ["Edema", "micro", "macro"]
    assert table["Edema"] == {"hits": 1, "false_alarms": 1, "misses": 1, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert table["micro"] == table["Edema"]


def test_micro_is_over_all_labels_and_macro_their_mean() -> None:
    found = {"1": {"Edema": "positive", "Fracture": "positive"}, "2": {"Edema": "positive"}}
    gold = {"1": {"E": "1", "F": "1"}, "2": {"E": "1", "F": "1"}}
    table = benchmark.scored(found, gold, {"Edema": ("E",), "Fracture": ("F",)})
    assert table["micro"]["f1"] == pytest.approx(2 * 3 / (2 * 3 + 1))
    assert table["macro"]["f1"] == pytest.approx((1 + 2 / 3) / 2)


def test_a_run_reads_the_ids_it_is_given_and_prints_no_text(tmp_path: Path) -> None:
    texts = {"CXR1": {"findings": "Small effusion."}, "CXR2": {"impression": "No effusion. Secretword."}, "CXR3": {"findings": "Effusion."}}
    rows = [{"report_id": name, "patient_id": name, "text": "", "sections": sections} for name, sections in texts.items()]
    (tmp_path / "reports.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    gold = "".join(f"{name},{','.join('1' if column == 'Effusion' else '0' for column in COLUMNS.split(','))}\n" for name in texts)
    (tmp_path / "gold.csv").write_text(f"filename,{COLUMNS}\n{gold}")
    (tmp_path / "ids.txt").write_text("CXR1\nCXR2\nCXR9\n")
    command = [sys.executable, ROOT / "benchmarks" / "labeller.py", "--json", "--reports", tmp_path / "reports.jsonl"]
    ended = subprocess.run(
        [*command, "--gold", tmp_path / "gold.csv", "--ids", tmp_path / "ids.txt"], capture_output=True, text=True, check=True
    )
    result = json.loads(ended.stdout.splitlines()[-1])
    assert (result["reports"], result["asked_for"]) == (2, 3)
    assert result["observations"]["Pleural Effusion"] == result["observations"]["micro"]
    assert (result["observations"]["micro"]["hits"], result["observations"]["micro"]["misses"]) == (1, 1)
    assert "Secretword" not in ended.stdout and "effusion." not in ended.stdout
