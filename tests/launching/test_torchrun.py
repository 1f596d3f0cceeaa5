"""How the ranks of a node share its cores, and how it is told that one ended."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from radgpt.launching.torchrun import ENDED, first_error, threads_for


def test_cores_are_shared_out_unless_the_user_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with threads_for(4):
        assert os.environ["OMP_NUM_THREADS"] == "3"
    monkeypatch.delenv("OMP_NUM_THREADS")
    with threads_for(5):
        assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "OMP_NUM_THREADS" not in os.environ


def test_how_a_rank_ended_is_told(tmp_path: Path) -> None:
    told = tmp_path / "error.json"
    told.write_text(json.dumps({"message": {"message": "ValueError: no: such"}}))
    raised = SimpleNamespace(exitcode=1, error_file=str(told))
    assert first_error(raised) == ("ValueError", "no: such")
    silent = SimpleNamespace(exitcode=3, error_file=str(tmp_path / "none"))
    assert first_error(silent) == (ENDED, "ended with exit code 3")
    killed = SimpleNamespace(exitcode=-11, error_file="", signal_name=lambda: "SIGSEGV")
    assert first_error(killed) == (ENDED, "was killed by SIGSEGV")
