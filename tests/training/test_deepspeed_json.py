"""DeepSpeed's JSON, and what is refused before it can go wrong."""

import importlib.util

import pytest

from radgpt.config import DeepSpeed
from radgpt.errors import UserError
from radgpt.training.deepspeed import deepspeed_json, refuse_other_engine, refuse_unusable


def zero(stage: int, **more) -> DeepSpeed:
    return DeepSpeed(enabled=True, zero_optimization={"stage": stage, **more})


def test_off_means_none():
    assert deepspeed_json(DeepSpeed()) is None


def test_batch_sizes_and_precision_are_the_trainers():
    config = deepspeed_json(zero(2, overlap_comm=True))
    assert config["zero_optimization"] == {"stage": 2, "overlap_comm": True}
    names = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping")
    assert {config[name] for name in names} == {"auto"}
    assert config["bf16"] == config["fp16"] == {"enabled": "auto"}
    assert "optimizer" not in config


def test_stage_3_gathers_its_weights_to_save_them():
    assert deepspeed_json(zero(3))["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] is True
    with pytest.raises(UserError, match="stage3_gather_16bit_weights_on_model_save=false"):
        refuse_unusable(zero(3, stage3_gather_16bit_weights_on_model_save=False), 1)


def test_an_offloaded_optimizer_is_deepspeeds_own():
    assert deepspeed_json(zero(3, offload_optimizer={"device": "cpu"}))["optimizer"]["type"] == "AdamW"


def test_missing_deepspeed_names_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'radgpt\[deepspeed\]'"):
        refuse_unusable(zero(2), 1)
    refuse_unusable(DeepSpeed(), 1)


def test_several_processes_on_cpus_are_refused(monkeypatch):
    import torch

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="deepspeed=none or launch=single"):
        refuse_unusable(zero(2), 2)


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
