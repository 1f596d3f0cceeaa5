"""What the lines say, by numbers that can be worked out by hand."""

from dataclasses import replace

import numpy as np
from transformers import LlamaConfig

from radgpt.config import DeepSpeed, Model, Training, Tuning
from radgpt.training.planning.plans import Examples, Plan
from radgpt.training.planning.report import counted, operations, shown, steps_of, time_line

SMALL = LlamaConfig(
    vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, tie_word_embeddings=True
)
LENGTHS = np.arange(10, 101, 10)
EXAMPLES = Examples(tokens=LENGTHS, learned=LENGTHS // 2, first=LENGTHS // 2, last=LENGTHS - 1)


def plan(**training: float) -> Plan:
    settings = Training(**{"gradient_checkpointing": False, "num_train_epochs": 1, "gradient_accumulation_steps": 1} | training)
    return Plan(SMALL, Model(name_or_path="llama"), Tuning(), settings, DeepSpeed(), 1, True, 0, EXAMPLES)


def test_the_time_is_operations_over_the_speed_that_is_assumed() -> None:
    known = plan()
    # 6 for each weight (the embedding is the head as well), and 12 x layers x width x 70, the mean length that a token meets.
    expected = 6 * 24_736 + 12 * 2 * 32 * 70
    assert operations(known) == expected
    slow = 550 * expected / 0.4 / (2 * 3600) / 1e12
    assert time_line(known, slow) == "time         about 2.0 hours, if 40% of the data sheet's 0 TFLOP/s are reached (assumed)"
    again = replace(known, training=replace(known.training, gradient_checkpointing=True))
    assert "about 2.7 hours" in time_line(again, slow)


def test_steps_are_those_of_an_epoch_and_of_all() -> None:
    assert steps_of(plan(per_device_train_batch_size=2, gradient_accumulation_steps=2, num_train_epochs=2)) == (3, 6)
    assert steps_of(plan(per_device_train_batch_size=2, max_steps=4)) == (5, 4)


def test_numbers_are_shown_in_their_own_size() -> None:
    assert [counted(number) for number in (24_736, 8_030_261_248)] == ["0.02 million", "8.03 billion"]
    assert [shown(size) for size in (2**19, 2**30, 79.1 * 2**30)] == ["0.5 MiB", "1.00 GiB", "79.1 GiB"]
