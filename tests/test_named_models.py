"""Named models are the same configuration with a few settings of their own; mistakes in them are told under their names."""

import pickle
from pathlib import Path

import pytest
from conftest import composed
from finished_runs import finished

from radgpt import stages
from radgpt.config import Config, Governance, Method, Provider
from radgpt.errors import UserError
from radgpt.inference.backend import NamedModel
from radgpt.keys import key
from radgpt.launch import Job
from radgpt.named_models import checkpoints, named_configs, named_models, overrides_of, refuse_endpoints

SERVED = "backend=local backend.model=llama backend.base_url=http://127.0.0.1:8000/v1"


def line(tmp_path: Path, models: str, *more: str) -> list[str]:
    return [f"outputs={tmp_path}", "model=tiny", "data.synthetic_reports=20", f"models={models}", *more]


def configs(*overrides: str) -> dict[str, Config]:
    return named_configs(composed(*overrides), list(overrides))


def test_each_model_is_the_configuration_with_its_settings_on_top() -> None:
    found = configs(f'models={{tuned: "", base: "tuning=none", served: "{SERVED}"}}', "tuning.r=8", "decoding.max_new_tokens=9")
    assert list(found) == ["tuned", "base", "served"]
    assert (found["tuned"].tuning.r, found["tuned"].needs_checkpoint) == (8, True)
    assert found["base"].tuning.method is Method.none and not found["base"].needs_checkpoint
    assert found["served"].backend.provider is Provider.local and found["served"].backend.model == "llama"
    assert {config.decoding.max_new_tokens for config in found.values()} == {9}


def test_the_configurations_own_model_comes_first_under_this_or_the_name_without_settings() -> None:
    assert list(configs()) == ["this"]
    assert list(configs('models={base: "tuning=none"}')) == ["this", "base"]
    assert list(configs('models={base: "tuning=none", mine: ""}')) == ["mine", "base"]


def test_a_name_needs_no_plus_and_adds_to_those_before() -> None:
    assert composed('models={a: "tuning=none"}', "models.b='tuning.r=8'").models == {"a": "tuning=none", "b": "tuning.r=8"}


def test_settings_that_describe_an_option_go_with_it() -> None:
    own = ["tuning.r=8", "tuning.lora_alpha=16", "backend.kept_conversations=1", "decoding.max_new_tokens=9", "models={a: b}"]
    assert overrides_of(["tuning=none"], own) == ["backend.kept_conversations=1", "decoding.max_new_tokens=9", "tuning=none"]
    assert overrides_of(["tuning.r=4"], own) == [*own[:4], "tuning.r=4"]


def test_quotes_are_read_as_a_shell_reads_them() -> None:
    found = configs("""models={a: "prompt.chat.system='Be brief.'"}""")
    assert found["a"].prompt.chat.system == "Be brief."


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ('{a: "tuning=nne"}', r"models\.a: tuning=nne is no option; did you mean tuning=none\?"),
        ('{a: "tuning.rr=3"}', r"models\.a: tuning\.rr is no setting; did you mean tuning\.r\?"),
        ('{a: "tuning=none tuning.r=3"}', r"models\.a: tuning\.r=3 has no meaning with tuning=none"),
        ('{a: "stage=chat"}', r"models\.a: stage is set for the whole command"),
        ('{a: "+name=x"}', r"models\.a: name is set for the whole command"),
        ('{a: "models={b: c}"}', r"models\.a: models is set for the whole command"),
        ('{a: "outputs=x"}', r"models\.a: outputs is set for the whole command"),
        ('{a: "tuning=\'none"}', r"models\.a: its quotes do not match"),
        ('{this: "tuning=none"}', r"models\.this is the configuration's own model and takes no settings"),
        ('{a: "", b: ""}', r"models: a and b have no settings"),
        ('{.a: "tuning=none"}', r"models\.\.a: a model's name"),
    ],
)
def test_a_mistake_is_told_under_the_models_name(models: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        configs(f"models={models}")


@pytest.mark.parametrize(
    "setting", ["models={a: {b: c}}", "models={a: [b]}", "compare.predictions={a: {b: c}}", "evaluation.weights={bertscore: [b]}"]
)
def test_a_name_takes_a_text(setting: str) -> None:
    with pytest.raises(UserError, match=r"\.(a|bertscore) takes a text"):
        configs(setting)


def trained(config: Config, governance: Governance = Governance.synthetic) -> Path:
    """The checkpoint of a configuration, as if it had been trained on a dataset of ours."""
    return finished(config, "finetune", "checkpoint", governance=governance, reads={"dataset": Path(config.inputs.dataset or "")})


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text("")
    return f"inputs.dataset={tmp_path / 'data'}"


def opened(stage: str, overrides: list[str], checkpoint: Path) -> tuple[dict[str, NamedModel], list[str]]:
    config = composed(*overrides)
    return named_models(config, stages.load(stage), {"checkpoint": {"path": str(checkpoint)}}, overrides)


def test_a_stage_that_talks_gets_every_model_with_its_checkpoint(tmp_path: Path, dataset: str) -> None:
    overrides = line(tmp_path, f'{{small: "tuning.r=4", served: "{SERVED}"}}', dataset)
    small = trained(named_configs(composed(*overrides), overrides)["small"])
    models, left_out = opened("chat", overrides, tmp_path / "own")
    assert [(name, model.checkpoint) for name, model in models.items()] == [
        ("this", tmp_path / "own"),
        ("small", small),
        ("served", None),
    ]
    assert models["served"].backend.model == "llama" and not left_out
    assert [model.name for model in models.values()] == list(models)


def test_a_model_that_is_not_trained_is_left_out_with_the_command_that_trains_it(
    tmp_path: Path, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["run.py"])
    overrides = line(tmp_path, '{small: "tuning.r=4"}', dataset, "stage=chat", "chat.report=sample", "seed=3")
    models, left_out = opened("chat", overrides, tmp_path / "own")
    assert list(models) == ["this"]
    command = f"python run.py outputs={tmp_path} model=tiny data.synthetic_reports=20 {dataset} seed=3 tuning.r=4 stage=finetune"
    assert left_out == [f"models.small is left out, as it is not trained yet; to train it: {command}"]


def test_the_command_names_all_stages_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run.py"])
    _, (told,) = opened("chat", line(tmp_path, '{small: "tuning.r=4"}'), tmp_path / "own")
    before = "preprocess,generate_instructions,postprocess_instructions,generate_answers,postprocess_answers"
    assert told.endswith(f"stage=pipeline 'pipeline=[{before},finetune]'")


def test_a_stage_whose_outcome_is_kept_gets_its_own_model_alone(tmp_path: Path, dataset: str) -> None:
    overrides = line(tmp_path, f'{{served: "{SERVED}"}}', dataset)
    models, left_out = opened("predict", overrides, tmp_path / "own")
    assert list(models) == ["this"] and not left_out
    config, without = composed(*overrides), composed(*(word for word in overrides if not word.startswith("models=")))
    (tmp_path / "x").mkdir()
    given = f"inputs.checkpoint={tmp_path / 'x'}"
    assert key(config, "evaluate") == key(without, "evaluate")
    assert key(composed(*overrides, given), "predict") == key(composed(*overrides[:3], dataset, given), "predict")


def test_the_class_of_every_checkpoint_and_base_counts(tmp_path: Path, dataset: str) -> None:
    from radgpt.governance.inheritance import inherited

    overrides = line(tmp_path, '{small: "tuning.r=4"}', dataset)
    trained(named_configs(composed(*overrides), overrides)["small"], Governance.credentialed)
    config = composed(*overrides)
    models, _ = opened("chat", overrides, tmp_path / "own")
    assert config.data.governance is Governance.synthetic
    raised, by = inherited(config, stages.load("chat"), {}, None, checkpoints(models))
    assert (raised.data.governance, by) == (Governance.credentialed, "models.small")


def test_credentialed_reports_reach_no_strangers_endpoint(tmp_path: Path) -> None:
    overrides = line(tmp_path, '{gpt: "backend=openai"}', "data.governance=credentialed")
    config = composed(*overrides)
    models, _ = opened("chat", overrides, tmp_path / "own")
    with pytest.raises(UserError, match=r"^models\.gpt: data\.governance=credentialed keeps reports from api\.openai\.com"):
        refuse_endpoints(models, config)
    refuse_endpoints(models, composed(*overrides[:4]))


def test_a_job_can_be_sent_to_its_ranks(tmp_path: Path) -> None:
    overrides = line(tmp_path, f'{{served: "{SERVED}"}}')
    models, _ = opened("chat", overrides, tmp_path / "own")
    job = Job(composed(*overrides), "chat", tmp_path, "0" * 8, {}, {}, models=models)
    assert pickle.loads(pickle.dumps(job)) == job
