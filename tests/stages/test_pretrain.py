"""Raw reports are learned word for word, and finetune goes on from there."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pairs_dataset import SIDES, SIZES, write_dataset
from trained_checkpoints import load_trained

from radgpt.artifacts import digest, write_records
from radgpt.config import Batching, Dataset, DeepSpeed, Method, Model, ModelSource, Preflight, Pretraining, TooLong, Training, Tuning
from radgpt.errors import UserError
from radgpt.models import load_tokenizer
from radgpt.records import Report
from radgpt.run import Run
from radgpt.stages import finetune, pretrain

MODEL = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=32, tiny_layers=1, tiny_vocab_size=320)
LORA = Tuning(method=Method.lora, r=4, lora_alpha=8, lora_dropout=0.0)
FULL = Tuning()
SETTINGS = {
    "model_max_length": 256,
    "num_train_epochs": 2,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 2,
    "learning_rate": 1e-2,
    "warmup_ratio": 0.0,
    "lr_scheduler_type": "constant",
    "gradient_checkpointing": False,
    "save_strategy": "no",
    "sample_generations": 0,
    "max_loss_spike": None,
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("reports") / "reports.jsonl"
    with write_records(file) as write:
        for number in range(40):
            text = f"FINDINGS: There is a {SIZES[number % 3]} {SIDES[number % 2]} pleural effusion. No pneumothorax.\nIMPRESSION: Effusion."
            write(Report(report_id=f"r{number}", patient_id=f"p{number}", text=text, sections={}))
    return file


def pretrained(folder: Path, reports: Path, tuning: Tuning, model: Model = MODEL, **settings: object) -> Run:
    folder.mkdir()
    run = Run(directory=folder, writes=pretrain.WRITES, cache=folder / "cache")
    training = Pretraining(**{**SETTINGS, "batching": Batching.packed, **settings})
    pretrain.run(run, reports, Dataset(), model, tuning, training, DeepSpeed(), Preflight(), 0)
    return run


def finetuned(folder: Path, dataset: Path, tuning: Tuning, before: Path | None = None, model: Model = MODEL, **settings: object) -> Run:
    folder.mkdir()
    run = Run(directory=folder, writes=finetune.WRITES, cache=folder / "cache")
    finetune.run(run, dataset, model, tuning, Training(**{**SETTINGS, **settings}), DeepSpeed(), Preflight(), 0, before)
    return run


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, reports: Path) -> Run:
    """A pre-training of all weights."""
    return pretrained(tmp_path_factory.mktemp("full") / "run", reports, FULL)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("pairs") / "dataset")


def test_reports_are_learned(full: Run) -> None:
    assert full.summary["eval_loss"] < full.summary["eval_loss_before"] - 0.5
    folder = full.path("pretrained")
    assert {"model.safetensors", "tokenizer.json", "chat_template.jinja", "radgpt.json"} <= {file.name for file in folder.iterdir()}
    network, tokenizer = load_trained(folder, MODEL, folder)
    assert network.get_input_embeddings().num_embeddings == len(tokenizer)


def test_finetune_starts_from_the_pretrained_weights(full: Run, dataset: Path, tmp_path: Path) -> None:
    before = full.path("pretrained")
    plain = finetuned(tmp_path / "plain", dataset, FULL, max_steps=1)
    after = finetuned(tmp_path / "after", dataset, FULL, before, max_steps=1)
    # The same words in another tokenizer: what was learned of them shows in the loss before the first step.
    assert after.summary["eval_loss_before"] < plain.summary["eval_loss_before"] - 0.3
    tokenizers = [load_tokenizer(MODEL, str(folder)).get_vocab() for folder in (before, after.path("checkpoint"))]
    assert tokenizers[0] == tokenizers[1]


def test_patients_that_were_pretrained_on_are_not_held_out(full: Run, dataset: Path, tmp_path: Path) -> None:
    """As where so few patients have pairs that these are split by themselves."""
    trained = (full.directory / "trained_patients.txt").read_text().split()
    assert len(trained) == 32 and set(trained) < {f"p{number}" for number in range(40)}
    held_out = next(f"p{number}" for number in range(40) if f"p{number}" not in trained)
    for name, patient in (("sound", held_out), ("leaking", trained[0])):
        write_dataset(tmp_path / name)
        pair = json.loads((tmp_path / name / "test.jsonl").read_text().splitlines()[0])
        (tmp_path / name / "test.jsonl").write_text(json.dumps(pair | {"patient_id": patient}) + "\n")
    before = full.path("pretrained")
    refusal = "was trained on reports of 1 of the 6 patients whose pairs are held out"
    with pytest.raises(UserError, match=f"^tuning.after_pretraining=true: it {refusal}"):
        finetuned(tmp_path / "refused", tmp_path / "leaking", LORA, before, max_steps=1)
    with pytest.raises(UserError, match=rf"^tuning.init_from=\S+: it {refusal}"):
        finetuned(tmp_path / "refused too", tmp_path / "leaking", replace(LORA, init_from=str(before)), max_steps=1)
    done = finetuned(tmp_path / "done", tmp_path / "sound", LORA, before, max_steps=1)
    # What goes on from there is held to both trainings' patients.
    goes_on = replace(LORA, init_from=str(done.path("checkpoint")))
    with pytest.raises(UserError, match=rf"^tuning.init_from=\S+: it {refusal}"):
        finetuned(tmp_path / "refused at last", tmp_path / "leaking", goes_on, max_steps=1)


def test_an_adapter_on_pretrained_weights_loads_by_itself(full: Run, dataset: Path, tmp_path: Path) -> None:
    run = finetuned(tmp_path / "run", dataset, LORA, full.path("pretrained"))
    checkpoint = run.path("checkpoint")
    assert digest(checkpoint / "base" / "model.safetensors") == digest(full.path("pretrained") / "model.safetensors")
    assert run.summary["eval_loss"] < run.summary["eval_loss_before"]
    network, tokenizer = load_trained(checkpoint, MODEL, tmp_path)
    below, _ = load_trained(full.path("pretrained"), MODEL, tmp_path)
    ids = torch.tensor([tokenizer("There is a small left pleural effusion.")["input_ids"]])
    with torch.no_grad():
        assert (network(ids).logits - below(ids).logits).abs().max() > 1e-3


def test_an_adapter_on_pretrained_weights_of_a_real_model_finds_them(full: Run, reports: Path, dataset: Path, tmp_path: Path) -> None:
    model = Model(name_or_path=str(full.path("pretrained")))
    before = pretrained(tmp_path / "pretrain", reports, FULL, model, max_steps=2)
    run = finetuned(tmp_path / "finetune", dataset, LORA, before.path("pretrained"), model, max_steps=2)
    checkpoint = run.path("checkpoint")
    assert {"base", "model.safetensors"}.isdisjoint(file.name for file in checkpoint.iterdir())
    network, _ = load_trained(checkpoint, model, tmp_path)
    below, _ = load_trained(before.path("pretrained"), model, tmp_path)
    untouched = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(network.state_dict()[untouched], below.state_dict()[untouched])
    (before.path("pretrained") / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"is an adapter on the weights that an earlier training left in .*/pretrain/pretrained"):
        load_trained(checkpoint, model, tmp_path)


@pytest.mark.parametrize("method", [LORA, FULL], ids=["lora", "full"])
def test_training_goes_on_where_an_earlier_one_ended(dataset: Path, tmp_path: Path, method: Tuning) -> None:
    first = finetuned(tmp_path / "first", dataset, method)
    tuning = replace(method, init_from=str(first.path("checkpoint")))
    second = finetuned(tmp_path / "second", dataset, tuning)
    assert second.summary["eval_loss_before"] == pytest.approx(first.summary["eval_loss"], rel=1e-5)
    assert second.summary["eval_loss"] < first.summary["eval_loss"]


def test_a_pretrained_adapter_is_tuned_further(reports: Path, dataset: Path, tmp_path: Path) -> None:
    before = pretrained(tmp_path / "pretrain", reports, LORA, max_steps=2)
    after = finetuned(tmp_path / "finetune", dataset, LORA, before.path("pretrained"), max_steps=1)
    weights = [folder / "base" / "model.safetensors" for folder in (before.path("pretrained"), after.path("checkpoint"))]
    assert digest(weights[0]) == digest(weights[1])
    record = json.loads((after.path("checkpoint") / "radgpt.json").read_text())
    assert (record["method"], record["base_places"]) == ("lora", [])


def test_settings_are_named_as_those_of_pretraining(reports: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^pretraining\.model_max_length=9000 exceeds the 8192 positions.*set pretraining\.model_max_length"
    ):
        pretrained(tmp_path / "run", reports, FULL, model_max_length=9000)
    with pytest.raises(UserError, match=r"^pretraining\.learning_rate=0 must be above 0"):
        Pretraining(learning_rate=0)
    with pytest.raises(UserError, match=r"^pretraining\.too_long=cut_report has no meaning with raw reports"):
        Pretraining(too_long=TooLong.cut_report)
    with pytest.raises(UserError, match=r"tuning=none trains nothing, and stage=pretrain has nothing else to do"):
        pretrained(tmp_path / "none", reports, Tuning(method=Method.none))


@pytest.mark.slow
def test_the_command_reads_what_was_pretrained_where_it_is_told_to(dataset: Path, radgpt: Callable, tmp_path: Path) -> None:
    steps = [
        f"{section}.{name}"
        for section in ("training", "pretraining")
        for name in ("max_steps=2", "gradient_accumulation_steps=1", "sample_generations=0")
    ]
    settings = ["model=tiny", "data.synthetic_reports=20", "wandb=disabled", *steps, f"inputs.dataset={dataset}"]

    missing = radgpt(*settings, "stage=finetune", "tuning.after_pretraining=true", cwd=tmp_path)
    assert missing.returncode == 2 and "run stage=p" in missing.stderr
    done = radgpt(*settings, "pipeline=[preprocess,pretrain,finetune]", "tuning.after_pretraining=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (manifest,) = tmp_path.glob("outputs/demo/finetune/*/manifest.json")
    assert set(json.loads(manifest.read_text())["reads"]) == {"dataset", "pretrained"}
