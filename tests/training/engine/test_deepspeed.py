"""DeepSpeed's JSON, and what is refused before it can go wrong."""

import importlib.util

import pytest
from conftest import composed

from radgpt.config import DeepSpeed, OffloadDevice, OffloadOptimizer, OffloadParam, Training, Zero
from radgpt.errors import UserError
from radgpt.training.engine.deepspeed import deepspeed_json, refuse_other_engine, refuse_unusable


def zero(stage: int, **more) -> DeepSpeed:
    return DeepSpeed(enabled=True, zero_optimization=Zero(stage=stage, **more))


def test_off_means_none():
    assert deepspeed_json(DeepSpeed()) is None


def test_batch_sizes_precision_and_clipping_are_the_trainers_and_nulls_are_left_out():
    config = deepspeed_json(zero(2, overlap_comm=True))
    assert config["zero_optimization"] == {"stage": 2, "overlap_comm": True}
    names = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping")
    assert {config[name] for name in names} == {"auto"}
    assert config["bf16"] == config["fp16"] == {"enabled": "auto"}
    # The Trainer's own are used: with DeepSpeed's, its parameter groups would be lost.
    assert "optimizer" not in config and "scheduler" not in config and "checkpoint" not in config


def test_stage_3_gathers_its_weights_to_save_them_and_sizes_its_buckets_by_the_model():
    config = deepspeed_json(zero(3, reduce_bucket_size=1000))["zero_optimization"]
    assert config == {
        "stage": 3,
        "reduce_bucket_size": 1000,
        "stage3_prefetch_bucket_size": "auto",
        "stage3_param_persistence_threshold": "auto",
        "stage3_gather_16bit_weights_on_model_save": True,
    }


def test_only_what_is_offloaded_has_a_section():
    config = deepspeed_json(zero(2, offload_optimizer=OffloadOptimizer(device=OffloadDevice.cpu)))["zero_optimization"]
    assert config["offload_optimizer"]["device"] == "cpu" and "nvme_path" not in config["offload_optimizer"]
    assert "offload_param" not in config


def test_a_converted_checkpoint_is_loaded_as_such():
    assert deepspeed_json(zero(2), universal=True)["checkpoint"] == {"load_universal": True}


@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
@pytest.mark.parametrize("option", ["zero0", "zero1", "zero2", "zero2_offload", "zero3", "zero3_offload", "zero3_nvme"])
def test_deepspeed_knows_every_key_of_every_option(option):
    """DeepSpeed's own model of the section refuses a key that it does not know."""
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    nvme = [f"deepspeed.zero_optimization.{part}.nvme_path=/nvme" for part in ("offload_optimizer", "offload_param")]
    settings = composed(f"deepspeed={option}", *(nvme if option == "zero3_nvme" else [])).deepspeed
    told = deepspeed_json(settings)["zero_optimization"]
    told = {name: 1 if value == "auto" else value for name, value in told.items()}
    assert int(DeepSpeedZeroConfig(**told).stage) == settings.zero_optimization.stage


@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
def test_deepspeed_knows_every_setting_that_can_be_given():
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig
    from deepspeed.runtime.zero.offload_config import DeepSpeedZeroOffloadOptimizerConfig, DeepSpeedZeroOffloadParamConfig

    for ours, theirs in (
        (Zero, DeepSpeedZeroConfig),
        (OffloadOptimizer, DeepSpeedZeroOffloadOptimizerConfig),
        (OffloadParam, DeepSpeedZeroOffloadParamConfig),
    ):
        known = {field.alias or name for name, field in theirs.model_fields.items()}
        assert set(vars(ours())) <= known


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("deepspeed.zero_optimization.overlap_com=true", "overlap_comm"),
        ("deepspeed.zero_optimization.offload_optimizer.devise=cpu", "offload_optimizer.device"),
        ("deepspeed.zero_optimization.stage=4", "stage=4 must be 0, 1, 2 or 3"),
        ("deepspeed.zero_optimization.offload_param.device=cpu", "offload_param.device=cpu needs deepspeed.zero_optimization.stage=3"),
        ("deepspeed.zero_optimization.offload_optimizer.device=nvme", "needs deepspeed.zero_optimization.stage=3"),
    ],
)
def test_a_mistake_in_the_settings_names_the_mend(override, told):
    from radgpt.mistakes import explain

    with pytest.raises(Exception) as caught:
        composed("deepspeed=zero2", override)
    assert told in explain(caught.value)


def test_nvme_needs_a_path():
    with pytest.raises(UserError, match=r"needs deepspeed\.zero_optimization\.offload_param\.nvme_path"):
        Zero(stage=3, offload_param=OffloadParam(device=OffloadDevice.nvme))


def test_missing_deepspeed_names_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'radgpt\[deepspeed\]'"):
        refuse_unusable(zero(2), Training())
    refuse_unusable(DeepSpeed(), Training())


def test_only_adamw_is_offloaded_as_deepspeed_would_put_it_in_place_of_any_other():
    offloaded = zero(2, offload_optimizer=OffloadOptimizer(device=OffloadDevice.cpu))
    refuse_unusable(offloaded, Training(optim="adamw_torch"))
    with pytest.raises(UserError, match=r"training\.optim=lion_32bit cannot be offloaded"):
        refuse_unusable(offloaded, Training(optim="lion_32bit"))


class DeepSpeedEngine:
    """Stands for DeepSpeed's class of that name."""

    def zero_optimization_stage(self) -> int:
        return 2


def test_training_without_the_engine_asked_for_is_an_error():
    refuse_other_engine(DeepSpeedEngine(), zero(2))
    refuse_other_engine(object(), DeepSpeed())
    with pytest.raises(RuntimeError, match="stage=3 was asked for, but a DeepSpeedEngine at stage 2 trains"):
        refuse_other_engine(DeepSpeedEngine(), zero(3))
    with pytest.raises(RuntimeError, match="stage=0 was asked for, but a object at stage None trains"):
        refuse_other_engine(object(), zero(0))
