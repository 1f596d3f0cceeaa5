"""The largest micro-batch of a training, and which change lets one fit."""

from dataclasses import replace
from typing import Any

import datasets
import numpy as np
import pytest
from conftest import composed
from transformers import LlamaConfig

from radgpt.config import Batching, DeepSpeed, Method, Model, Quantization, Training, Tuning, Zero
from radgpt.training.planning.memory import GIB
from radgpt.training.planning.plans import SHARDING, Examples, Load, Plan, changes, cheapest, examples_of, largest_load, table

CONFIG = LlamaConfig(vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32)
"""Llama 2 7B."""
LORA = Tuning(method=Method.lora, r=8, lora_alpha=32, lora_dropout=0.05)
FOUR = Examples(
    tokens=np.array([10, 40, 20, 30]), learned=np.array([5, 4, 3, 2]), first=np.array([5, 30, 10, 1]), last=np.array([9, 33, 12, 2])
)


def plan(tuning: Tuning = LORA, world_size: int = 1, deepspeed: DeepSpeed | None = None, **training: Any) -> Plan:
    settings = Training(**{"model_max_length": 2048, "gradient_checkpointing": True} | training)
    return Plan(CONFIG, Model(name_or_path="llama"), tuning, settings, deepspeed or DeepSpeed(), world_size, True, 0, None)


@pytest.mark.parametrize("option", SHARDING)
def test_sharding_is_that_of_the_option_that_is_named(option: str) -> None:
    zero, committed = SHARDING[option], composed(f"deepspeed={option}").deepspeed.zero_optimization
    assert (zero.stage, bool(zero.overlap_comm)) == (committed.stage, bool(committed.overlap_comm))
    assert zero.offload_optimizer.device is committed.offload_optimizer.device
    assert zero.offload_param.device is committed.offload_param.device


def test_examples_are_read_from_the_mask() -> None:
    rows = {"input_ids": [[1, 2, 3, 4], [1, 2], [1, 2, 3]], "mask": [[0, 1, 0, 1], [0, 0], [0, 0, 1]]}
    found = examples_of(datasets.Dataset.from_dict(rows))
    assert (found.tokens.tolist(), found.learned.tolist()) == ([4, 2, 3], [2, 0, 1])
    assert (found.first.tolist(), found.last.tolist()) == ([1, 0, 2], [3, 0, 2])


@pytest.mark.parametrize(
    ("batching", "load"),
    [
        # Of lengths 10, 20, 30 and 40, two groups of 50 tokens; 40 comes with 10.
        (Batching.padding_free, Load(1, 50, 9)),
        # 40 comes with 30; places 1 to 33 of both rows are taken.
        (Batching.grouped, Load(2, 80, 66)),
    ],
)
def test_the_largest_micro_batch(batching: Batching, load: Load) -> None:
    training = Training(batching=batching, per_device_train_batch_size=2, gradient_accumulation_steps=2)
    assert largest_load(FOUR, training, 1, 0, 0.25) == load


def test_rows_that_are_not_known_are_taken_to_be_full() -> None:
    assert largest_load(None, Training(model_max_length=1000, per_device_train_batch_size=2), 1, 0, 0.25) == Load(2, 2000, 500)


def typed(plan: Plan) -> list[str]:
    return [" ".join(change.typed) for change in changes(plan)]


def test_changes_come_from_the_cheapest_on() -> None:
    start = plan(world_size=2, per_device_train_batch_size=4, gradient_accumulation_steps=8, gradient_checkpointing=False)
    smaller = [
        "training.per_device_train_batch_size=2 training.gradient_accumulation_steps=16",
        "training.per_device_train_batch_size=1 training.gradient_accumulation_steps=32",
    ]
    recomputed = "training.gradient_checkpointing=true"
    kinds = [
        recomputed,
        *(f"{recomputed} deepspeed={option}" for option in ("zero2", "zero3", "zero3_offload")),
        f"{recomputed} tuning.quantization=nf4",
    ]
    assert typed(start) == [*smaller, *(line for kind in kinds for line in (kind, *(f"{kind} {size}" for size in smaller)))]


def test_what_cannot_be_is_not_proposed() -> None:
    assert all("nf4" not in line for line in typed(plan(Tuning())))  # a quantised base cannot be trained itself
    quantized = typed(plan(replace(LORA, quantization=Quantization.int8), world_size=2, per_device_train_batch_size=1))
    assert quantized == ["deepspeed=zero2", "deepspeed=zero2_offload", "tuning.quantization=nf4"]
    offloaded = DeepSpeed(True, SHARDING["zero3_offload"])
    assert typed(plan(world_size=2, deepspeed=offloaded, per_device_train_batch_size=1)) == ["deepspeed=zero2 tuning.quantization=nf4"]
    sharded = DeepSpeed(True, Zero(stage=3))
    assert typed(plan(Tuning(), 2, sharded, per_device_train_batch_size=1)) == ["deepspeed=zero3_offload"]


def test_a_smaller_micro_batch_is_proposed_where_it_is_enough_and_a_step_keeps_its_examples() -> None:
    start = plan(per_device_train_batch_size=16, gradient_accumulation_steps=2)
    # 12.6 GiB of weights; a row of 2,048 tokens takes about half a GiB.
    change = cheapest(start, 25.0)
    assert change is not None
    assert change.typed == ("training.per_device_train_batch_size=8", "training.gradient_accumulation_steps=4")
    assert change.plan.estimate.peak <= 25.0 * GIB < start.estimate.peak


def test_the_host_s_memory_comes_before_four_bits_and_nothing_is_said_to_fit_that_does_not() -> None:
    start = plan(per_device_train_batch_size=1, model_max_length=512)
    change = cheapest(start, 7.0)
    assert change is not None and change.typed == ("deepspeed=zero3_offload",)
    assert [each.plan.estimate.peak < 7.0 * GIB for each in changes(start)] == [True, True]
    assert cheapest(start, 1.0) is None


def test_full_training_of_seven_billion_weights_needs_sharding() -> None:
    start = plan(Tuning(), world_size=8, per_device_train_batch_size=4, gradient_accumulation_steps=1)
    change = cheapest(start, 79.1)
    assert change is not None and change.typed == ("deepspeed=zero2",)
    # 2 + 14 / 8 bytes of each weight in forward and backward, 2 + 16 / 8 in the step, buckets of 2 GB and activations.
    assert 25 < change.plan.estimate.peak / GIB < 40


def test_the_table_has_a_row_for_each_way_of_sharding() -> None:
    rows = table(plan(world_size=4), [1, 2])
    assert list(rows) == ["as chosen", "deepspeed=zero1", "deepspeed=zero2", "deepspeed=zero3", "deepspeed=zero3_offload"]
    assert all(one.peak < two.peak for one, two in rows.values())
    assert rows["deepspeed=zero3"][0].weights == pytest.approx(rows["deepspeed=zero2"][0].weights / 4)
    assert list(table(plan(replace(LORA, quantization=Quantization.nf4)), [1])) == ["as chosen", "deepspeed=zero2_offload"]
