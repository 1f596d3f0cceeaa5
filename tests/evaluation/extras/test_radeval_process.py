"""The process that asks the package `radeval`, with a stand-in for the package."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from radgpt.config import Evaluation
from radgpt.errors import UserError
from radgpt.evaluation.extras import Extra, open_extras
from radgpt.evaluation.extras.radeval_process import WORKER

PACKAGE = """
import os, socket
class RadEval:
    def __init__(self, metrics, per_sample, show_progress):
        assert per_sample and not show_progress
        self.name = metrics[0]
    def __call__(self, refs, hyps):
        print("noise on standard output")
        open("generations.txt", "w").write(str(hyps))
        if "network" in hyps:
            socket.create_connection(("127.0.0.1", int(os.environ["TEST_PORT"])))
        if "crash" in hyps:
            os._exit(3)
        if "fail" in hyps:
            raise RuntimeError("secret: " + hyps[0])
        if "package" in hyps:
            import no_such_package
        if "few" in hyps:
            return {"green": [1.0]}
        keys = {"radcliq": ["radcliq_v1"], "radgraph": ["radgraph_simple", "radgraph_partial", "radgraph_complete"]}
        offline = os.environ["HF_HUB_OFFLINE"] == "1" and "HF_HOME" not in os.environ
        assert os.environ["XDG_CACHE_HOME"].endswith("weights") and offline
        return {key: [len(h) / len(r) for h, r in zip(hyps, refs)] for key in keys.get(self.name, [self.name])}
"""


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter that has the stand-in."""
    site = tmp_path / "site"
    (site / "radeval").mkdir(parents=True)
    (site / "radeval" / "__init__.py").write_text(PACKAGE)
    (site / "radeval-2.2.9.dist-info").mkdir()
    (site / "radeval-2.2.9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: radeval\nVersion: 2.2.9\n")
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "weights" / "hub").mkdir(parents=True)
    (tmp_path / "weights" / "hub" / "model.safetensors").write_bytes(b"1")
    return tmp_path / "weights"


def opened(name: str, python: Path, weights: Path) -> Extra:
    return open_extras(Evaluation(extras=[name], weights={name: str(weights)}, radeval_python=str(python)))[0]


def test_each_rows_scores_come_back(python: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "/elsewhere")
    extra = opened("radcliq", python, weights)
    assert extra.score(["ab", "é"], ["abcd", "e"]) == {"radcliq_v1": [(0.5, 1), (1, 1)]}
    assert extra.about["package"] == "radeval 2.2.9"
    found = opened("radgraph", python, weights).score(["ab"], ["ab"])
    assert found == {name: [(1, 1)] for name in ("radgraph_simple", "radgraph_partial", "radgraph_complete")}


def test_the_digest_is_of_the_weights(python: Path, weights: Path) -> None:
    before = opened("green", python, weights).about["model_sha256"]
    (weights / "hub" / "lock.json").write_text("{}")
    assert opened("green", python, weights).about["model_sha256"] == before
    (weights / "hub" / "model.safetensors").write_bytes(b"2")
    assert opened("green", python, weights).about["model_sha256"] != before


def test_what_the_package_writes_is_gone(python: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    opened("green", python, weights).score(["ab"], ["ab"])
    assert not list(tmp_path.rglob("generations.txt")) and not list(Path.cwd().glob("generations.txt"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("fail", r"radeval failed \(RuntimeError\); it may lack a package, or evaluation.weights.green="),
        ("package", r"radeval failed \(no module no_such_package\)"),
        ("crash", r"its process ended with 3 before it replied"),
        ("few", r"radeval 2.2.9 gave other scores than green; use radeval 2.2"),
    ],
)
def test_faults_are_told_without_a_word_of_the_texts(python: Path, weights: Path, answer: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        opened("green", python, weights).score([answer, "secret"], ["a", "b"])
    assert "secret" not in str(raised.value)


def test_the_process_reaches_no_network(python: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("TEST_PORT", str(server.getsockname()[1]))
        with pytest.raises(UserError, match=r"radeval failed \(OSError\)"):
            opened("green", python, weights).score(["network"], ["a"])


def test_a_missing_package_or_interpreter_is_named_with_its_mend(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no package radeval; pip install radeval in an environment of its own"):
        opened("green", Path(sys.executable), weights)
    with pytest.raises(UserError, match=r"evaluation.radeval_python=.*nothing cannot be run: No such file"):
        opened("green", tmp_path / "nothing", weights)


def test_missing_weights_are_named_with_the_way_to_get_them(python: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no weights; get them with network, once, by XDG_CACHE_HOME=FOLDER .*metrics=\['green'\]"):
        opened("green", python, tmp_path / "empty")
    with pytest.raises(UserError, match=r"evaluation.extras=\[green\]: its weights are not set"):
        open_extras(Evaluation(extras=["green"]))


def test_the_worker_needs_nothing_of_radgpt(tmp_path: Path) -> None:
    reply = tmp_path / "reply.json"
    environment = {"PATH": os.environ["PATH"], "PYTHONSAFEPATH": "1"}
    subprocess.run([sys.executable, "-S", str(WORKER), str(reply)], input='{"version": true}', text=True, env=environment, check=True)
    assert json.loads(reply.read_text()) == {"version": None}
