"""Models compared from the command line, as a user does it: one is trained, another is the same one decoding otherwise."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonlines
import pytest
from conftest import TINY_LINE, Line
from test_line import folder, manifest
from wandb_log import read_run

MODELS = 'models={tuned: "", brief: "decoding.max_new_tokens=3"}'


@pytest.mark.slow
def test_models_are_compared_from_what_stands_there(line: Line, radgpt: Callable, tmp_path: Path) -> None:
    shutil.copytree(line.outputs, tmp_path / "outputs")
    done = radgpt(*TINY_LINE, "stage=compare", MODELS, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "compare: brief answers the questions" in done.stdout and "compare: tuned answers" not in done.stdout
    outputs = tmp_path / "outputs"
    assert len(list(outputs.glob("demo/predict/*"))) == 2 and len(list(outputs.glob("demo/finetune/*"))) == 1
    directory = folder(outputs, "compare")
    rows = list(jsonlines.open(directory / "compared_answers.jsonl"))
    assert len(rows) == 6 and list(rows[0]["answers"]) == ["tuned", "brief"]
    found = json.loads((directory / "comparison.json").read_text())
    assert found["settings_that_differ"] == {"decoding.max_new_tokens": {"tuned": "8", "brief": "3"}}
    assert found["models"]["brief"]["mean_new_tokens"] <= 3 < found["models"]["tuned"]["mean_new_tokens"]
    assert found["models"]["brief"]["told_by_its_run"]["tokens_per_second"] > 0
    assert "decoding.max_new_tokens" in (directory / "comparison.html").read_text()

    logged = read_run(directory)
    names = {key.partition(".")[0] for point in logged["history"] for key in point}
    assert {"scores", "scores/rougeL_table"} <= names
    assert "answers" not in names
    held = b"".join(file.read_bytes() for file in (directory / "wandb").rglob("*") if file.is_file())
    sentences = [row["reference"] for row in rows if len(row["reference"].split()) > 3]
    assert sentences and not [sentence for sentence in sentences if sentence.encode() in held]

    again = radgpt(*TINY_LINE, "stage=compare", MODELS, cwd=tmp_path)
    assert "compare: done already, skipped" in again.stdout and len(list(outputs.glob("demo/compare/*"))) == 1
    assert manifest(directory)["status"] == "done"

    untrained = radgpt(*TINY_LINE, "stage=compare", 'models={tuned: "", small: "tuning.r=2"}', cwd=tmp_path)
    assert untrained.returncode == 2
    assert untrained.stderr.startswith("radgpt: compare: small cannot answer yet, and comparing trains nothing; run first: python ")
    assert untrained.stderr.strip().endswith("tuning.r=2 stage=finetune")
