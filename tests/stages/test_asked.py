"""What a stage asks over HTTP decides what is checked before it runs, what its runs share, and what a dry run counts."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import composed
from fake_openai import FakeOpenAI, serve

from radgpt import stages
from radgpt.errors import UserError
from radgpt.execute import attestation_of, earlier_runs
from radgpt.records import Pair, Prediction, as_row, read_records

JUDGE = "judge=local"
BACKEND = ("backend=local", "backend.model=m")


@pytest.mark.parametrize(
    ("stage", "overrides", "sections"),
    [
        ("generate_answers", (), ["teacher"]),  # the rules are asked too
        ("predict", (), []),
        ("predict", BACKEND, ["backend"]),
        ("chat", BACKEND, ["backend"]),
        ("evaluate", (), []),
        ("evaluate", (JUDGE,), ["judge"]),
        ("evaluate", BACKEND, []),
        ("finetune", (*BACKEND, JUDGE), []),
    ],
)
def test_what_each_stage_asks(stage: str, overrides: tuple[str, ...], sections: list[str]) -> None:
    asked = stages.asked(stages.load(stage), composed(*overrides))
    assert [service.section for service in asked] == sections


@pytest.mark.parametrize(("stage", "group"), [("predict", "backend"), ("chat", "backend"), ("evaluate", "judge")])
def test_a_host_of_somebody_elses_is_refused_before_a_stage_runs(stage: str, group: str) -> None:
    config = composed(*BACKEND, JUDGE, f"{group}.base_url=http://93.184.216.34/v1", "data.governance=credentialed")
    with pytest.raises(UserError, match=f"Use {group}=local with {group}\\.base_url"):
        attestation_of(config, stages.load(stage))


def test_only_asking_stages_look_into_other_runs(tmp_path: Path) -> None:
    run = tmp_path / "demo" / "predict" / "2026-01-01_00-00-00-0a1b2c3d"
    run.mkdir(parents=True)
    manifest = {"id": "0a1b2c3d", "stage": "predict", "key": "k", "experiment": "demo", "status": "done", "governance": "synthetic"}
    more = {"argv": [], "started": "", "reads": {}, "source_sha256": "", "git": {}, "packages": {}}
    (run / "manifest.json").write_text(json.dumps(manifest | more))
    predict = stages.load("predict")
    outputs = f"outputs={tmp_path}"
    assert earlier_runs(composed(outputs, *BACKEND), predict, None) == (run,)
    assert earlier_runs(composed(outputs), predict, None) == ()
    assert earlier_runs(composed(outputs, *BACKEND, "force=true"), predict, None) == ()


def pair(number: int) -> Pair:
    messages = [{"role": "user", "content": f"row {number}"}, {"role": "assistant", "content": f"Answer {number}."}]
    return Pair(f"r{number}/0", f"r{number}", f"p{number}", "question_answering", "test", messages, "", "", "")


def predictions(outputs: Path) -> list[Prediction]:
    """Those of the newest run."""
    newest = max(outputs.glob("*/predict/*/predictions.jsonl"), key=lambda file: file.stat().st_mtime)
    return list(read_records(newest, Prediction))


@pytest.mark.slow
def test_predictions_of_an_endpoint_are_paid_for_once(radgpt: Callable, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, rows in {"test": range(6), "train": range(0)}.items():
        (tmp_path / "data" / f"{name}.jsonl").write_text("".join(json.dumps(as_row(pair(number))) + "\n" for number in rows))

    def settings(server: FakeOpenAI) -> list[str]:
        at = [f"backend.base_url={server.base_url}", "backend.model=m", "backend.max_attempts=1"]
        return ["stage=predict", "backend=local", *at, f"inputs.dataset={tmp_path / 'data'}", "wandb=disabled", "data.governance=synthetic"]

    with serve({"row 1": ["500"], "row 2": ["length"]}) as server:
        command = settings(server)
        first = radgpt(*command, cwd=tmp_path)
        assert first.returncode == 0 and "rows that failed: 1; the same command" in first.stderr, first.stdout + first.stderr
        assert Counter(row.finish_reason for row in predictions(tmp_path / "outputs")) == {"stop": 4, "failed": 1, "length": 1}
        sent = server.asked.copy()

        again = radgpt(*command, cwd=tmp_path)
        assert "predict: continuing" in again.stdout and server.asked - sent == {"row 1": 1}, again.stdout + again.stderr
        assert [row.text for row in predictions(tmp_path / "outputs")][:4] == [
            "reply to row 0",
            "reply to row 1",
            "half a sen",
            "reply to row 3",
        ]

        told = radgpt(*command, "prediction.limit=5", "name=other", "dry_run=true", cwd=tmp_path)
        assert "dry run of questions with backend=local, m: nothing was sent" in told.stdout, told.stdout + told.stderr
        assert "5 answered in the journal already, 0 to ask" in told.stdout
        assert server.asked.total() == 7
