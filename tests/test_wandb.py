"""What Weights & Biases holds after a run, read back from the offline files."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Line
from test_line import STAGES, folder, manifest
from wandb_log import read_run

from radgpt.config import Governance, WandbMode
from radgpt.errors import UserError
from radgpt.records import Pair, Report, read_records
from radgpt.tracking import resolve_mode


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_is_a_run_with_config_group_metrics_and_outcome(line: Line, stage: str) -> None:
    directory = folder(line.outputs, stage)
    told = manifest(directory)
    logged = read_run(directory)
    assert (logged["id"], logged["group"], logged["job_type"], logged["exit_code"]) == (told["id"], "demo", stage, 0)
    assert set(logged["tags"]) == {"demo", stage}
    assert logged["config"]["model"]["source"] == "tiny"
    assert logged["config"]["lineage"]["key"] == told["key"]
    assert logged["config"]["lineage"]["reads"] == {name: read["sha256"] for name, read in told["reads"].items()}
    assert "chat" not in logged["config"]
    for name, value in told["metrics"].items():
        assert logged["summary"][name] == pytest.approx(value)
    # W&B keeps a table of scores as an artifact of its own.
    assert {artifact.type for artifact in logged["artifacts"]} - {"run_table"} == set(told["writes"])


def test_training_leaves_a_loss_curve_over_its_own_axis(line: Line) -> None:
    history = read_run(folder(line.outputs, "finetune"))["history"]
    losses = {point["train/step"]: point["train/loss"] for point in history if "train/loss" in point}
    assert sorted(losses) == [1, 2, 3, 4]
    assert all(loss > 0 for loss in losses.values())


def test_no_report_text_anywhere_in_the_wandb_folders(line: Line) -> None:
    """Every sentence of every report, pair and prediction is looked for in every byte under wandb/."""
    logged = b"".join(file.read_bytes() for path in line.outputs.glob("demo/*/*/wandb") for file in path.rglob("*") if file.is_file())
    assert b"demo" in logged
    sentences = set()
    for report in read_records(folder(line.outputs, "preprocess") / "reports.jsonl", Report):
        sentences |= {sentence.strip() for text in report.sections.values() for sentence in text.split(".") if len(sentence.split()) > 3}
    for pair in read_records(folder(line.outputs, "postprocess_answers") / "dataset" / "train.jsonl", Pair):
        sentences.add(pair.reference)
    assert len(sentences) > 50
    assert [sentence for sentence in sentences if len(sentence.split()) > 3 and sentence.encode() in logged] == []


def test_the_terminal_viewer_reads_the_same(line: Line) -> None:
    directory = folder(line.outputs, "evaluate")
    (log,) = directory.glob("wandb/offline-run-*")
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--summary", "--json", str(log)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [name for name in manifest(directory)["metrics"] if name not in shown] == []


def test_auto_is_online_only_with_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_mode(WandbMode.auto, Governance.open, []) is WandbMode.offline
    with pytest.raises(UserError, match="wandb=online needs a key"):
        resolve_mode(WandbMode.online, Governance.open, [])
    (tmp_path / ".netrc").write_text("machine api.wandb.ai\n  login user\n  password " + "0" * 40 + "\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert resolve_mode(WandbMode.auto, Governance.open, []) is WandbMode.online
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert resolve_mode(WandbMode.auto, Governance.open, []) is WandbMode.disabled
