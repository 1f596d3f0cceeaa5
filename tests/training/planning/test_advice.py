"""What is said of settings that are seldom meant."""

from dataclasses import replace
from typing import Any

from transformers import LlamaConfig

from radgpt.config import DeepSpeed, Dtype, Method, Model, ModelSource, Pretraining, Training, Tuning
from radgpt.training.planning.advice import advice
from radgpt.training.planning.plans import Plan

SEVEN = LlamaConfig(vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32)
SMALL = LlamaConfig(vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
MODEL = Model(source=ModelSource.hub, name_or_path="llama")
LORA = Tuning(method=Method.lora, r=8, lora_alpha=32, lora_dropout=0.0)


def plan(config: LlamaConfig = SEVEN, tuning: Tuning = LORA, **training: Any) -> Plan:
    return Plan(config, MODEL, tuning, Training(**training), DeepSpeed(), 1, True, 0, None)


def test_what_is_seldom_meant_is_said() -> None:
    full, small = plan(tuning=Tuning(), learning_rate=2e-4), plan(SMALL, Tuning(), learning_rate=2e-4)
    assert advice(full) == [
        "careful      training.learning_rate=0.0002 is high for tuning=full: 1e-5 to 2e-5 are usual for models of this size"
    ]
    pretraining = replace(plan(), training=Pretraining(learning_rate=2e-5))
    assert advice(pretraining) == [
        "careful      pretraining.learning_rate=2e-05 is low for tuning=lora: 1e-4 to 2e-4 are usual for adapters"
    ]
    short = replace(small, model=replace(MODEL, dtype=Dtype.bfloat16))
    assert [line.split()[1] for line in advice(short)] == ["model.dtype=bfloat16"]
    sharded = replace(short, deepspeed=DeepSpeed(enabled=True))
    for usual in (plan(learning_rate=2e-4), plan(tuning=Tuning(), learning_rate=2e-5), small, sharded):
        assert advice(usual) == []
