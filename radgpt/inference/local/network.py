"""A causal language model in memory, read and continued step by step, with the adapters that stand on it."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.inference.local.turns import Turns

if TYPE_CHECKING:
    import torch

    from radgpt.inference.local.slot_cache import SlotCache

SHARED_LAYERS = ("num_kv_shared_layers", "kv_sharing_modes", "attention_chunk_size")
"""Settings of configs whose layers read each other's keys and values, or attend within fixed chunks of columns."""


class Network:
    """One model's weights, which several conversations and several models (adapters) may share."""

    def __init__(self, model: Any) -> None:
        """`model` is a causal language model of transformers, or one of peft's with a LoRA adapter around it, which then is in use."""
        self.turns = Turns()
        """Whoever computes holds it, for one step: another's adapter may be in use before the next one."""
        self._adapted: Any = model if hasattr(model, "peft_config") else None
        self._core: Any = model.get_base_model() if self._adapted else model
        self._in_use: str | None = self._adapted.active_adapter if self._adapted else None

    @property
    def core(self) -> Any:
        """The model itself; adapters stand inside its layers."""
        return self._core

    @property
    def in_use(self) -> str | None:
        """The adapter that computes now; None for the base alone."""
        return self._in_use

    @property
    def device(self) -> "torch.device":
        """Where ids go in."""
        return self._core.device

    @property
    def window(self) -> int | None:
        """Tokens that the model's positions reach, prompt and answer together; None where its config sets no end."""
        return getattr(self._core.config.get_text_config(), "max_position_embeddings", None)

    @property
    def vocabulary(self) -> int:
        """Scores that the model gives for each position."""
        return int(self._core.get_output_embeddings().weight.shape[0])

    @cached_property
    def steps(self) -> bool:
        """Whether the model can be read and continued by `read`; others (Mamba, ALiBi) answer by transformers' `generate`."""
        from radgpt.inference.local.slot_cache import takes_slots

        config = self._core.config.get_text_config(decoder=True)
        known = {"attention_mask", "position_ids", self._cache_argument} <= self._arguments
        return known and not any(getattr(config, name, None) for name in SHARED_LAYERS) and takes_slots(config)

    @cached_property
    def attends_fully(self) -> bool:
        """Whether no layer has a sliding window, so that masked columns may stand between a row's tokens."""
        from radgpt.inference.local.slot_cache import attends_fully

        return attends_fully(self._core.config)

    @cached_property
    def _arguments(self) -> set[str]:
        return set(inspect.signature(type(self._core).forward).parameters)

    @property
    def _cache_argument(self) -> str:
        """transformers 5.24 calls it `cache`."""
        return "cache" if "cache" in self._arguments else "past_key_values"

    def new_cache(self, slots: int, rows: int = 0, capacity: int | None = None) -> "SlotCache":
        """An empty cache of this model."""
        from radgpt.inference.local.slot_cache import SPARE_COLUMNS, SlotCache

        return SlotCache(self._core.config, slots, rows, SPARE_COLUMNS if capacity is None else capacity)

    def add_adapter(self, folder: Path, name: str) -> None:
        """Load a LoRA adapter beside those that are there."""
        from peft import PeftModel

        with self.turns:
            if self._adapted is None:
                self._adapted = PeftModel.from_pretrained(self._core, str(folder), adapter_name=name)
            else:
                self._adapted.load_adapter(str(folder), adapter_name=name, torch_device=str(self.device))
            self._adapted.eval()
            self._adapted.set_adapter(name, inference_mode=True)
            self._adapted.base_model.enable_adapter_layers()
            self._in_use = name

    @contextmanager
    def turn(self, adapter: str | None) -> Iterator[None]:
        """Compute with an adapter, or the base alone (None), while others wait.

        Blocks must be short (one step), and must not yield to a caller: gradients are off in them.
        """
        import torch

        with self.turns, torch.inference_mode():
            if adapter != self._in_use:
                layers = self._adapted.base_model
                if adapter is None:
                    layers.disable_adapter_layers()
                else:
                    layers.enable_adapter_layers()
                    self._adapted.set_adapter(adapter, inference_mode=True)
                self._in_use = adapter
            yield

    def read(
        self,
        cache: "SlotCache",
        ids: Sequence[Sequence[int]],
        positions: Sequence[Sequence[int]],
        mask: "torch.Tensor | None" = None,
        keep: int = 1,
    ) -> "torch.Tensor":
        """Read the next tokens of all rows of a cache, which then holds them too. Only within `turn`.

        Args:
            ids: (rows, new columns).
            positions: of the same shape, each token's place in its row, from 0.
            mask: (rows, columns in use and new ones), true where a row has a token; None: everywhere.
            keep: of how many of the last columns scores are wanted.

        Returns:
            Scores in float32, (rows, keep, vocabulary).
        """
        import torch

        new = len(ids[0])
        cache.reserve(new)
        settings: dict[str, Any] = {self._cache_argument: cache, "use_cache": True}
        if "logits_to_keep" in self._arguments:
            settings["logits_to_keep"] = keep
        output = self._core(
            input_ids=torch.tensor(ids, device=self.device),
            position_ids=torch.tensor(positions, device=self.device),
            attention_mask=mask,
            **settings,
        )
        cache.advance(new)
        return output.logits[:, -keep:].float()
