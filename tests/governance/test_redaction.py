"""What a user typed to chat, which may quote a report, stands in no record of a credentialed run and in no complaint about it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from radgpt.governance.redaction import redacted_config, redacted_words

SAID = "FINDINGS Small left apical pneumothorax"
FEW = ("data.synthetic_reports=12", "stage=preprocess")

Radgpt = Callable[..., subprocess.CompletedProcess[str]]


def files_with(text: str, folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_words_of_a_command_line() -> None:
    typed = ["run.py", "chat.message=a, b=c\nd", "+chat.report=r.txt", "++chat.message=x", "chat={message: x}", "chat=default", "seed=1"]
    kept = [
        "run.py",
        "chat.message=redacted",
        "+chat.report=redacted",
        "++chat.message=redacted",
        "chat=redacted",
        "chat=default",
        "seed=1",
    ]
    assert redacted_words(typed) == kept
    assert redacted_words(["prompt.chat.system=You help.", "name=chat.message"]) == ["prompt.chat.system=You help.", "name=chat.message"]


def test_a_config() -> None:
    assert redacted_config({"seed": 1, "chat": {"message": "m", "report": None}}) == {
        "seed": 1,
        "chat": {"message": "redacted", "report": None},
    }


def test_no_record_of_a_credentialed_run_holds_it(radgpt: Radgpt, tmp_path: Path) -> None:
    done = radgpt(*FEW, "wandb=offline", "data.governance=credentialed", f"chat.message='{SAID}'", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert files_with(SAID, tmp_path / "outputs") == [] and SAID not in done.stdout + done.stderr
    (directory,) = tmp_path.glob("outputs/demo/preprocess/*")
    assert json.loads((directory / "manifest.json").read_text())["argv"][-1] == "chat.message=redacted"
    assert yaml.safe_load((directory / ".hydra" / "overrides.yaml").read_text())[-1] == "chat.message=redacted"
    assert yaml.safe_load((directory / ".hydra" / "config.yaml").read_text())["chat"] == {
        "message": "redacted",
        "report": None,
        "system": None,
    }


def test_other_runs_record_what_was_typed(radgpt: Radgpt, tmp_path: Path) -> None:
    done = radgpt(*FEW, "wandb=disabled", f"chat.message='{SAID}'", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(Path(path).name for path in files_with(SAID, tmp_path / "outputs")) == ["config.yaml", "manifest.json", "overrides.yaml"]


def test_nor_does_hydras_record_of_a_sweep(radgpt: Radgpt, tmp_path: Path) -> None:
    settings = ["wandb=disabled", "data.governance=credentialed", "seed=1,2", f"chat.message='{SAID}'"]
    done = radgpt("-m", "data.synthetic_reports=12", "stage=preprocess", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (record,) = tmp_path.glob("outputs/demo/sweeps/*/multirun.yaml")
    assert f"{record.stat().st_mode:o} {record.parent.stat().st_mode:o}" == "100600 40700"
    assert "chat.message=redacted" in record.read_text() and "seed=1,2" in record.read_text()
    assert files_with(SAID, tmp_path / "outputs") == []


@pytest.mark.parametrize(
    "typed", [f"chat.message={SAID}, none", f"chat.message={SAID} {{", f"chat.message=[{SAID},none]", f"chat={{text: {SAID}}}"]
)
def test_nor_does_a_complaint(typed: str, radgpt: Radgpt, tmp_path: Path) -> None:
    done = radgpt(*FEW, typed, cwd=tmp_path)
    assert done.returncode == 2 and "chat" in done.stderr and done.stderr.count("\n") == 1
    assert SAID not in done.stderr + done.stdout
