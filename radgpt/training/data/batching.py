"""Plan which examples share a micro-batch, and an optimizer step, on every rank."""

import heapq
from collections.abc import Iterator, Sequence

import numpy as np

from radgpt.config import Batching, Training
from radgpt.training.data.packing import best_fit_decreasing
from radgpt.training.data.prefixes import join_neighbours

FLAT = (Batching.padding_free, Batching.packed)
"""Modes that lay a micro-batch's examples end to end in one row, without padding."""


class MicroBatches:
    """The micro-batches of one rank: what `DataLoader(batch_sampler=...)` takes, but for an epoch that is set from outside.

    An optimizer step takes `per_device_train_batch_size` x `gradient_accumulation_steps` x `world_size` units, which are examples,
    or with `batching: packed` rows of examples. They come in the order that transformers' Trainer draws by default on one process
    with the same seed, so that a step holds the same examples as there. How they are dealt to micro-batches and ranks is the mode's
    matter and changes no gradient, as the loss is a mean over the tokens of the whole step.

    All ranks have equally many micro-batches, and together they hold each example once an epoch. The last step of an epoch may lack
    examples for some rank: its micro-batch is then the empty list, which collates to one token that nothing learns.
    """

    def __init__(
        self,
        lengths: "Sequence[int] | np.ndarray",
        training: Training,
        world_size: int,
        rank: int,
        seed: int,
        shared: "np.ndarray | None" = None,
    ) -> None:
        """Plan for examples of these lengths in tokens; `seed` is the Trainer's `data_seed`.

        `shared`, for `training.share_prefixes`: how many tokens each takes from the example before it if both are in one packed row.
        """
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self._mode = training.batching
        self._micro_batch = training.per_device_train_batch_size
        self._accumulation = training.gradient_accumulation_steps
        self._world_size = world_size
        self._rank = rank
        self._seed = seed
        self._epoch = 0
        self._bins = None
        if self._mode is Batching.packed:
            taken = np.zeros_like(self._lengths) if shared is None else shared
            groups, sizes = join_neighbours(self._lengths, taken, training.model_max_length)
            filled = best_fit_decreasing(sizes, training.model_max_length)
            self._bins = [[row for group in members for row in groups[group]] for members in filled]

    def set_epoch(self, epoch: int) -> None:
        """Which epoch `__iter__` gives, from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Micro-batches that this rank takes in an epoch."""
        return -(-self._units // (self._micro_batch * self._world_size))

    def __iter__(self) -> Iterator[list[int]]:
        """The rows of each micro-batch of this rank; `gradient_accumulation_steps` in turn make an optimizer step."""
        for step in self.steps():
            yield from step[self._rank :: self._world_size]

    def steps(self) -> Iterator[list[list[int]]]:
        """The micro-batches of all ranks, for each optimizer step: that of rank r in slot s is number s x world_size + r."""
        order = drawn(self._units, self._seed, self._epoch)
        slot = self._micro_batch * self._world_size
        for start in range(0, len(order), slot * self._accumulation):
            units = order[start : start + slot * self._accumulation]
            yield self._dealt(units, -(-len(units) // slot) * self._world_size)

    @property
    def _units(self) -> int:
        return len(self._lengths) if self._bins is None else len(self._bins)

    def _dealt(self, units: np.ndarray, groups: int) -> list[list[int]]:
        if self._bins is not None:
            return [[row for unit in part.tolist() for row in self._bins[unit]] for part in np.array_split(units, groups)]
        if self._mode is Batching.padding_free:
            return balanced(units, self._lengths[units], groups)
        if self._mode is Batching.grouped:
            units = units[np.argsort(-self._lengths[units], kind="stable")]
        return [part.tolist() for part in np.array_split(units, groups)]


def drawn(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order of an epoch, as accelerate's SeedableRandomSampler draws it for transformers' Trainer."""
    import torch

    return torch.randperm(count, generator=torch.Generator().manual_seed(seed + epoch)).numpy()


def balanced(rows: np.ndarray, lengths: np.ndarray, groups: int) -> list[list[int]]:
    """Split rows into groups of nearly equal tokens, most tokens first.

    Longest first, each into the group with the fewest tokens: the fullest group exceeds the best split's by at most a third
    (Graham, SIAM J. Appl. Math. 17:416, 1969). Neighbours in the list, which ranks take at the same time, differ least.
    """
    filling: list[tuple[int, int]] = [(0, group) for group in range(groups)]
    members: list[list[int]] = [[] for _ in range(groups)]
    order = np.argsort(-lengths, kind="stable")
    for row, length in zip(rows[order].tolist(), lengths[order].tolist(), strict=True):
        tokens, group = filling[0]
        members[group].append(row)
        heapq.heapreplace(filling, (tokens + length, group))
    return [members[group] for _, group in sorted(filling, key=lambda entry: (-entry[0], entry[1]))]


def evaluation_batches(lengths: "Sequence[int] | np.ndarray", training: Training, world_size: int, rank: int) -> list[list[int]]:
    """Batches of `per_device_eval_batch_size` examples that together hold each once, longest first.

    Neighbours are of similar length: little padding, and ranks take equally long. All ranks have equally many batches; a rank
    that runs out of examples ends with an empty one.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    size = training.per_device_eval_batch_size * world_size
    return [order[start + rank : start + size : world_size].tolist() for start in range(0, len(order), size)]


def pad_waste(lengths: "Sequence[int] | np.ndarray", training: Training, world_size: int, seed: int) -> float:
    """The share of token slots that hold padding in the first epoch, over all ranks."""
    sizes = np.asarray(lengths, dtype=np.int64)
    if training.batching in FLAT:
        return 0.0
    slots = sum(
        len(batch) * int(sizes[batch].max())
        for step in MicroBatches(sizes, training, world_size, 0, seed).steps()
        for batch in step
        if batch
    )
    return 1.0 - int(sizes.sum()) / slots
