"""One process or several, on one node or several, started by us or by hand: the same stage, one manifest, no process left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT, TINY_LINE, Line, composed
from processes import left_behind
from test_line import manifest

from radgpt import launch
from radgpt.config import Launch, Launcher
from radgpt.errors import UserError
from radgpt.launch import alone, settings_digest
from radgpt.launching.torchrun import StoppedError
from radgpt.run import Run

TWO = ("stage=finetune", "launch=torchrun", "launch.processes=2")


def newest(outputs: Path) -> Path:
    return max(outputs.glob("demo/finetune/*"), key=lambda path: path.name)


def copied(line: Line, tmp_path: Path) -> Path:
    import shutil

    shutil.copytree(line.outputs, tmp_path / "outputs")
    return tmp_path / "outputs"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(command: list[str], environment: dict[str, str], cwd: Path) -> subprocess.Popen[str]:
    """A command in a session of its own, whose processes are told from others'."""
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def ranks_of(process: subprocess.Popen[str]) -> list[int]:
    """Process ids of the ranks that the launcher spawned."""
    listed = subprocess.run(["ps", "-ww", "-o", "pid=,args=", "-s", str(process.pid)], capture_output=True, text=True).stdout
    return sorted(int(line.split()[0]) for line in listed.splitlines() if "spawn_main" in line)


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.2)


def training_begun(outputs: Path) -> bool:
    """Whether the newest run has a checkpoint, so that its ranks have met."""
    return len(list(outputs.glob("demo/finetune/*"))) > 1 and any(newest(outputs).glob("checkpoints/checkpoint-*"))


LONG = ("training.max_steps=100000", "training.save_strategy=steps", "training.save_steps=2", "training.eval_strategy=no")


@pytest.mark.slow
def test_two_processes_train_and_the_parent_vouches(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    outputs = copied(line, tmp_path)
    done = radgpt(*TINY_LINE, *TWO, "force=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = manifest(newest(outputs))
    assert told["status"] == "done" and told["metrics"]["engine"] == "ddp"
    assert (newest(outputs) / "checkpoint").is_dir()


@pytest.mark.slow
def test_an_interrupt_ends_both_ranks_and_prints_the_line_that_resumes(line: Line, environment: dict[str, str], tmp_path: Path) -> None:
    outputs = copied(line, tmp_path)
    process = started([sys.executable, str(ROOT / "run.py"), *TINY_LINE, *TWO, *LONG], environment, tmp_path)
    wait_for(lambda: training_begun(outputs))
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=90)
    assert process.returncode == 130, told
    assert "finetune: interrupted; to resume: python " in told and "launch.processes=2" in told
    assert manifest(newest(outputs))["status"] == "interrupted"
    assert left_behind(process.pid) == []


@pytest.mark.slow
def test_a_killed_rank_ends_the_run_and_is_named(line: Line, environment: dict[str, str], tmp_path: Path) -> None:
    outputs = copied(line, tmp_path)
    process = started([sys.executable, str(ROOT / "run.py"), *TINY_LINE, *TWO, *LONG], environment, tmp_path)
    wait_for(lambda: training_begun(outputs))
    os.kill(ranks_of(process)[1], signal.SIGKILL)
    begun = time.monotonic()
    _, told = process.communicate(timeout=90)
    assert process.returncode == 1 and time.monotonic() - begun < 60
    assert "\nRuntimeError: rank 1 was killed by SIGKILL (as the system does where memory runs out)\n" in told
    assert manifest(newest(outputs))["status"] == "failed: RuntimeError"
    assert left_behind(process.pid) == []


@pytest.mark.slow
def test_a_rank_that_raises_ends_the_run_with_its_error(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    outputs = copied(line, tmp_path)
    # A dataset whose lines are broken: every rank reads it, whoever meets it first tells.
    dataset = tmp_path / "own"
    dataset.mkdir()
    for split in ("train", "validation", "test"):
        (dataset / f"{split}.jsonl").write_text("no json\n")
    done = radgpt(*TINY_LINE, *TWO, f"inputs.dataset={dataset}", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("radgpt: ") and "line 1: not a JSON object" in done.stderr
    assert json.loads((newest(outputs) / "manifest.json").read_text())["status"].startswith("failed")


@pytest.mark.slow
def test_two_nodes_meet_and_the_first_alone_keeps_the_books(line: Line, environment: dict[str, str], tmp_path: Path) -> None:
    """Two launchers on this machine stand for two nodes; a pipeline shows that only training is shared."""
    outputs = copied(line, tmp_path)
    meeting = ("launch=torchrun", "launch.nodes=2", "launch.processes=1", f"launch.rendezvous=127.0.0.1:{free_port()}")
    wanted = ("pipeline=[preprocess,finetune]", "training.learning_rate=3e-3")
    command = [sys.executable, str(ROOT / "run.py"), *TINY_LINE, *wanted, *meeting]
    nodes = [started(command, environment, tmp_path) for _ in range(2)]
    told = [node.communicate(timeout=200) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], told
    # Whichever opened the meeting place led; the other said nothing.
    assert sorted("finetune: done in" in out for out, _ in told) == [False, True]
    assert len(list(outputs.glob("demo/finetune/*"))) == 2 and len(list(outputs.glob("demo/preprocess/*"))) == 1
    done = manifest(newest(outputs))
    assert done["status"] == "done" and done["metrics"]["engine"] == "ddp" and done["metrics"]["steps"] == 4
    assert [left_behind(node.pid) for node in nodes] == [[], []]


@pytest.mark.slow
def test_a_node_with_other_settings_ends_both_with_that_error(line: Line, environment: dict[str, str], tmp_path: Path) -> None:
    copied(line, tmp_path)
    meeting = ("launch=torchrun", "launch.nodes=2", "launch.processes=1", f"launch.rendezvous=127.0.0.1:{free_port()}")
    rates = ("training.learning_rate=3e-3", "training.learning_rate=4e-3")
    commands = [
        [sys.executable, str(ROOT / "run.py"), *TINY_LINE, "stage=finetune", *meeting, rate, f"launch.node_rank={number}"]
        for number, rate in enumerate(rates)
    ]
    nodes = [started(command, environment, tmp_path) for command in commands]
    told = [node.communicate(timeout=120)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [2, 2], told
    line_of_both = "radgpt: node 1 was started with other settings than node 0; give the same command to all"
    assert [text.strip().splitlines()[-1] for text in told] == [line_of_both, line_of_both]
    assert [left_behind(node.pid) for node in nodes] == [[], []]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "deepspeed"])
def test_started_by_hand_rank_0_leads_and_others_follow(launcher: str, line: Line, environment: dict[str, str], tmp_path: Path) -> None:
    outputs = copied(line, tmp_path)
    binaries = Path(sys.executable).parent
    if not (binaries / launcher).exists():
        pytest.skip(f"{launcher} is not installed")
    many = {
        "torchrun": [str(binaries / "torchrun"), "--nproc_per_node=2", f"--master_port={free_port()}"],
        # It tells each rank its number by an argument, too.
        "deepspeed": [str(binaries / "deepspeed"), "--num_gpus=2", f"--master_port={free_port()}"],
    }[launcher]
    path = {"PATH": f"{binaries}{os.pathsep}{environment['PATH']}", "DS_ACCELERATOR": "cpu"}
    wanted = ("pipeline=[preprocess,finetune]", "training.learning_rate=3e-3", *(["deepspeed=zero2"] if launcher == "deepspeed" else []))
    process = started([*many, str(ROOT / "run.py"), *TINY_LINE, *wanted], environment | path, tmp_path)
    out, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    assert out.count("finetune: done in") == 1 and out.count("preprocess: done already") == 1
    done = manifest(newest(outputs))
    assert done["status"] == "done" and done["metrics"]["engine"] == ("deepspeed-zero2" if launcher == "deepspeed" else "ddp")
    assert len(list(outputs.glob("demo/finetune/*"))) == 2
    assert left_behind(process.pid) == []


@pytest.mark.slow
def test_a_mistake_under_torchrun_is_told_once(line: Line, environment: dict[str, str], tmp_path: Path) -> None:
    copied(line, tmp_path)
    command = [str(Path(sys.executable).parent / "torchrun"), "--nproc_per_node=2", f"--master_port={free_port()}", str(ROOT / "run.py")]
    process = started([*command, *TINY_LINE, "stage=finetune", "inputs.dataset=nowhere"], environment, tmp_path)
    _, told = process.communicate(timeout=100)
    assert process.returncode != 0
    assert told.count("radgpt: ") == 1 and "inputs.dataset=nowhere" in told


@pytest.mark.slow
def test_a_job_is_submitted_by_submitit(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    """Its local executor stands for Slurm: the job runs in another process, and tells its outcome."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    outputs = copied(line, tmp_path)
    local = ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5")
    done = radgpt("-m", *TINY_LINE, "stage=finetune", "training.max_steps=3", *local, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert manifest(newest(outputs))["metrics"]["steps"] == 3
    wrong = radgpt("-m", *TINY_LINE, "stage=finetune", "inputs.dataset=nowhere", *local, cwd=tmp_path)
    assert wrong.returncode == 2 and "inputs.dataset=nowhere" in wrong.stderr.strip().splitlines()[-1]


def test_slurm_submits_a_job_with_a_task_on_each_node() -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    from hydra import compose, initialize_config_dir

    from radgpt.cli import conf_folder, register_schema

    register_schema()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        overrides = ["launch=slurm", "launch.nodes=4", "launch.processes=8", "hydra.launcher.partition=gpu"]
        config = compose("config", overrides=overrides, return_hydra_config=True)
    job = config.hydra.launcher
    assert job._target_.endswith("SlurmLauncher") and config.hydra.mode.name == "MULTIRUN"
    assert (job.nodes, job.tasks_per_node, job.gpus_per_node, job.partition) == (4, 1, 8, "gpu")
    assert config.launch.launcher is Launcher.slurm


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"processes": 2}, "launch.processes=2 needs launch=torchrun"),
        ({"processes": "many", "launcher": Launcher.torchrun}, "must be a number, or auto"),
        ({"nodes": 2}, "launch.nodes=2 needs launch=torchrun or launch=slurm"),
        ({"nodes": 2, "launcher": Launcher.torchrun}, "needs launch.rendezvous=HOST:PORT"),
        ({"nodes": 2, "launcher": Launcher.torchrun, "rendezvous": "gpu1"}, "launch.rendezvous=gpu1 must be HOST:PORT"),
        ({"nodes": 2, "launcher": Launcher.torchrun, "rendezvous": "a:1", "node_rank": 2}, "launch.node_rank=2 must lie between 0 and"),
    ],
)
def test_how_many_and_where_must_fit_together(settings: dict, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Launch(**settings)


def test_auto_is_a_process_for_each_gpu() -> None:
    assert composed("launch=torchrun", "launch.processes=auto").launch.processes is None


def test_members_must_agree_on_all_but_how_they_were_started() -> None:
    mine = composed("seed=3")
    assert settings_digest(mine) == settings_digest(composed("seed=3", "launch=torchrun", "data.governance=open"))
    assert settings_digest(mine) != settings_digest(composed("seed=4"))


def test_a_stage_for_one_process_does_not_see_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "8")
    with alone():
        assert "RANK" not in os.environ and "WORLD_SIZE" not in os.environ
    assert os.environ["WORLD_SIZE"] == "8"


def test_a_launched_rank_that_was_told_to_stop_leaves_no_outcome_that_nobody_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def finish(run: Run) -> None:
        run.told_to_stop = True

    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(launch, "arguments_of", lambda *given: {})
    monkeypatch.setattr(launch.stages, "load", lambda name: SimpleNamespace(writes={}, function=finish))
    job = SimpleNamespace(config=composed(), stage="finetune", directory=tmp_path, earlier=(), models={}, reads={})
    with pytest.raises(StoppedError):
        launch.work_as_rank(job)
    # Started by hand nobody waits for it.
    assert launch.work(job) == {}
