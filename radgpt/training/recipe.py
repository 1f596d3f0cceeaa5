"""The settings of one training, which all of its steps share."""

from dataclasses import dataclass

from radgpt.config import DeepSpeed, Model, Preflight, Training, Tuning


@dataclass(frozen=True)
class Recipe:
    """Sections of the config, as a stage that trains is given them."""

    model: Model
    tuning: Tuning
    training: Training
    """`training`, or `pretraining` under the same names; where a training goes on with other processes, with batch sizes to match."""
    deepspeed: DeepSpeed
    preflight: Preflight
    seed: int
