"""What a step took, and how fast it was."""

from types import SimpleNamespace

import pytest
import torch

from radgpt.config import Batching, Training
from radgpt.training.data.collation import collator
from radgpt.training.watching.meter import Meter, token_counts
from radgpt.training.watching.speed import Speed

ROWS = [{"input_ids": [5, 6, 7, 8], "mask": [0, 0, 1, 1]}, {"input_ids": [5, 6], "mask": [0, 1]}]


def batch(mode, rows=ROWS):
    return collator(Training(batching=mode), 0)(rows)


def step(meter, losses=(0.5, 1.5)):
    state = SimpleNamespace(num_input_tokens_seen=100)
    meter.begin()
    learned = meter.took([batch(Batching.padded), batch(Batching.padding_free)], torch.device("cpu"))
    meter.losses += [torch.tensor(loss) for loss in losses]
    meter.on_step_end(SimpleNamespace(device=torch.device("cpu")), state, None)
    return learned, state


def test_padding_is_no_token():
    assert token_counts(batch(Batching.padded)) == (6, 8)
    assert token_counts(batch(Batching.padding_free)) == (6, 6)
    # What stands for a rank that has run out of examples.
    assert token_counts(batch(Batching.padded, [])) == token_counts(batch(Batching.padding_free, [])) == (0, 1)


def test_a_step_is_the_sum_of_its_micro_batches():
    meter = Meter(1, lambda: False)
    learned, state = step(meter)
    assert learned == 6
    assert (meter.loss, meter.tokens, meter.slots, meter.stops) == (2.0, 12, 14, False)
    assert state.num_input_tokens_seen == 112
    step(meter, losses=(1.0, 0.0))
    assert (meter.loss, meter.tokens, meter.slots) == (1.0, 24, 28)


def test_a_wish_to_stop_is_seen_at_the_end_of_the_step():
    asked = []
    meter = Meter(1, lambda: bool(asked))
    step(meter)
    assert not meter.stops
    asked.append("SIGTERM")
    step(meter)
    assert meter.stops


def test_speed_is_that_of_the_steps_since_the_last_entry():
    meter = Meter(1, lambda: False)
    speed = Speed(meter, operations_per_token=50.0, operations_per_second=1000.0, world_size=2)
    meter.tokens, meter.slots, meter.seconds = 100, 125, 2.0
    first = speed.since_last(100)
    assert (first["tokens_per_second"], first["pad_waste"], first["tokens_seen"]) == (50.0, pytest.approx(0.2), 100.0)
    # 50 tokens/s x 50 operations, on two GPUs of 1,000 operations/s.
    assert first["mfu"] == pytest.approx(50 * 50 / 2000)
    meter.tokens, meter.slots, meter.seconds = 200, 225, 3.0
    second = speed.since_last(200)
    assert (second["tokens_per_second"], second["pad_waste"]) == (100.0, 0.0)
    assert set(speed.since_last(200)) == {"tokens_seen", "peak_memory_gib"}


def test_without_a_known_gpu_there_is_no_share():
    meter = Meter(1, lambda: False)
    meter.tokens, meter.slots, meter.seconds = 100, 125, 2.0
    assert "mfu" not in Speed(meter, 50.0, None, 1).since_last(100)
