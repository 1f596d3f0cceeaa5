"""No model is uploaded, nothing is told to libraries' makers, and W&B's logs of credentialed runs go to one's own servers only."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import composed

from radgpt.config import DeepSpeed, Governance, Model, ModelSource, Training, WandbMode
from radgpt.errors import UserError
from radgpt.governance.telemetry import SWITCHES, switch_off_telemetry
from radgpt.mistakes import explain
from radgpt.run import Run
from radgpt.tracking import WandbTracker, resolve_mode, sync_line


def told(*overrides: str) -> str:
    with pytest.raises(Exception) as raised:
        composed(*overrides)
    line = explain(raised.value)
    assert line is not None
    return line


@pytest.mark.parametrize(
    "typed",
    [
        "+training.push_to_hub=true",
        "training.push_to_hub=true",
        "+training.push_to_hub=false",
        "+training.hub_model_id=me/m",
        "+push_to_hub=1",
    ],
)
def test_push_to_hub_is_refused_by_name(typed: str) -> None:
    line = told(typed)
    assert line.startswith(f"{typed.lstrip('+').partition('=')[0]} is refused: radgpt uploads no model") and "PhysioNet" in line


def test_push_to_hub_in_an_experiment_file_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "experiment" / "own").mkdir(parents=True)
    (tmp_path / "experiment" / "own" / "hub.yaml").write_text("# @package _global_\ntraining:\n  push_to_hub: true\n")
    line = told(f"hydra.searchpath=[file://{tmp_path}]", "experiment=own/hub")
    assert line.startswith("training.push_to_hub is refused") and line.endswith("(in experiment/own/hub.yaml)")


def test_the_trainer_uploads_nothing_and_reports_to_nobody(tmp_path: Path) -> None:
    from radgpt.training.loop.arguments import training_arguments

    model = Model(source=ModelSource.tiny, name_or_path="tiny")
    arguments = training_arguments(Training(), DeepSpeed(), model, 0, output=tmp_path, evaluate=False, resumed=False)
    assert (arguments.push_to_hub, arguments.hub_model_id, arguments.report_to) == (False, None, [])


def test_telemetry_is_off_before_a_library_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SWITCHES:
        monkeypatch.setenv(name, "on")
    switch_off_telemetry()
    assert {name: os.environ[name] for name in SWITCHES} == {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "WANDB_ERROR_REPORTING": "false",
    }


@pytest.fixture
def with_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A user who is logged in, whose HOME is empty otherwise."""
    for name in ("WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    return monkeypatch


OWN = ["wandb.hospital.example"]


@pytest.mark.parametrize(
    ("governance", "server", "environment", "mode"),
    [
        ("open", None, None, "online"),
        ("credentialed", None, None, "offline"),
        ("credentialed", None, "online", "offline"),
        ("credentialed", None, "disabled", "disabled"),
        ("credentialed", "https://api.wandb.ai", "online", "offline"),
        ("credentialed", "https://wandb.hospital.example", None, "online"),
        ("credentialed", "https://WANDB.hospital.example:8443/", "online", "online"),
        ("credentialed", "https://wandb.hospital.example", "offline", "offline"),
        ("credentialed", "https://wandb.hospital.example.evil.example", "online", "offline"),
        ("credentialed", "https://sub.wandb.hospital.example", "online", "offline"),
        ("restricted", None, None, "online"),
    ],
)
def test_auto_keeps_credentialed_logs_offline_but_for_ones_own_server(
    governance: str, server: str | None, environment: str | None, mode: str, with_key: pytest.MonkeyPatch
) -> None:
    if server:
        with_key.setenv("WANDB_BASE_URL", server)
    if environment:
        with_key.setenv("WANDB_MODE", environment)
    assert resolve_mode(WandbMode.auto, Governance[governance], OWN) is WandbMode[mode]


def test_online_is_refused_for_credentialed_logs_with_the_mend(with_key: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError) as refused:
        resolve_mode(WandbMode.online, Governance.credentialed, OWN)
    line = str(refused.value)
    assert line.startswith("wandb=online: logs of credentialed runs do not go to api.wandb.ai")
    assert "wandb=offline" in line and "governance.wandb_hosts" in line
    with_key.setenv("WANDB_BASE_URL", "https://wandb.hospital.example")
    assert resolve_mode(WandbMode.online, Governance.credentialed, OWN) is WandbMode.online


@pytest.mark.parametrize(
    "host", ["https://wandb.hospital.example", "wandb.hospital.example:8080", "*.example", "Wandb.example", "api.wandb.ai", "us.wandb.io"]
)
def test_the_list_of_hosts_is_checked(host: str) -> None:
    assert told(f"governance.wandb_hosts=['{host}']").startswith(f"governance.wandb_hosts: {host} ")


def test_wandb_online_is_refused_before_a_folder_is_made(radgpt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    settings = ["data.synthetic_reports=12", "data.governance=credentialed", "stage=preprocess"]
    done = radgpt(*settings, "wandb=online", cwd=tmp_path, WANDB_API_KEY="0" * 40)
    assert done.returncode == 2 and "governance.wandb_hosts" in done.stderr and not list(tmp_path.glob("outputs/demo"))
    done = radgpt(*settings, cwd=tmp_path, WANDB_API_KEY="0" * 40, WANDB_MODE="online")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("outputs/demo/preprocess/*/wandb/offline-run-*"))
    assert "W&B logs of credentialed runs are kept offline" in done.stdout and "yours to decide: wandb sync outputs/demo/" in done.stdout


def test_the_line_about_uploading_speaks_of_the_strictest_log(tmp_path: Path) -> None:
    config = composed("data.governance=open", f"outputs={tmp_path}", "wandb=offline")
    assert sync_line(config) is None
    for number, governance in enumerate(("open", "credentialed")):
        directory = tmp_path / "demo" / "preprocess" / str(number)
        (directory / "wandb" / "offline-run-1").mkdir(parents=True)
        (directory / "manifest.json").write_text(json.dumps({"stage": "preprocess", "key": "k", "governance": governance}))
        assert ("yours to decide" in (sync_line(config) or "")) is (governance == "credentialed")
    (directory / "wandb" / "offline-run-1" / "run-1.wandb.synced").touch()
    assert (sync_line(config) or "").startswith("W&B logs are kept offline; to upload them: wandb sync")


def test_metrics_hold_no_sentence(tmp_path: Path) -> None:
    run = Run(directory=tmp_path, writes={})
    run.summarise(engine="ddp", sha256="0" * 64, rows=3, share=0.5)
    with pytest.raises(ValueError, match="several words"):
        run.summarise(answer="The heart is enlarged.")
    with pytest.raises(ValueError, match="no number"):
        WandbTracker(None).log({"answer": "enlarged"}, "step", 1)  # type: ignore[dict-item]


def test_open_mimic_is_allowed_with_a_warning(radgpt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    report = tmp_path / "files" / "p10" / "p10000032" / "s50414267.txt"
    report.parent.mkdir(parents=True)
    report.write_text("FINDINGS: Clear lungs.\n\nIMPRESSION: Normal.\n")
    settings = ["stage=preprocess", "data=mimic_cxr", f"data.path={tmp_path}", "wandb=disabled", f"outputs={tmp_path}/o"]
    done = radgpt(*settings, "data.governance=synthetic", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if "MIMIC" in line]
    assert "data=mimic_cxr with data.governance=synthetic: right for made-up reports only" in warning
    assert "MIMIC" not in radgpt(*settings, cwd=tmp_path).stderr
