"""Show on a terminal how far a training is, how long it will take, its loss and its speed."""

import sys
from typing import Any

from tqdm import tqdm

from radgpt.training.watching.meter import Meter


class Progress:
    """A bar over optimizer steps, on rank 0."""

    def __init__(self, stage: str, meter: Meter, shown: bool) -> None:
        self._stage = stage
        self._meter = meter
        self._shown = shown
        self._bar: tqdm[Any] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Open the bar where a resumed training stands."""
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=self._stage,
            unit=" steps",
            disable=None if self._shown else True,
            file=sys.stderr,
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Show the step's loss, and the speed of all steps so far."""
        if self._bar is not None:
            self._bar.set_postfix_str(
                f"loss {self._meter.loss:.4f}, {self._meter.tokens / self._meter.seconds:,.0f} tokens/s", refresh=False
            )
            self._bar.update()

    def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Leave the bar as it stands; a training that fails calls it too."""
        if self._bar is not None:
            self._bar.close()
