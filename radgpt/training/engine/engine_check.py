"""Check, once the Trainer has wrapped the model, that the engine is the one that was asked for."""

from pathlib import Path
from typing import Any

from radgpt.config import DeepSpeed
from radgpt.training.engine.deepspeed import refuse_other_engine
from radgpt.training.engine.fsdp import refuse_other_wrapping
from radgpt.training.engine.world_size import mend_loaded


class EngineCheck:
    """Stops a training that was to run under DeepSpeed and does not, and mends what DeepSpeed loads from other processes."""

    def __init__(self, deepspeed: DeepSpeed, converted: Path | None) -> None:
        """`converted`: the checkpoint gone on from, where other processes saved it and DeepSpeed loads it converted."""
        self._deepspeed = deepspeed
        self._converted = converted
        self.trainer: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """The model has been wrapped by now."""
        refuse_other_engine(self.trainer.model_wrapped, self._deepspeed)
        refuse_other_wrapping(self.trainer.model_wrapped, bool(args.fsdp))
        if self._converted is not None:
            mend_loaded(self.trainer.model_wrapped, self._converted)
