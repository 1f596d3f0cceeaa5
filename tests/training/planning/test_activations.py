"""What a step holds, found without data, is what a real step takes."""

from dataclasses import replace

import pytest
import torch
from transformers import FalconConfig, LlamaConfig, LlamaForCausalLM

from radgpt.config import DeepSpeed, Method, Model, Quantization, Training, Tuning
from radgpt.training.data.collation import collator
from radgpt.training.loop.loss import summed_loss
from radgpt.training.planning.activations import Bilinear, Step, by_formula, trace
from radgpt.training.planning.memory import estimate, shape_of, states
from radgpt.training.tuning.adapters import prepare_for_tuning
from radgpt.training.tuning.attention import use_segment_attention

CONFIG = LlamaConfig(
    vocab_size=512, hidden_size=64, intermediate_size=160, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2
)
FULL = Tuning()
LORA = Tuning(method=Method.lora, r=4, lora_alpha=8, lora_dropout=0.1, target_modules=["all-linear"])
KEPT = Training(gradient_checkpointing=False, gradient_accumulation_steps=2)
RECOMPUTED = replace(KEPT, gradient_checkpointing=True)
ROWS = [{"input_ids": list(range(length)), "mask": [0] * (length // 2) + [1] * (length - length // 2)} for length in (128, 256, 384)]


def test_a_bilinear_is_the_one_through_its_points() -> None:
    points = {(blocks, tokens): 3 + 5 * blocks + 7 * tokens + 11 * blocks * tokens for blocks in (1, 2) for tokens in (1024, 2048)}
    assert Bilinear.through(points) == Bilinear(3, 5, 7, 11)
    assert Bilinear(3, 5, 7, 11).at(10, 100) == 3 + 50 + 700 + 11_000


def peak_of_a_step(tuning: Tuning, training: Training) -> int:
    """Bytes, as PyTorch's allocator reports them while two micro-batches are accumulated, weights and gradients included."""
    from torch.profiler import ProfilerActivity, profile

    torch.manual_seed(0)
    network = LlamaForCausalLM(CONFIG)
    use_segment_attention(network, training, Model(name_or_path="m"))
    tuned = prepare_for_tuning(network, tuning, training)
    if training.gradient_checkpointing:
        network.activation_checkpointing_enable({"use_reentrant": False})
    tuned.train()
    batch = collator(training, 0)(ROWS)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        for _ in range(2):
            summed_loss(tuned, batch, True)[0].backward()
    events = [event for event in recorded.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = peak = sum(weight.numel() * weight.element_size() for weight in tuned.parameters())
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


@pytest.mark.slow
@pytest.mark.parametrize("training", [KEPT, RECOMPUTED], ids=["kept", "recomputed"])
@pytest.mark.parametrize("tuning", [FULL, LORA, replace(LORA, use_dora=True)], ids=["full", "lora", "dora"])
def test_the_estimate_is_what_a_step_takes(tuning: Tuning, training: Training) -> None:
    def prepare(network: object) -> object:
        return prepare_for_tuning(network, tuning, training)  # type: ignore[arg-type]

    held = trace(CONFIG, Step(tuning, training, "float32", None, learned_share=0.5), prepare)
    shape = shape_of(CONFIG, tuning, "float32", prepare)
    # Without the optimizer, whose states and step are not part of what is measured.
    kept = replace(states(shape, training, DeepSpeed(), 1, False, False), optimizer=0, step_work=0)
    expected = estimate(shape, held, kept, 768, True, 1, on_gpu=False).peak
    assert peak_of_a_step(tuning, training) == pytest.approx(expected, rel=0.06)


def saved(tuning: Tuning, training: Training, weights: str = "bfloat16", autocast: str | None = "bfloat16") -> float:
    """Bytes that a block keeps of a token, in vectors of the hidden size in 16 bits."""
    plain = replace(tuning, quantization=Quantization.none)
    step = Step(tuning, training, weights, autocast, learned_share=0.5)
    return trace(CONFIG, step, lambda network: prepare_for_tuning(network, plain, training)).saved.per_block_and_token / 64 / 2


def test_recomputation_keeps_the_input_of_each_block_alone() -> None:
    assert saved(FULL, RECOMPUTED) == saved(LORA, RECOMPUTED) == 1
    assert saved(FULL, KEPT) > 15


def test_llm_int8_keeps_inputs_in_spite_of_recomputation_and_nf4_does_not() -> None:
    assert saved(replace(LORA, quantization=Quantization.nf4), RECOMPUTED) == 1
    # Those of queries, keys and values are one and the same, as are those of gate and up; output and down have their own.
    assert saved(replace(LORA, quantization=Quantization.int8), RECOMPUTED) == pytest.approx(1 + 1 + 1 + 1 + 160 / 64)


def test_dropout_on_adapters_costs_memory() -> None:
    assert saved(LORA, KEPT) > 1.2 * saved(replace(LORA, lora_dropout=0.0), KEPT)


def test_a_model_that_cannot_be_traced_goes_by_formula() -> None:
    config = FalconConfig(vocab_size=512, hidden_size=64, num_hidden_layers=2, num_attention_heads=4)
    step = Step(FULL, KEPT, "float32", None, 0.5)
    with pytest.raises(KeyError):
        trace(config, step, lambda network: network)
    # 12 vectors of the hidden size and 4 of the feed-forward's four times that, in float32.
    assert by_formula(config, step).saved == Bilinear(0, 0, 0, 4 * (12 * 64 + 4 * 256))


def test_the_formula_is_near_the_trace() -> None:
    step = Step(FULL, KEPT, "float32", None, 0.5)
    traced = trace(CONFIG, step, lambda network: network).saved.at(4, 768)
    assert by_formula(CONFIG, step).saved.at(4, 768) == pytest.approx(traced, rel=0.25)
