"""A loss that is no number, or leaps, ends the training at that step and names its examples."""

import math

import pytest
import torch

from radgpt.errors import UserError
from radgpt.training.watching.guard import Guard
from radgpt.training.watching.meter import Meter


class Arguments:
    learning_rate, fp16, device = 0.5, False, torch.device("cpu")

    def __init__(self, warm_up=0):
        self._warm_up = warm_up

    def get_warmup_steps(self, steps):
        return self._warm_up


class State:
    max_steps = 100

    def __init__(self, step=0, log=()):
        self.global_step, self.log_history = step, list(log)


EXAMPLES = {4: [["a/0", "b/0"], ["c/0"]], 12: [["d/0"], []]}


class Watched:
    """A guard, and steps with the losses that it is shown."""

    def __init__(self, max_spike=10.0, warm_up=0, log=()):
        self.meter = Meter(1, lambda: False)
        self.guard = Guard(self.meter, EXAMPLES.__getitem__, max_spike, 1, 0)
        self.arguments = Arguments(warm_up)
        self.guard.on_train_begin(self.arguments, State(log=log), None)

    def step(self, number, loss, micro_losses=(1.0, 1.0), grad_norm=1.0):
        self.meter.loss, self.meter.grad_norm = loss, grad_norm
        self.meter.losses = [torch.tensor(value) for value in micro_losses]
        self.guard.on_step_end(self.arguments, State(number), None)


def test_no_number_names_the_micro_batch_that_gave_it():
    watched = Watched()
    watched.step(3, 2.0)
    message = (
        r"became nan at step 4, with the examples c/0; lower training\.learning_rate=0\.5 "
        r"or look at these examples; checkpoints saved before it are kept"
    )
    with pytest.raises(UserError, match=message):
        watched.step(4, math.nan, micro_losses=(1.0, math.nan))


def test_an_infinite_gradient_names_the_whole_step():
    with pytest.raises(UserError, match="the gradient norm became inf at step 4, with the examples a/0, b/0, c/0;"):
        Watched().step(4, 2.0, grad_norm=math.inf)


def test_float16_leaves_out_steps_with_infinite_gradients_by_itself():
    watched = Watched()
    watched.arguments.fp16 = True
    watched.step(4, 2.0, grad_norm=math.inf)


def test_a_leap_over_the_median_of_the_last_steps():
    watched = Watched()
    for number in range(1, 11):
        watched.step(number, 2.0 if number % 2 else 1.0)
    watched.step(11, 14.9)
    with pytest.raises(UserError, match=r"leapt to 20\.1 at step 12, over training\.max_loss_spike=10 times the usual 2, .* d/0;"):
        watched.step(12, 20.1)


def test_what_is_no_leap():
    few = Watched()
    few.step(1, 1.0)
    few.step(2, 100.0)  # one step has no usual loss
    off = Watched(max_spike=None)
    for number in range(1, 20):
        off.step(number, 1.0)
    off.step(20, 1e9)
    warming = Watched(warm_up=15)
    for number in range(1, 25):
        warming.step(number, 1000.0 if number <= 15 else 1.0)
    learned_by_heart = Watched()
    for number in range(1, 20):
        learned_by_heart.step(number, 1e-4)
    learned_by_heart.step(20, 0.9)


def test_a_resumed_training_knows_the_usual_loss():
    log = [{"loss": 1.0, "step": step} for step in range(1, 12)] + [{"eval_loss": 1.0, "step": 11}]
    with pytest.raises(UserError, match="leapt to 11 at step 12"):
        Watched(log=log).step(12, 11.0)


def test_long_lists_of_examples_are_cut():
    EXAMPLES[5] = [[f"{number}/0" for number in range(25)]]
    with pytest.raises(UserError, match=r"examples 0/0, 1/0, .*, 19/0 and 5 more;"):
        Watched().step(5, math.inf, micro_losses=(math.inf,))
