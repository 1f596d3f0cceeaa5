"""Every way of tuning trains the same by the Trainer alone and by each stage of ZeRO that takes it."""

import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from conftest import composed
from pairs_dataset import write_dataset

from radgpt.config import Method, Model, ModelSource, Preflight, Quantization, Training, Tuning
from radgpt.run import Run
from radgpt.stages import finetune

MODEL = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=32, tiny_layers=1, tiny_vocab_size=320)
LORA = Tuning(method=Method.lora, r=4, lora_alpha=8, lora_dropout=0.0)
METHODS = {
    "dora": replace(LORA, use_dora=True),
    "rslora": replace(LORA, use_rslora=True),
    "all_linear": replace(LORA, target_modules=["all-linear"]),
    "int8": replace(LORA, quantization=Quantization.int8),
    "nf4": replace(LORA, quantization=Quantization.nf4),
}
TRAINING = Training(
    model_max_length=256,
    max_steps=3,
    per_device_train_batch_size=2,
    gradient_accumulation_steps=2,
    learning_rate=1e-2,
    warmup_ratio=0.0,
    save_strategy="no",
    sample_generations=0,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(package) is None for package in ("deepspeed", "bitsandbytes")), reason="an extra is not installed"
    ),
]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Train once by a method, an option of conf/deepspeed, and what was trained before."""
    dataset = write_dataset(tmp_path_factory.mktemp("data") / "dataset")

    @cache
    def train(method: str, option: str, goes_on: bool = False) -> Run:
        tuning = METHODS[method]
        if goes_on:
            tuning = replace(tuning, init_from=str(train(method, "none").path("checkpoint")))
        run = Run(directory=tmp_path_factory.mktemp(f"{method}-{option}"), writes=finetune.WRITES, cache=Path("unused"))
        finetune.run(run, dataset, MODEL, tuning, TRAINING, composed(f"deepspeed={option}").deepspeed, Preflight(), 0)
        return run

    return train


@pytest.mark.parametrize(
    ("method", "option"),
    [("dora", "zero1"), ("dora", "zero3"), ("rslora", "zero3"), ("all_linear", "zero3"), ("int8", "zero2"), ("nf4", "zero2")],
)
def test_methods_learn_the_same_by_every_engine(tuned, method, option):
    alone, sharded = tuned(method, "none").summary, tuned(method, option).summary
    assert sharded["engine"] == f"deepspeed-{option}"
    assert sharded["eval_loss_before"] == pytest.approx(alone["eval_loss_before"], rel=1e-5)
    assert sharded["eval_loss"] == pytest.approx(alone["eval_loss"], rel=1e-4)
    assert sharded["eval_loss"] < sharded["eval_loss_before"] - 0.005


def test_zero_3_goes_on_with_an_earlier_adapter(tuned):
    again = tuned("dora", "zero3", goes_on=True)
    assert again.summary["engine"] == "deepspeed-zero3"
    assert again.summary["eval_loss_before"] == pytest.approx(tuned("dora", "none").summary["eval_loss"], rel=1e-5)
