"""What the stage leaves, that a killed run ends in the same bytes, and that every engine trains the same."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import composed
from pairs_dataset import write_dataset
from safetensors.torch import load_file
from small_training import FULL, MODEL, TRAINING, run_ranks, tuned
from trained_checkpoints import load_trained

from radgpt.artifacts import digest
from radgpt.config import Method, Training, Tuning
from radgpt.errors import UserError
from radgpt.training import fit


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "dataset")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset):
    """An uninterrupted LoRA run."""
    return tuned(tmp_path_factory.mktemp("whole") / "run", dataset)


def test_what_it_leaves(whole):
    checkpoint = whole.path("checkpoint")
    names = {path.relative_to(checkpoint).as_posix() for path in checkpoint.rglob("*") if path.is_file()}
    assert {
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "tokenizer.json",
        "radgpt.json",
        "base/model.safetensors",
    } <= names
    assert "model.safetensors" not in names
    assert sorted(path.name for path in whole.directory.iterdir()) == [
        "checkpoint",
        "outcome.json",
        "samples.jsonl",
        "trained_patients.txt",
    ]
    adapter = json.loads((checkpoint / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "base"
    assert adapter["target_modules"] == ["q_proj", "v_proj"]
    assert whole.summary["steps"] == 6
    assert whole.summary["trainable_parameters"] == 2 * 4 * (32 + 32)
    assert whole.summary["eval_loss"] < whole.summary["eval_loss_before"]
    assert whole.summary["dropped_too_long"] == 0
    assert (whole.summary["engine"], whole.summary["tokens_per_second"] > 0) == ("single", True)


def test_the_same_settings_give_the_same_bytes(whole, dataset, tmp_path):
    again = tuned(tmp_path / "run", dataset)
    assert digest(again.path("checkpoint")) == digest(whole.path("checkpoint"))


def test_the_seed_matters(whole, dataset, tmp_path):
    tuned(tmp_path, dataset, seed=1)
    adapter = "checkpoint/adapter_model.safetensors"
    assert (tmp_path / adapter).read_bytes() != (whole.directory / adapter).read_bytes()


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from small_training import FULL, LORA, tuned
from radgpt.training.loop import checkpoints

seal = checkpoints.seal

def die(checkpoint, *how):
    if checkpoint.name == sys.argv[4]:
        # The checkpoint's files are there, its mark is not: as torn as it can look.
        os.kill(os.getpid(), signal.SIGKILL)
    seal(checkpoint, *how)

checkpoints.seal = die
tuned(Path(sys.argv[1]), Path(sys.argv[2]), {"lora": LORA, "full": FULL}[sys.argv[3]])
"""


def killed(folder, dataset, method, at):
    """Run the stage in a process of its own that is killed -9 while it writes a checkpoint."""
    tests = Path(__file__).parent
    path = os.pathsep.join(map(str, (tests, tests.parent, tests.parent.parent)))
    done = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, str(folder), str(dataset), method, at],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("at", ["checkpoint-1", "checkpoint-5"])
def test_a_killed_run_ends_in_the_same_bytes(whole, dataset, tmp_path, capsys, at):
    killed(tmp_path / "run", dataset, "lora", at)
    assert not (tmp_path / "run" / "checkpoint").exists()
    again = tuned(tmp_path / "run", dataset)
    told = capsys.readouterr().out
    assert f"{at} is torn" in told
    assert ("goes on from checkpoint-4" in told) == (at == "checkpoint-5")
    assert digest(again.path("checkpoint")) == digest(whole.path("checkpoint"))
    for metric in ("train_loss", "eval_loss", "eval_loss_before"):
        assert again.summary[metric] == pytest.approx(whole.summary[metric], rel=1e-6)


def test_a_run_killed_after_its_training_does_not_train_again(dataset, tmp_path, monkeypatch, capsys):
    first = tuned(tmp_path / "run", dataset)
    before = digest(first.path("checkpoint"))
    # The manifest would have been written next.
    monkeypatch.setattr(fit, "prepare_and_train", lambda *given: pytest.fail("trained again"))
    again = tuned(tmp_path / "run", dataset)
    assert (again.summary, digest(again.path("checkpoint"))) == (first.summary, before)
    assert "nothing is left to train" in capsys.readouterr().out


def test_an_outcome_without_its_weights_is_trained_again(whole, dataset, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "outcome.json").write_text('{"steps": 6}')
    assert digest(tuned(tmp_path / "run", dataset).path("checkpoint")) == digest(whole.path("checkpoint"))


@pytest.mark.slow
def test_a_killed_full_run_ends_in_the_same_bytes(dataset, tmp_path):
    straight = tuned(tmp_path / "straight", dataset, FULL)
    killed(tmp_path / "run", dataset, "full", "checkpoint-4")
    again = tuned(tmp_path / "run", dataset, FULL)
    assert digest(again.path("checkpoint")) == digest(straight.path("checkpoint"))


def test_full_weights_stand_alone(dataset, tmp_path):
    run = tuned(tmp_path / "run", dataset, FULL)
    names = {path.name for path in run.path("checkpoint").iterdir()}
    assert "model.safetensors" in names
    assert not names & {"base", "adapter_model.safetensors", "training_args.bin"}
    network, _ = load_trained(run.path("checkpoint"), MODEL, tmp_path)
    assert network.config.use_cache
    assert not network.training


def test_gradient_checkpointing_trains_the_same(whole, dataset, tmp_path):
    training = Training(**{**vars(TRAINING), "gradient_checkpointing": True})
    run = tuned(tmp_path / "run", dataset, training=training)
    assert run.summary["train_loss"] == pytest.approx(whole.summary["train_loss"], rel=1e-4)


def test_none_leaves_a_record_of_the_base(dataset, tmp_path):
    run = tuned(tmp_path / "run", dataset, Tuning(method=Method.none))
    assert run.summary == {"steps": 0, "trainable_parameters": 0}
    network, tokenizer = load_trained(run.path("checkpoint"), MODEL, tmp_path)
    assert network.get_input_embeddings().num_embeddings == len(tokenizer)


def test_examples_longer_than_the_model_are_refused(dataset, tmp_path):
    with pytest.raises(UserError, match=r"training\.model_max_length=9000 exceeds the 8192 positions"):
        tuned(tmp_path / "run", dataset, training=Training(model_max_length=9000))


def test_no_validation_pairs(dataset, tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "train.jsonl").write_text((dataset / "train.jsonl").read_text())
    (tmp_path / "dataset" / "validation.jsonl").write_text("")
    run = tuned(tmp_path / "run", tmp_path / "dataset", training=Training(**{**vars(TRAINING), "max_steps": 1}))
    assert not {"eval_loss", "eval_loss_before"} & set(run.summary)
    assert run.summary["steps"] == 1


RANK = """
import sys
from pathlib import Path
import os
from dataclasses import replace
import torch
from small_training import FULL, TRAINING, tuned

training = replace(TRAINING, gradient_accumulation_steps=2)
run = tuned(Path(sys.argv[1]), Path(sys.argv[2]), FULL, training, rank=int(os.environ["RANK"]), world_size=2)
print(run.summary["eval_loss_before"], run.summary["eval_loss"], run.summary["engine"], torch.initial_seed())
"""


@pytest.mark.slow
def test_two_processes_train_as_one(dataset, tmp_path):
    (tmp_path / "two").mkdir()
    told = [output.splitlines()[-1].split() for output in run_ranks(RANK, 2, str(tmp_path / "two"), str(dataset))]
    one = tuned(tmp_path / "one", dataset, FULL)
    assert [engine for _, _, engine, _ in told] == ["ddp", "ddp"]
    # Each draws dropout and noise of its own.
    assert [drawn_from for *_, drawn_from in told] == ["0", "1"]
    for before, after, *_ in told:
        assert float(before) == pytest.approx(one.summary["eval_loss_before"], rel=1e-5)
        assert float(after) == pytest.approx(one.summary["eval_loss"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
def test_tied_weights_are_stored_once_under_deepspeed(dataset, tmp_path):
    run = tuned(tmp_path / "run", dataset, FULL, deepspeed=composed("deepspeed=zero2").deepspeed)
    stored = load_file(next(run.path("checkpoint").glob("*.safetensors")))
    assert "model.embed_tokens.weight" in stored and not any("lm_head" in name for name in stored)
