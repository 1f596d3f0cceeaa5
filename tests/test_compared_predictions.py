"""Compared models answer the same questions; their predictions are found by key, made where they can be, and nothing is trained."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import composed
from finished_runs import finished

from radgpt.artifacts import digest
from radgpt.compared_predictions import needs_predictions, refuse_unforeseen, unanswered, with_predictions
from radgpt.config import Config, Governance
from radgpt.errors import UserError
from radgpt.governance.inheritance import inherited
from radgpt.keys import key
from radgpt.named_models import named_configs
from radgpt.stages import load

SERVED = "backend=local backend.model=llama backend.base_url=http://127.0.0.1:8000/v1"


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line with a dataset of its own, nothing trained."""
    monkeypatch.setattr("sys.argv", ["run.py"])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.jsonl").write_text("{}\n")
    return [f"outputs={tmp_path}", "model=tiny", "data.synthetic_reports=20", f"inputs.dataset={tmp_path / 'data'}"]


class Predicting:
    """Stands for `stage=predict`: leaves a file of predictions under the key, and remembers for whom."""

    def __init__(self) -> None:
        self.asked: list[tuple[Config, list[str]]] = []

    def __call__(self, config: Config, overrides: list[str]) -> None:
        self.asked.append((config, overrides))
        predictions_of(config)


def checkpoint_of(config: Config) -> Path:
    return finished(config, "finetune", "checkpoint", reads={"dataset": Path(str(config.inputs.dataset))})


def predictions_of(config: Config, **more: dict) -> Path:
    reads = {"dataset": Path(str(config.inputs.dataset))}
    if config.needs_checkpoint:
        place = config.inputs.checkpoint or next(Path(config.outputs).glob(f"x/finetune/*{key(config, 'finetune')[:8]}/checkpoint"))
        reads["checkpoint"] = Path(place)
    return finished(config, "predict", "predictions.jsonl", json.dumps({"of": key(config, "predict")}) + "\n", reads=reads, **more)


def configs(line: list[str]) -> tuple[Config, dict[str, Config]]:
    config = composed(*line)
    return config, named_configs(config, line)


def test_predictions_that_are_there_are_found_and_the_others_made(line: list[str]) -> None:
    line = [*line, f'models={{tuned: "", served: "{SERVED}"}}', "force=true"]
    config, named = configs(line)
    checkpoint_of(config)
    there, predict = predictions_of(config), Predicting()
    filled = with_predictions(config, line, predict)
    assert list(filled.compare.predictions) == ["tuned", "served"]
    assert filled.compare.predictions["tuned"] == str(there.resolve())
    ((asked, overrides),) = predict.asked
    assert asked.backend.model == "llama" and asked.force is False
    assert overrides == [*line[:4], "force=true", *SERVED.split()]
    assert Path(filled.compare.predictions["served"]).read_text() == json.dumps({"of": key(named["served"], "predict")}) + "\n"
    assert filled.force is True


def test_the_key_holds_every_models_predictions(line: list[str]) -> None:
    line = [*line, f'models={{served: "{SERVED}"}}']
    config, _ = configs(line)
    checkpoint_of(config)
    filled = with_predictions(config, line, Predicting())
    before = key(filled, "compare")
    assert before != key(config, "compare")
    Path(filled.compare.predictions["served"]).write_text("other\n")
    assert key(filled, "compare") != before


def test_what_cannot_answer_is_told_with_the_commands_and_nothing_is_asked(line: list[str]) -> None:
    line = [*line, 'models={tuned: "", small: "tuning.r=4", base: "tuning=none"}', "stage=compare", "tuning.r=8"]
    config, _ = configs(line)
    checkpoint_of(config)
    predict = Predicting()
    with pytest.raises(UserError) as raised:
        with_predictions(config, line, predict)
    start = f"python run.py {' '.join(line[:4])}"
    assert str(raised.value) == (
        "compare: small and base cannot answer yet, and comparing trains nothing; run first: "
        f"{start} tuning.r=8 tuning.r=4 stage=finetune && {start} tuning=none stage=finetune"
    )
    assert not predict.asked


def test_files_of_other_software_stand_beside(line: list[str], tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text(f"{name}\n")
    files = [f"compare.predictions.{name}={tmp_path}/{name}.jsonl" for name in ("a", "b")]
    config, _ = configs([*line, files[0]])
    checkpoint_of(config)
    filled = with_predictions(config, [*line, files[0]], Predicting())
    assert list(filled.compare.predictions) == ["this", "a"]
    both = composed(*line, *files)
    assert with_predictions(both, [*line, *files], None).compare.predictions == {
        "a": f"{tmp_path}/a.jsonl",
        "b": f"{tmp_path}/b.jsonl",
    }, "several files and no models: only those"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], r"compare: one model alone is compared with nothing"),
        (["compare.predictions={this: x.jsonl}"], r"compare\.predictions\.this: models has that name too"),
        (['models={a: "prediction.limit=3"}'], r"models\.a: prediction\.limit is the same for all models"),
        (['models={a: "prediction.file=q.jsonl"}'], r"models\.a: prediction\.file is the same for all models"),
    ],
)
def test_what_is_no_comparison_is_refused(line: list[str], more: list[str], told: str) -> None:
    line = [*line, *more]
    with pytest.raises(UserError, match=told):
        with_predictions(composed(*line), line, Predicting())


def test_a_model_of_other_data_answers_the_same_questions(line: list[str], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "test.jsonl").write_text("[]\n")
    line = [*line, f'models={{tuned: "", other: "inputs.dataset={tmp_path}/other"}}']
    config, named = configs(line)
    checkpoint_of(config)
    checkpoint = checkpoint_of(named["other"])
    predict = Predicting()
    with_predictions(config, line, predict)
    asked = predict.asked[1][0]
    assert asked.inputs.dataset == str((tmp_path / "data").resolve())
    assert asked.inputs.checkpoint == str(checkpoint.resolve())


def test_rows_that_failed_are_asked_again_and_those_of_a_later_stage_are_not(line: list[str]) -> None:
    line = [*line, f'models={{tuned: "", served: "{SERVED}"}}']
    config, named = configs(line)
    checkpoint_of(config)
    predictions_of(config)
    predictions_of(named["served"], metrics={"failed": 2})
    asked: list[str] = []
    with_predictions(config, line, lambda its, overrides: asked.append(its.backend.model))
    assert asked == ["llama"]
    with_predictions(config, line, None)


def test_a_stage_that_reads_a_comparison_makes_no_predictions(line: list[str]) -> None:
    line = [*line, f'models={{tuned: "", served: "{SERVED}"}}']
    config, _ = configs(line)
    checkpoint_of(config)
    with pytest.raises(UserError, match=r"models\.tuned: there are no predictions yet; run stage=compare"):
        with_predictions(config, line, None)
    assert list(unanswered(config, line)) == ["tuned", "served"]
    assert needs_predictions(config, "compare")
    assert not needs_predictions(config, "predict") and not needs_predictions(config, "evaluate")


def test_a_pipeline_that_will_compare_what_it_does_not_train_is_refused_at_once(line: list[str]) -> None:
    stages = ["finetune", "predict", "evaluate", "compare"]
    served = [*line, f'models={{served: "{SERVED}"}}']
    refuse_unforeseen(composed(*served), served, stages)
    again = [*line, 'models={short: "decoding.max_new_tokens=3"}']
    refuse_unforeseen(composed(*again), again, stages)
    small = [*line, 'models={small: "tuning.r=4"}']
    with pytest.raises(UserError, match=r"compare: small cannot answer yet.*tuning\.r=4 stage=finetune"):
        refuse_unforeseen(composed(*small), small, stages)
    refuse_unforeseen(composed(*small), small, stages[:3])


def test_the_class_of_every_file_of_predictions_counts(line: list[str]) -> None:
    line = [*line, f'models={{served: "{SERVED}"}}']
    config, named = configs(line)
    checkpoint_of(config)
    predictions_of(config)
    predictions_of(named["served"], governance=Governance.credentialed)
    filled = with_predictions(config, line, None)
    raised, by = inherited(filled, load("compare"), {})
    assert (raised.data.governance, by) == (Governance.credentialed, "compare.predictions.served")
    assert digest(Path(filled.compare.predictions["served"]))


@pytest.mark.parametrize("told", [lambda config, line: with_predictions(config, line, Predicting()), unanswered])
def test_two_servers_that_call_their_models_alike_are_refused(line: list[str], told: Callable[[Config, list[str]], object]) -> None:
    served = ["backend=local", "backend.model=x", "backend.base_url=http://127.0.0.1:8001/v1"]
    line = [*line, *served, 'models={b: "backend.base_url=http://127.0.0.1:8002/v1"}']
    with pytest.raises(UserError, match=r"models\.b: nothing that tells answers apart differs from this"):
        told(composed(*line), line)
