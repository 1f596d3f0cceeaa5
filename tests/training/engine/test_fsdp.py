"""FSDP2's arguments, and what is refused since it would be ignored; tests/training/test_zero.py trains with it."""

import pytest

from radgpt.config import DeepSpeed, Training
from radgpt.errors import UserError
from radgpt.training.engine.fsdp import fsdp_arguments, refuse_other_wrapping, refuse_unsharded


def test_without_it_the_trainer_recomputes_activations_itself():
    assert fsdp_arguments(Training(gradient_checkpointing=True)) == {
        "activation_checkpointing": True,
        "activation_checkpointing_kwargs": {"use_reentrant": False},
    }
    assert fsdp_arguments(Training(gradient_checkpointing=False))["activation_checkpointing"] is False


def test_version_2_shards_every_block_and_saves_whole_tensors():
    told = fsdp_arguments(Training(fsdp=True, gradient_checkpointing=True))
    assert told["fsdp"] is True and "activation_checkpointing" not in told
    assert told["fsdp_config"]["version"] == 2 and told["fsdp_config"]["state_dict_type"] == "FULL_STATE_DICT"
    assert told["fsdp_config"]["auto_wrap_policy"] == "TRANSFORMER_BASED_WRAP" and told["fsdp_config"]["activation_checkpointing"]


@pytest.mark.parametrize(
    ("gpus", "deepspeed", "processes", "told"),
    [
        (True, True, 2, "both shard the model"),
        (False, False, 2, "shards over GPUs only"),
        (True, False, 1, "add launch=torchrun"),
    ],
)
def test_where_it_would_be_ignored_it_is_refused(gpus, deepspeed, processes, told, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus)
    refuse_unsharded(Training(), DeepSpeed(enabled=deepspeed), processes)
    with pytest.raises(UserError, match=told):
        refuse_unsharded(Training(fsdp=True), DeepSpeed(enabled=deepspeed), processes)


def test_a_model_that_is_not_sharded_is_an_error():
    refuse_other_wrapping(object(), asked=False)
    with pytest.raises(RuntimeError, match="a object trains"):
        refuse_other_wrapping(object(), asked=True)
