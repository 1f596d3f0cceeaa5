"""Model states by numbers that can be worked out by hand, and by the figures of ZeRO's paper."""

from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig

from radgpt.config import (
    DeepSpeed,
    Dtype,
    Method,
    Model,
    OffloadDevice,
    OffloadOptimizer,
    OffloadParam,
    Quantization,
    Training,
    Tuning,
    Zero,
)
from radgpt.training.loop.arguments import weight_format
from radgpt.training.planning.activations import Activations, Bilinear
from radgpt.training.planning.memory import Estimate, Formats, Shape, States, estimate, shape_of, states
from radgpt.training.tuning.adapters import prepare_for_tuning

TINY = LlamaConfig(
    vocab_size=100,
    hidden_size=8,
    intermediate_size=24,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=1,
    tie_word_embeddings=False,
)
# Queries and output 8 x 8, keys and values 8 x 4, three matrices of 8 x 24, two norms of 8.
BLOCK = 2 * 64 + 2 * 32 + 3 * 192 + 2 * 8
# Embedding and head of 100 x 8, the last norm.
BESIDE = 2 * 800 + 8
LORA = Tuning(method=Method.lora, r=2, lora_alpha=4, lora_dropout=0.0, target_modules=["q_proj", "v_proj"])
# Of each block, beside 8 -> 8 and 8 -> 4.
ADAPTERS = 3 * (2 * (8 + 8) + 2 * (8 + 4))


def shape(tuning: Tuning, weights: str = "float32") -> Shape:
    plain = replace(tuning, quantization=Quantization.none)
    return shape_of(TINY, tuning, weights, lambda network: prepare_for_tuning(network, plain, Training(gradient_checkpointing=False)))


def test_weights_are_counted() -> None:
    full = shape(Tuning())
    assert (full.parameters, full.trained, full.trained_bytes) == (3 * BLOCK + BESIDE, 3 * BLOCK + BESIDE, 4 * (3 * BLOCK + BESIDE))
    assert (full.blocks, full.largest_block, full.beside_blocks) == (3, BLOCK, BESIDE)


def test_adapters_are_float32_beside_a_frozen_base_in_bfloat16() -> None:
    tuned = shape(LORA, "bfloat16")
    assert (tuned.trained, tuned.trained_bytes) == (ADAPTERS, 4 * ADAPTERS)
    assert (tuned.frozen, tuned.frozen_bytes) == (3 * BLOCK + BESIDE, 2 * (3 * BLOCK + BESIDE))


@pytest.mark.parametrize(
    ("quantization", "size"),
    [
        # 64 weights share a scale of a byte, and 256 scales a float32.
        (Quantization.nf4, round(3 * (BLOCK - 16) * (0.5 + 1 / 64 + 4 / (64 * 256)))),
        # Each row of a weight has a float32: 8 + 4 + 4 + 8 of attention, 24 + 24 + 8 of the rest.
        (Quantization.int8, 3 * (BLOCK - 16) + 4 * 3 * (24 + 56)),
    ],
)
def test_linear_layers_below_the_head_are_quantised(quantization: Quantization, size: int) -> None:
    tuned = shape(replace(LORA, quantization=quantization), "bfloat16")
    assert (tuned.quantized, tuned.quantized_bytes) == (3 * (BLOCK - 16), size)
    assert tuned.frozen_bytes == 2 * (BESIDE + 3 * 16)


def zero(stage: int, offload: bool = False) -> DeepSpeed:
    optimizer = OffloadOptimizer(OffloadDevice.cpu) if offload else OffloadOptimizer()
    param = OffloadParam(OffloadDevice.cpu) if offload and stage == 3 else OffloadParam()
    return DeepSpeed(True, Zero(stage=stage, offload_optimizer=optimizer, offload_param=param))


def trained_whole(weights: int, bytes_each: int = 2) -> Shape:
    return Shape(0, 0, 0, 0, weights, bytes_each * weights, 10, weights // 10, 0, 0, 64)


@pytest.mark.parametrize(("stage", "gb"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_the_figures_of_zero_s_paper(stage: int, gb: float) -> None:
    """Figure 1 of arXiv 1910.02054: 7.5 billion parameters on 64 GPUs."""
    kept = states(trained_whole(7_500_000_000), Training(), zero(stage), 64, on_gpu=True, short=True)
    assert (kept.weights + kept.gradients + kept.optimizer) / 1e9 == pytest.approx(gb, abs=0.06)


@pytest.mark.parametrize(
    ("stage", "weights", "gradients", "optimizer", "step_gradients"),
    [
        # 16-bit weights and gradients; float32 masters and two moments; float32 gradients for the step.
        (0, 2000, 2000, 12000, 4000),
        (1, 2000, 2000, 3000, 1000),
        (2, 2000, 500, 3000, 1000),
        (3, 500, 500, 3000, 1500),
    ],
)
def test_states_of_a_thousand_weights_on_four_gpus(
    stage: int, weights: float, gradients: float, optimizer: float, step_gradients: float
) -> None:
    kept = states(trained_whole(1000), Training(), zero(stage), 4, on_gpu=True, short=True)
    assert (kept.weights, kept.gradients, kept.optimizer, kept.step_gradients) == (weights, gradients, optimizer, step_gradients)


def test_what_is_offloaded_moves_to_the_host() -> None:
    second = states(trained_whole(1000), Training(), zero(2, offload=True), 4, on_gpu=True, short=True)
    assert (second.weights, second.gradients, second.optimizer, second.host) == (2000, 0, 0, 3000 + 1000)
    third = states(trained_whole(1000), Training(), zero(3, offload=True), 4, on_gpu=True, short=True)
    assert (third.weights, third.gradients, third.optimizer, third.host) == (0, 0, 0, 3000 + 1000 + 500)


def test_without_deepspeed_several_processes_hold_all_and_copies_of_gradients() -> None:
    one = states(trained_whole(1000, 4), Training(optim="adamw_torch_fused"), DeepSpeed(), 1, on_gpu=True, short=False)
    assert one == States(4000, 8000, 4000, 4000, 0, 0)
    two = states(trained_whole(1000, 4), Training(optim="adamw_torch_fused"), DeepSpeed(), 2, on_gpu=True, short=False)
    assert two == replace(one, buffers=4000)


def test_fsdp_splits_everything() -> None:
    kept = states(trained_whole(1000, 4), Training(fsdp=True), DeepSpeed(), 4, on_gpu=True, short=False)
    assert (kept.weights, kept.gradients, kept.optimizer) == (1000, 1000, 2000)


@pytest.mark.parametrize(
    ("optim", "size"),
    [("adamw_torch", 8000), ("adamw_bnb_8bit", 2000), ("adamw_8bit", 2000), ("paged_adamw_32bit", 0), ("sgd", 0), ("unheard_of", 8000)],
)
def test_optimizers_differ(optim: str, size: float) -> None:
    assert states(trained_whole(1000, 4), Training(optim=optim), DeepSpeed(), 1, on_gpu=True, short=False).optimizer == size


@pytest.mark.parametrize(
    ("tuning", "dtype", "deepspeed", "on_gpu", "formats"),
    [
        (Tuning(), Dtype.auto, DeepSpeed(), True, Formats("float32", "bfloat16")),
        (Tuning(), Dtype.auto, DeepSpeed(), False, Formats("float32", None)),
        (Tuning(), Dtype.auto, zero(2), True, Formats("bfloat16", None)),
        (Tuning(), Dtype.bfloat16, DeepSpeed(), True, Formats("bfloat16", "bfloat16")),
        (LORA, Dtype.auto, DeepSpeed(), True, Formats("bfloat16", "bfloat16")),
        (LORA, Dtype.auto, DeepSpeed(), False, Formats("float32", None)),
    ],
)
def test_number_formats_are_those_of_the_training(
    monkeypatch: pytest.MonkeyPatch, tuning: Tuning, dtype: Dtype, deepspeed: DeepSpeed, on_gpu: bool, formats: Formats
) -> None:
    model = Model(name_or_path="m", dtype=dtype)
    assert Formats.planned(model, tuning, Training(), deepspeed, on_gpu) == formats
    for asked in ("is_available", "is_bf16_supported"):
        monkeypatch.setattr(torch.cuda, asked, lambda: on_gpu)
    assert str(weight_format(model, tuning, deepspeed)) == f"torch.{formats.weights}"


def moment(gradients: float, accumulates: bool, step_work: float = 0.0) -> Estimate:
    """Ten blocks that keep 100 bytes each, a head that adds 50 and a block that takes 20 in backward."""
    held = Activations(
        saved=Bilinear(0, 100, 0, 0), blocks=Bilinear(10, 100, 0, 0), head=Bilinear(50, 100, 0, 0), backward=Bilinear(20, 100, 0, 0)
    )
    return estimate(trained_whole(10), held, States(40, 80, gradients, gradients, step_work, 0), 7, accumulates, 1, on_gpu=False)


def test_the_estimate_is_of_the_fullest_moment() -> None:
    head = moment(gradients=300, accumulates=True)
    assert (head.peak, head.gradients, head.activations, head.loss, head.temporary) == (40 + 80 + 300 + 1050, 300, 1000, 50, 0)
    # In the only micro-batch of a step gradients come to be when activations go.
    assert moment(gradients=300, accumulates=False).peak == 40 + 80 + 1050
    first_block = moment(gradients=5000, accumulates=False)
    assert (first_block.peak, first_block.gradients, first_block.temporary) == (40 + 80 + 5000 + 120, 5000, 120)
    step = moment(gradients=5000, accumulates=False, step_work=200)
    assert (step.peak, step.activations, step.temporary) == (40 + 80 + 5000 + 200, 0, 200)
