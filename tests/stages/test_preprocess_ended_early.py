"""`stage=preprocess` as a user runs it, killed or interrupted and started again: nothing is made twice, nothing lost, nothing left."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT
from processes import left_behind

from radgpt.stages.preprocess import WRITES

pytestmark = pytest.mark.slow

REPORTS = 60_000
SHARDS = 30


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Preprocess many small reports with two workers."""
    path = tmp_path_factory.mktemp("source") / "in.jsonl"
    with open(path, "w") as file:
        for number in range(REPORTS):
            text = f"HISTORY: Cough.\n\nFINDINGS: Film {number} shows clear lungs.\n\nIMPRESSION: Normal."
            file.write(json.dumps({"report_id": f"r{number}", "patient_id": f"p{number // 3}", "text": text}) + "\n")
    settings = ("stage=preprocess", "experiment=none", "name=ended", "data=jsonl", f"data.path={path}", "data.workers=2", "wandb=disabled")
    return [sys.executable, str(ROOT / "run.py"), *settings]


@pytest.fixture(scope="module")
def uninterrupted(command: list[str], environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing happened to."""
    cwd = tmp_path_factory.mktemp("uninterrupted")
    subprocess.run(command, cwd=cwd, env=environment, check=True, capture_output=True)
    return the_run(cwd)


def the_run(cwd: Path) -> Path:
    """The one folder of a run."""
    (found,) = cwd.glob("outputs/ended/preprocess/*")
    return found


def finished(cwd: Path) -> dict[str, int]:
    """The shards that are whole, and when they were made."""
    found = {}
    for path in cwd.glob("outputs/ended/preprocess/*/.shards-*/*.json"):
        # They may be removed meanwhile, as all is done.
        with suppress(FileNotFoundError):
            found[path.name] = path.stat().st_mtime_ns
    return found


def start(command: list[str], cwd: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=cwd, env=environment, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload]


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)


def test_killed_again_and_again_it_goes_on_and_ends_with_the_same_bytes(
    command: list[str], environment: dict[str, str], uninterrupted: Path, tmp_path: Path
) -> None:
    kept: dict[str, int] = {}
    for more in (2, 4):
        process = start(command, tmp_path, environment)
        wait_for(lambda: len(finished(tmp_path)) >= len(kept) + more, process)  # noqa: B023 (asked before the next round)
        process.kill()
        told, _ = process.communicate()
        assert left_behind(process.pid) == []
        assert (f"preprocess: continuing {the_run(tmp_path).relative_to(tmp_path)}" in told) == bool(kept)
        found = finished(tmp_path)
        assert len(found) < SHARDS
        assert {name: found[name] for name in kept} == kept
        kept = found
    left = [the_run(tmp_path), *the_run(tmp_path).rglob("*")]
    assert {str(path): stat.S_IMODE(path.stat().st_mode) for path in left if path.stat().st_mode & 0o077} == {}
    process = start(command, tmp_path, environment)
    seen: dict[str, int] = {}
    while process.poll() is None:
        seen |= finished(tmp_path)
        time.sleep(0.002)
    told, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "preprocess: continuing " in told
    assert {name: seen[name] for name in kept} == kept and len(seen) == SHARDS
    assert {path.name for path in the_run(tmp_path).iterdir()} == {*WRITES.values(), ".hydra", "manifest.json"}
    for name in ("reports", "flagged", "quality"):
        assert (the_run(tmp_path) / WRITES[name]).read_bytes() == (uninterrupted / WRITES[name]).read_bytes()
    assert left_behind(process.pid) == []


@pytest.mark.parametrize("shards", [0, 2])
@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True)])
def test_an_interrupt_ends_it_with_the_line_that_resumes(
    command: list[str], environment: dict[str, str], tmp_path: Path, number: signal.Signals, to_all: bool, shards: int
) -> None:
    """A terminal sends Ctrl-C to all processes, a scheduler SIGTERM to one or all; `shards` 0: while workers start."""
    process = start(command, tmp_path, environment)
    wait_for(lambda: len(finished(tmp_path)) >= shards and list(tmp_path.glob("outputs/ended/preprocess/*/.shards-*")), process)
    if to_all:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert told.startswith("\npreprocess: interrupted; to resume: python ") and "data.workers=2" in told
    assert len(told.splitlines()) == 2
    assert json.loads((the_run(tmp_path) / "manifest.json").read_text())["status"] == "interrupted"
    assert not (the_run(tmp_path) / "reports.jsonl").exists()
    assert left_behind(process.pid) == []
