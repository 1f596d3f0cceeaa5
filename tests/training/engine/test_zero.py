"""Two processes under DDP and every ZeRO stage train as one process does, save whole models, and go on as another number of processes."""

import importlib.util
from dataclasses import replace

import pytest
from pairs_dataset import write_dataset
from small_training import FULL, LORA, TRAINING
from zero_ranks import Case, by_two, train

from radgpt.config import DeepSpeed, OffloadDevice, OffloadOptimizer, OffloadParam, Quantization, Zero

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed"),
]

ONE = replace(
    TRAINING, save_strategy="no", eval_strategy="no", weight_decay=0.1, per_device_train_batch_size=2, gradient_accumulation_steps=4
)
TWO = replace(ONE, gradient_accumulation_steps=2)
"""The same examples in each optimizer step, shared by two."""

PLAIN = replace(LORA, lora_dropout=0.0)
METHODS = {
    "lora": PLAIN,
    "full": FULL,
    "dora": replace(PLAIN, use_dora=True),
    "rslora": replace(PLAIN, use_rslora=True),
    "nf4": replace(PLAIN, quantization=Quantization.nf4),
    "int8": replace(PLAIN, quantization=Quantization.int8),
}


def zero(stage: int, *offloaded: str) -> DeepSpeed:
    # Every tensor is split and each bucket holds a few: the tiny model would stay whole otherwise.
    sizes = {"reduce_bucket_size": 5000, **({"stage3_param_persistence_threshold": 0} if stage == 3 else {})}
    kinds = {"offload_optimizer": OffloadOptimizer, "offload_param": OffloadParam}
    return DeepSpeed(enabled=True, zero_optimization=Zero(stage, **sizes, **{n: kinds[n](device=OffloadDevice.cpu) for n in offloaded}))


ENGINES = {
    "ddp": DeepSpeed(),
    "zero0": zero(0),
    "zero1": zero(1),
    "zero2": zero(2),
    "zero3": zero(3),
    "zero2_offload": zero(2, "offload_optimizer"),
    "zero3_offload": zero(3, "offload_optimizer", "offload_param"),
}


def possible(method: str, engine: str) -> bool:
    """A quantised base cannot be split; offloading is the same for every kind of adapter."""
    if METHODS[method].quantization is not Quantization.none:
        return engine in ("ddp", "zero0", "zero1", "zero2")
    return method in ("lora", "full") or "offload" not in engine


PAIRS = [(method, engine) for method in METHODS for engine in ENGINES if possible(method, engine)]
SHARDED = ("lora", "full", "dora", "rslora")
KILLED = [(method, stage) for method in ("lora", "full") for stage in (1, 2, 3)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "dataset")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def by_one(folder, dataset):
    """The losses of one process, by method."""
    return {name: train(Case(f"{name}-single", tuning, training=ONE), folder, dataset) for name, tuning in METHODS.items()}


@pytest.fixture(scope="module")
def by_pair(folder, dataset):
    """What two processes did, by case."""
    cases = [Case(f"{method}-{engine}", METHODS[method], ENGINES[engine], TWO) for method, engine in PAIRS]
    saving = replace(TWO, save_strategy="steps", save_steps=1)
    cases += [Case(f"{method}-killed{stage}", METHODS[method], zero(stage), saving, dies_at=4) for method, stage in KILLED]
    cases += [Case(f"{method}-fsdp2", METHODS[method], training=replace(TWO, fsdp=True)) for method in SHARDED]
    return by_two(cases, folder, dataset)


@pytest.mark.parametrize(("method", "engine"), PAIRS)
def test_two_processes_train_as_one_does(method, engine, by_one, by_pair):
    alone, _ = by_one[method]
    together, name = by_pair[f"{method}-{engine}"]
    assert name == ("ddp" if engine == "ddp" else f"deepspeed-zero{ENGINES[engine].zero_optimization.stage}")
    assert len(alone) == 6 and together == pytest.approx(alone, abs=1e-3)


@pytest.mark.parametrize("method", SHARDED)
def test_two_processes_sharded_by_fsdp2_train_as_one_does(method, by_one, by_pair):
    alone, _ = by_one[method]
    together, name = by_pair[f"{method}-fsdp2"]
    assert name == "fsdp2" and together == pytest.approx(alone, abs=1e-3)


def test_the_trainings_compared_do_learn(by_one):
    """Else equal losses would say nothing."""
    for losses, _ in by_one.values():
        assert losses[6] < losses[1] - 0.01


@pytest.mark.parametrize(("method", "engine"), [*((m, e) for m, e in PAIRS if "zero3" in e), *((m, "fsdp2") for m in SHARDED)])
def test_what_was_split_is_saved_whole_for_plain_transformers_and_peft(method, engine, folder, by_one, by_pair):
    import torch
    from transformers import AutoModelForCausalLM

    saved = folder / f"{method}-{engine}" / "checkpoint"
    alone = folder / f"{method}-single" / "checkpoint"
    if method == "full":
        mine, its = (AutoModelForCausalLM.from_pretrained(path) for path in (saved, alone))
    else:
        from peft import PeftModel

        mine, its = (PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(path / "base"), path) for path in (saved, alone))
    for name, weight in its.state_dict().items():
        torch.testing.assert_close(mine.state_dict()[name], weight, atol=2e-3, rtol=0, msg=name)


@pytest.mark.parametrize(("method", "stage"), KILLED)
def test_what_two_processes_began_one_finishes_as_if_alone(method, stage, folder, dataset, by_one, by_pair):
    """DeepSpeed's shards are joined, and the examples of each step stay the same."""
    before, engine = by_pair[f"{method}-killed{stage}"]
    assert engine is None and max(before) == 3
    if method == "full":
        refuse_unlike(folder / f"{method}-killed{stage}" / "checkpoints" / "checkpoint-3")
    after, engine = train(
        Case(f"{method}-killed{stage}", METHODS[method], zero(stage), replace(TWO, save_strategy="steps")), folder, dataset
    )
    assert engine == f"deepspeed-zero{stage}" and min(after) == 4
    alone, _ = by_one[method]
    assert before | after == pytest.approx(alone, abs=1e-3)


def refuse_unlike(checkpoint):
    """DeepSpeed's own `zero_to_fp32`, which it leaves in each checkpoint as a script, must give the model saved beside its shards."""
    import torch
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
    from safetensors.torch import load_file

    assert (checkpoint / "zero_to_fp32.py").is_file()
    joined = get_fp32_state_dict_from_zero_checkpoint(str(checkpoint))
    for name, weight in load_file(checkpoint / "model.safetensors").items():
        torch.testing.assert_close(joined[name].detach(), weight, msg=name)


def test_what_one_process_began_two_finish(folder, dataset, by_one, by_pair):
    saving = replace(ONE, save_strategy="steps", save_steps=1)
    cases = [Case(f"grown{stage}", FULL, zero(stage), saving, dies_at=4) for stage in (2, 3)]
    before = {case.name: train(case, folder, dataset)[0] for case in cases}
    after = by_two([replace(case, dies_at=None) for case in cases], folder, dataset)
    alone, _ = by_one["full"]
    for case in cases:
        assert before[case.name] | after[case.name][0] == pytest.approx(alone, abs=1e-3)
