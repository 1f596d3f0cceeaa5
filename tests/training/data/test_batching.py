"""Which examples share a micro-batch and an optimizer step, on every rank."""

import numpy as np
import pytest
import torch

from radgpt.config import Batching, Training
from radgpt.training.data.batching import MicroBatches, evaluation_batches, pad_waste
from radgpt.training.data.collation import collator

LENGTHS = [int(length) for length in np.random.default_rng(0).integers(5, 60, 61)]
SAME_STEPS = [Batching.padded, Batching.grouped, Batching.padding_free]


def settings(batching, batch=2, accumulation=3, max_length=64):
    return Training(
        batching=batching, per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation, model_max_length=max_length
    )


def every_mode():
    return pytest.mark.parametrize("batching", list(Batching), ids=lambda mode: mode.value)


@every_mode()
@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("examples", [1, 4, 24, 61])
def test_each_example_is_trained_on_once_an_epoch(batching, ranks, examples):
    plans = [MicroBatches(LENGTHS[:examples], settings(batching), ranks, rank, seed=3) for rank in range(ranks)]
    for epoch in (0, 1):
        taken = []
        for plan in plans:
            plan.set_epoch(epoch)
            taken.append(list(plan))
        assert sorted(row for batches in taken for batch in batches for row in batch) == list(range(examples))
        # Ranks that step together take equally many.
        assert {len(batches) for batches in taken} == {len(plans[0])}


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("batching", SAME_STEPS, ids=lambda mode: mode.value)
def test_a_step_holds_the_examples_drawn_for_it(batching, ranks):
    order = torch.randperm(61, generator=torch.Generator().manual_seed(3)).tolist()
    size = 2 * 3 * ranks
    steps = list(MicroBatches(LENGTHS, settings(batching), ranks, 0, seed=3).steps())
    found = [{row for batch in step for row in batch} for step in steps]
    assert found == [set(order[start : start + size]) for start in range(0, 61, size)]
    assert {len(step) for step in steps[:-1]} == {3 * ranks}


@pytest.mark.slow
def test_padded_batches_are_those_of_the_trainer_at_the_same_seed(tmp_path):
    from transformers import Trainer, TrainingArguments

    taken = []

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, rows):
            taken.append(rows.tolist())
            return {"loss": self.weight * 0}

    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=2,
        gradient_accumulation_steps=3,
        num_train_epochs=2,
        seed=9,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        logging_strategy="no",
    )
    Trainer(
        model=Model(),
        args=arguments,
        train_dataset=[{"rows": row} for row in range(13)],
        data_collator=lambda rows: {"rows": torch.tensor([row["rows"] for row in rows])},
    ).train()

    plan = MicroBatches(LENGTHS[:13], settings(Batching.padded), 1, 0, seed=9)
    ours = []
    for epoch in (0, 1):
        plan.set_epoch(epoch)
        ours += list(plan)
    assert ours == taken


def test_padded_ranks_take_batches_in_turn():
    plans = [list(MicroBatches(LENGTHS[:24], settings(Batching.padded), 2, rank, seed=3)) for rank in (0, 1)]
    order = torch.randperm(24, generator=torch.Generator().manual_seed(3)).tolist()
    assert plans[0][:2] == [order[0:2], order[4:6]]
    assert plans[1][:2] == [order[2:4], order[6:8]]


def test_grouped_batches_hold_examples_of_similar_length():
    lengths = [1, 9, 2, 8, 3, 7]
    (step,) = MicroBatches(lengths, settings(Batching.grouped), 1, 0, seed=0).steps()
    assert [[lengths[row] for row in batch] for batch in step] == [[9, 8], [7, 3], [2, 1]]


def test_padding_free_batches_are_balanced_by_tokens():
    lengths = [8, 7, 6, 5, 4]
    (step,) = MicroBatches(lengths, settings(Batching.padding_free, batch=3, accumulation=2), 1, 0, seed=0).steps()
    # Longest first, each where there is least: 8 | 7, 8 | 7+6, 8+5 | 7+6, and 4 to the first of two equal ones.
    assert sorted(sorted(lengths[row] for row in batch) for batch in step) == [[4, 5, 8], [6, 7]]


def test_padding_free_ranks_have_nearly_equal_work():
    lengths = [int(length) for length in np.random.default_rng(1).integers(50, 500, 256)]
    steps = list(MicroBatches(lengths, settings(Batching.padding_free, batch=8, accumulation=2), 4, 0, seed=0).steps())
    for step in steps:
        tokens = [sum(lengths[row] for row in batch) for batch in step]
        for slot in (tokens[:4], tokens[4:]):
            assert max(slot) <= 1.02 * min(slot)


def test_packed_rows_stay_the_same_and_come_in_another_order():
    plan = MicroBatches(LENGTHS, settings(Batching.packed, batch=1, accumulation=1), 1, 0, seed=3)
    first = list(plan)
    plan.set_epoch(1)
    second = list(plan)
    assert sorted(first) == sorted(second) and first != second
    assert max(sum(LENGTHS[row] for row in batch) for batch in first) <= 64


def test_packed_batches_hold_so_many_rows():
    one = list(MicroBatches(LENGTHS, settings(Batching.packed, batch=1, accumulation=4), 1, 0, seed=3))
    two = list(MicroBatches(LENGTHS, settings(Batching.packed, batch=2, accumulation=2), 1, 0, seed=3))
    assert two[0] == one[0] + one[1] and two[1] == one[2] + one[3]


@every_mode()
def test_the_order_follows_from_seed_and_epoch_alone(batching):
    def order(seed, epoch):
        plan = MicroBatches(LENGTHS, settings(batching), 1, 0, seed)
        plan.set_epoch(epoch)
        torch.rand(3)
        return list(plan)

    assert order(3, 1) == order(3, 1)
    assert order(3, 1) != order(3, 0)
    assert order(3, 0) != order(5, 0)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_each_example_is_evaluated_once_longest_first(ranks):
    parts = [evaluation_batches(LENGTHS, Training(per_device_eval_batch_size=4), ranks, rank) for rank in range(ranks)]
    assert sorted(row for batches in parts for batch in batches for row in batch) == list(range(61))
    assert len({len(batches) for batches in parts}) == 1
    assert max(len(batch) for batches in parts for batch in batches) == 4
    longest = [max((LENGTHS[row] for row in batch), default=0) for batch in parts[0]]
    assert longest == sorted(longest, reverse=True)


def test_pad_waste_counts_slots():
    lengths = [1, 9, 2, 8]
    assert torch.randperm(4, generator=torch.Generator().manual_seed(0)).tolist() == [0, 1, 3, 2]
    # [1, 9] take 18 slots and [8, 2] take 16, for 20 tokens; grouped, [9, 8] take 18 and [2, 1] take 4.
    assert pad_waste(lengths, settings(Batching.padded, accumulation=2), 1, 0) == pytest.approx(1 - 20 / 34)
    assert pad_waste(lengths, settings(Batching.padding_free, accumulation=2), 1, 0) == 0
    assert pad_waste(lengths, settings(Batching.packed, accumulation=2), 1, 0) == 0
    assert pad_waste(lengths, settings(Batching.grouped, accumulation=2), 1, 0) == pytest.approx(1 - 20 / 22)


@every_mode()
@pytest.mark.parametrize("workers", [0, 1])
def test_a_data_loader_takes_the_plan_with_its_empty_batches(batching, workers):
    import datasets

    rows = datasets.Dataset.from_list([{"input_ids": list(range(5, 45)), "mask": [1] * 40} for _ in range(4)])
    training = settings(batching, batch=1, accumulation=1)
    plan = MicroBatches([40] * 4, training, 3, 2, seed=0)
    batches = list(torch.utils.data.DataLoader(rows, batch_sampler=plan, collate_fn=collator(training, 0), num_workers=workers))
    assert len(batches) == len(plan)
    assert batches[-1]["input_ids"].tolist() == [[0]] and batches[-1]["labels"].tolist() == [[-100]]
