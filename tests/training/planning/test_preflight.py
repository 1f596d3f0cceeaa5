"""What is told before a training, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest
from transformers import LlamaConfig

from radgpt.config import Batching, DeepSpeed, Method, Model, ModelSource, Preflight, Pretraining, Training, Tuning
from radgpt.errors import UserError
from radgpt.run import Run
from radgpt.training.data.tokens import Counts, SplitCounts, Tokens
from radgpt.training.planning import preflight
from radgpt.training.planning.device import Device
from radgpt.training.planning.plans import Plan, examples_of
from radgpt.training.planning.preflight import check_before_training, foretell, refuse_impossible, refuse_impossible_here
from radgpt.training.planning.report import memory_line
from radgpt.training.recipe import Recipe

SEVEN = LlamaConfig(vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32)
SMALL = LlamaConfig(
    vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, tie_word_embeddings=True
)
MODEL = Model(source=ModelSource.hub, name_or_path="llama")
LORA = Tuning(method=Method.lora, r=8, lora_alpha=32, lora_dropout=0.0)
A10 = Device("A10", 22.0, 125.0, True)
CPU = Device("CPU", 20.0, None, False)


def tokens() -> Tokens:
    """Ten examples of 10 to 100 tokens, a half of each learned."""
    lengths = range(10, 101, 10)
    rows = datasets.Dataset.from_dict({"input_ids": [[7] * n for n in lengths], "mask": [[0] * (n // 2) + [1] * (n // 2) for n in lengths]})
    return Tokens(rows, None, Counts(dropped_too_long=3, cut_reports=2, train=SplitCounts(10, 550, 275, 100)))


def plan(config: LlamaConfig = SEVEN, tuning: Tuning = LORA, known: Tokens | None = None, **training: Any) -> Plan:
    settings = Training(**{"model_max_length": 2048} | training)
    return Plan(config, MODEL, tuning, settings, DeepSpeed(), 1, True, 0, examples_of(known.train) if known else None)


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The printed lines by their first word."""
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    return {first: rest[0] if rest else "" for first, *rest in lines}


def a_dry_run(world_size: int = 1) -> Run:
    return Run(Path("nowhere"), {}, dry_run=True, world_size=world_size)


def test_a_dry_run_tells_all(capsys: pytest.CaptureFixture[str]) -> None:
    training = Training(
        batching=Batching.padded, per_device_train_batch_size=2, gradient_accumulation_steps=2, num_train_epochs=2, model_max_length=128
    )
    foretell(a_dry_run(2), Recipe(MODEL, Tuning(), training, DeepSpeed(), Preflight(gpu="a100-80"), 0), SMALL, tokens())
    lines = told(capsys)
    # Embedding 128 x 32; two blocks of 4 x 32 x 32 + 3 x 32 x 64 + 2 x 32; a norm of 32.
    weights = 128 * 32 + 2 * (4 * 32 * 32 + 3 * 32 * 64 + 2 * 32) + 32
    assert weights == 24_736
    assert lines["model"] == "llama: 0.02 million parameters in 2 blocks, float32; 0.02 million are trained (100.00%)"
    assert lines["data"] == "10 examples, 550 tokens an epoch, 50.0% learned, the longest 100; left out as too long: 3; reports cut: 2"
    assert lines["steps"].startswith("4 of 8 examples a step (2 x 2 accumulated x 2 processes), 2 an epoch; ")
    assert lines["steps"].endswith(" padding; at most 200 tokens a micro-batch")
    assert lines["memory"].startswith("about 1.20 GiB of 79.1 GiB a process on A100-80GB: fits")
    assert lines["time"] == "about 0 minutes, if 40% of the data sheet's 312 TFLOP/s are reached (assumed)"
    assert lines["weights"] == f"{weights * 4 / 2**20:.1f} MiB"
    assert {"as", "deepspeed=zero1", "deepspeed=zero2", "deepspeed=zero3", "deepspeed=zero3_offload"} <= set(lines)


def test_without_a_dataset_the_memory_is_told_for_full_micro_batches(capsys: pytest.CaptureFixture[str]) -> None:
    training = Pretraining(model_max_length=512, per_device_train_batch_size=4, batching=Batching.packed)
    foretell(a_dry_run(), Recipe(MODEL, Tuning(), training, DeepSpeed(), Preflight(gpu="L4"), 0), SMALL, None)
    lines = told(capsys)
    assert lines["data"].startswith("not made yet")
    assert lines["steps"] == "32 rows a step (4 x 8 accumulated x 1 process); at most 2,048 tokens a micro-batch"
    assert "time" not in lines


def test_what_cannot_fit_is_refused_with_the_cheapest_change() -> None:
    message = (
        r"training.per_device_train_batch_size=16: training would take about \d\d.\d GiB on each device, and A10 has 22.0; "
        r"training.per_device_train_batch_size=8 training.gradient_accumulation_steps=4 would do, with about \d\d.\d GiB; "
        r"preflight.enabled=false tries all the same"
    )
    with pytest.raises(UserError, match=message):
        refuse_impossible(plan(per_device_train_batch_size=16, gradient_accumulation_steps=2), A10)


def test_what_nothing_makes_fit_is_said_to() -> None:
    with pytest.raises(UserError, match=r"no smaller batch, sharding or quantisation fits either \(\d.\d+ GiB at the least\): choose"):
        refuse_impossible(plan(), replace(A10, memory_gib=1.0))


def test_an_estimate_a_little_above_the_memory_is_let_try() -> None:
    start = plan(per_device_train_batch_size=4)
    device = replace(A10, memory_gib=start.estimate.peak / 2**30)
    for factor, verdict in ((1.2, "fits"), (1.05, "tight"), (0.95, "does not fit")):
        near = replace(device, memory_gib=factor * device.memory_gib)
        assert memory_line(start.estimate, near).endswith(verdict)
        refuse_impossible(start, near)
    with pytest.raises(UserError):
        refuse_impossible(start, replace(device, memory_gib=0.89 * device.memory_gib))


def test_on_a_cpu_only_states_that_exceed_the_memory_are_refused() -> None:
    full = replace(plan(SEVEN, Tuning()), on_gpu=False)
    with pytest.raises(UserError, match=r"weights, gradients and optimizer states take 100.\d GiB .*, and 20.0 GiB .*, or tuning=lora;"):
        refuse_impossible_here(full, CPU)
    refuse_impossible_here(full, replace(CPU, memory_gib=101.0))


def test_a_dry_run_on_a_cpu_refuses_no_more_than_the_run_would(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = Recipe(MODEL, Tuning(), Training(), DeepSpeed(), Preflight(), 0)
    # Weights, gradients and AdamW's two states of 24,736 float32 weights: 0.4 MiB.
    monkeypatch.setattr(preflight, "device_here", lambda processes: replace(CPU, memory_gib=1 / 1024))
    foretell(a_dry_run(), recipe, SMALL, None)
    assert told(capsys)["memory"].endswith("does not fit")
    monkeypatch.setattr(preflight, "device_here", lambda processes: replace(CPU, memory_gib=0.25 / 1024))
    with pytest.raises(UserError, match=r"weights, gradients and optimizer states take 0.4 MiB"):
        foretell(a_dry_run(), recipe, SMALL, None)


def checked(monkeypatch: pytest.MonkeyPatch, device: Device, run: Run, *, enabled: bool = True) -> None:
    monkeypatch.setattr(preflight, "device_here", lambda processes: device)
    monkeypatch.setattr(preflight, "config_of", lambda model, base: SEVEN)
    recipe = Recipe(MODEL, LORA, Training(), DeepSpeed(), Preflight(enabled=enabled), 0)
    check_before_training(run, "base", recipe, tokens())


def test_a_run_is_told_of_in_a_few_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    checked(monkeypatch, A10, Run(Path("nowhere"), {}))
    assert list(told(capsys)) == ["model", "data", "steps", "memory"]
    checked(monkeypatch, replace(CPU, memory_gib=40.0), Run(Path("nowhere"), {}))
    assert list(told(capsys)) == ["model", "data", "steps"]


def test_a_run_that_cannot_fit_is_refused_unless_that_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(A10, memory_gib=4.0)
    with pytest.raises(UserError, match=r"A10 has 4.0"):
        checked(monkeypatch, small, Run(Path("nowhere"), {}))
    checked(monkeypatch, small, Run(Path("nowhere"), {}), enabled=False)
    checked(monkeypatch, small, Run(Path("nowhere"), {}, rank=1, world_size=2))
