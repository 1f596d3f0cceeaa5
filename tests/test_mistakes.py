"""Ten and more mistakes of users: each gives one clear line and exit code 2, no traceback, and loses nothing."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, TINY_LINE, Line
from test_line import folder

from radgpt.mistakes import explain

SETTINGS = ("model=tiny", "wandb=disabled")


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """One line on stderr that holds all parts, exit code 2."""
    lines = [line for line in done.stderr.splitlines() if line]
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(lines) == 1 and lines[0].startswith("radgpt: "), done.stderr
    for part in parts:
        assert part in lines[0], lines[0]


def test_a_misspelt_setting(radgpt: Callable, tmp_path: Path) -> None:
    refused(radgpt("tuning.lora_alhpa=8", cwd=tmp_path), "tuning.lora_alhpa is no setting; did you mean tuning.lora_alpha?")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_type(radgpt: Callable, tmp_path: Path) -> None:
    refused(
        radgpt("training.num_train_epochs=many", cwd=tmp_path), "training.num_train_epochs: Value 'many'", "could not be converted to Float"
    )


def test_a_missing_path(radgpt: Callable, tmp_path: Path) -> None:
    refused(
        radgpt(*SETTINGS, "stage=preprocess", "data=openi", "data.path=nowhere.tgz", cwd=tmp_path), "data.path=nowhere.tgz does not exist"
    )


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root reads everything, and cannot step down here")
def test_an_unreadable_file(radgpt: Callable, tmp_path: Path, environment: dict[str, str]) -> None:
    secret = tmp_path / "reports.jsonl"
    secret.write_text(json.dumps({"report_id": "r1", "patient_id": "p1", "text": "FINDINGS: Clear lungs."}) + "\n")
    secret.chmod(0)
    arguments = [*SETTINGS, "stage=preprocess", "data=jsonl", f"data.path={secret}"]
    if os.geteuid() != 0:
        refused(radgpt(*arguments, cwd=tmp_path), f"data.path={secret}", "permission")
        return
    # Root may read any file: drop the capability that lets it.
    import sys

    done = subprocess.run(
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", sys.executable, str(ROOT / "run.py"), *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    refused(done, f"data.path={secret}", "permission")


def test_a_broken_line_of_jsonl(radgpt: Callable, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text(
        json.dumps({"report_id": "r1", "patient_id": "p1", "text": "FINDINGS: Clear lungs."})
        + "\n"
        + '{"report_id": "r2", "text": "private\n'
    )
    done = radgpt(*SETTINGS, "stage=preprocess", "data=jsonl", "data.path=reports.jsonl", cwd=tmp_path)
    refused(done, "reports.jsonl", "line 2")
    assert "private" not in done.stderr
    assert not list(tmp_path.glob("outputs/*/preprocess/*/reports.jsonl"))


def test_a_missing_key_variable(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    shutil.copytree(line.outputs, tmp_path / "outputs")
    done = radgpt(*TINY_LINE, "stage=generate_instructions", "teacher=openai", cwd=tmp_path)
    refused(done, "OPENAI_API_KEY", "teacher.api_key_env")


def test_an_unknown_model_option(radgpt: Callable, tmp_path: Path) -> None:
    refused(radgpt("model=lama2_7b_chat", cwd=tmp_path), "model=lama2_7b_chat is no option; did you mean model=llama2_7b_chat?")


def test_a_model_that_cannot_be_had(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    shutil.copytree(line.outputs, tmp_path / "outputs")
    done = radgpt(*TINY_LINE, "stage=finetune", "model=llama2_7b_chat", cwd=tmp_path)
    refused(done, "model.name_or_path=meta-llama/Llama-2-7b-chat-hf", "HF_TOKEN")


def test_an_unknown_stage(radgpt: Callable, tmp_path: Path) -> None:
    refused(radgpt("stage=trian", cwd=tmp_path), "stage=trian is no option", "finetune")


def test_a_stage_before_the_one_it_reads_from(radgpt: Callable, tmp_path: Path) -> None:
    refused(radgpt(*SETTINGS, "stage=evaluate", cwd=tmp_path), "run stage=", "with the same settings first")


def test_a_port_in_use(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    shutil.copytree(line.outputs, tmp_path / "outputs")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = radgpt(
            *TINY_LINE, "stage=finetune", "force=true", "launch=torchrun", "launch.processes=2", f"launch.port={port}", cwd=tmp_path
        )
    refused(done, f"launch.port={port} cannot be used", "choose another")


def test_no_access_to_the_outputs_folder(radgpt: Callable, tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file, where a folder is wanted")
    refused(radgpt(*SETTINGS, "stage=preprocess", cwd=tmp_path), "outputs=outputs: cannot write there", "set outputs=FOLDER")


def test_a_sweep_started_by_hand_under_torchrun(radgpt: Callable, tmp_path: Path) -> None:
    refused(radgpt("-m", *SETTINGS, "stage=preprocess", cwd=tmp_path, RANK="1", WORLD_SIZE="2"), "-m launch=torchrun launch.processes=N")


def test_a_full_disk(line: Line, environment: dict[str, str], tmp_path: Path) -> None:
    """A limit on file size stands for the full disk: what was finished stays, and a rerun finishes the rest."""
    import sys

    shutil.copytree(line.outputs, tmp_path / "outputs")
    script = (
        "import errno, os, sys; import jsonlines; from radgpt import artifacts\n"
        "whole = os.fsync\n"
        "def full(descriptor):\n"
        "    path = os.readlink(f'/proc/self/fd/{descriptor}')\n"
        "    if 'instructions.jsonl' in path: raise OSError(errno.ENOSPC, 'No space left on device', path)\n"
        "    return whole(descriptor)\n"
        "os.fsync = full\n"
        "from radgpt.cli import main; main()\n"
    )
    arguments = [*TINY_LINE, "stage=postprocess_instructions", "force=true"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    refused(done, "the disk is full", "instructions.jsonl", "finished work is kept")
    finished = [p for p in (tmp_path / "outputs/demo/postprocess_instructions").iterdir() if (p / "instructions.jsonl").exists()]
    assert len(finished) == 1
    assert folder(line.outputs, "postprocess_instructions").name == finished[0].name


def test_a_folder_where_a_file_should_be(radgpt: Callable, tmp_path: Path) -> None:
    (tmp_path / "reports" / "train.jsonl").mkdir(parents=True)
    done = radgpt("stage=preprocess", "data=jsonl", f"data.path={tmp_path / 'reports'}", "wandb=disabled", cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert done.stderr.strip() == (
        f"radgpt: {tmp_path / 'reports' / 'train.jsonl'}: is a directory; choose another place, or mend what is there"
    )


def test_an_error_of_ours_keeps_its_traceback() -> None:
    assert explain(ZeroDivisionError("1/0")) is None
