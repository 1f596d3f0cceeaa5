"""Of a credentialed run nobody but its owner can read a thing: 0600 files, 0700 folders, walked in a real run's folder."""

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from radgpt.config import Governance
from radgpt.governance.modes import close_to_others, created_for

DATA_STAGES = "pipeline=[preprocess,generate_instructions,postprocess_instructions]"


@pytest.fixture(autouse=True)
def ordinary_umask() -> Iterator[None]:
    previous = os.umask(0o022)
    yield
    os.umask(previous)


def modes(folder: Path) -> dict[str, str]:
    """Path to mode, of a folder and all in it but links."""
    return {str(path): f"{stat.S_IMODE(path.stat().st_mode):o}" for path in (folder, *folder.rglob("*")) if not path.is_symlink()}


def test_a_credentialed_run_closes_every_file_and_folder(radgpt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    done = radgpt("data.synthetic_reports=12", "data.governance=credentialed", "wandb=offline", DATA_STAGES, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = modes(tmp_path / "outputs")
    assert {path: mode for path, mode in found.items() if mode != ("700" if Path(path).is_dir() else "600")} == {}
    names = {Path(path).name for path in found}
    assert {".locks", ".hydra", "wandb", "manifest.json", "config.yaml", "reports.jsonl", "demo", "preprocess"} <= names
    assert any(name.endswith(".wandb") for name in names)


def test_a_failed_run_closes_them_too(radgpt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text("no json\n")
    settings = ["data.governance=credentialed", "wandb=offline", "stage=postprocess_instructions"]
    inputs = [f"inputs.{name}={tmp_path}/reports.jsonl" for name in ("reports", "raw_instructions")]
    assert radgpt(*settings, *inputs, cwd=tmp_path).returncode == 2
    found = modes(tmp_path / "outputs")
    assert any(path.endswith("manifest.json") for path in found)
    assert {path: mode for path, mode in found.items() if mode != ("700" if Path(path).is_dir() else "600")} == {}


def test_other_runs_obey_the_users_own_umask(radgpt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    done = radgpt("data.synthetic_reports=12", "wandb=disabled", "stage=preprocess", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(modes(tmp_path / "outputs").values()) == {"755", "644"}


def test_the_umask_is_given_back(tmp_path: Path) -> None:
    for number, governance in enumerate((Governance.credentialed, Governance.open)):
        with created_for(governance):
            (tmp_path / f"{number}").write_text("")
    (tmp_path / "2").write_text("")
    assert [modes(tmp_path)[f"{tmp_path}/{number}"] for number in range(3)] == ["600", "644", "644"]


def test_what_is_gone_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").write_text("")
    monkeypatch.setattr("os.walk", lambda path: iter([(str(path), ["gone"], ["gone.txt", "here"])]))
    close_to_others(tmp_path)
    assert modes(tmp_path / "here") == {f"{tmp_path}/here": "600"}


def test_closing_a_folder_follows_no_link(tmp_path: Path) -> None:
    outside, run = tmp_path / "outside", tmp_path / "run"
    outside.mkdir()
    (outside / "weights").write_text("")
    (run / "deep").mkdir(parents=True)
    (run / "deep" / "script").write_text("")
    (run / "deep" / "script").chmod(0o755)
    (run / "link").symlink_to(outside)
    (run / "deep" / "weights").symlink_to(outside / "weights")
    (run / "dangling").symlink_to(tmp_path / "nowhere")
    close_to_others(run)
    assert set(modes(outside).values()) == {"755", "644"}
    assert modes(run) == {str(run): "700", f"{run}/deep": "700", f"{run}/deep/script": "700"}
