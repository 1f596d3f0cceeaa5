"""The tensors of a micro-batch."""

import numpy as np
import pytest

from radgpt.config import Batching, Training
from radgpt.training.data.collation import Flat, Padded, collator

ROWS = [{"input_ids": [5, 6, 7, 8], "mask": [0, 0, 1, 1]}, {"input_ids": [9, 3, 4], "mask": [0, 1, 0]}]
EOS_PADS = 8


def lists(batch):
    return {name: value if isinstance(value, int) else value.tolist() for name, value in batch.items()}


def test_padded_rows_stand_on_the_left():
    assert lists(Padded(0)(ROWS)) == {
        "input_ids": [[5, 6, 7, 8], [9, 3, 4, 0]],
        "attention_mask": [[1, 1, 1, 1], [1, 1, 1, 0]],
        "labels": [[-100, -100, 7, 8], [-100, 3, -100, -100]],
    }


def test_flat_rows_stand_end_to_end():
    assert lists(Flat(0)(ROWS)) == {
        "input_ids": [[5, 6, 7, 8, 9, 3, 4]],
        "position_ids": [[0, 1, 2, 3, 0, 1, 2]],
        "labels": [[-100, -100, 7, 8, -100, 3, -100]],
        "cu_seq_lens_q": [0, 4, 7],
        "cu_seq_lens_k": [0, 4, 7],
        "max_length_q": 4,
        "max_length_k": 4,
    }


@pytest.mark.parametrize("collate", [Padded(EOS_PADS), Flat(EOS_PADS)], ids=["padded", "flat"])
def test_a_learned_token_that_also_pads_keeps_its_label(collate):
    assert collate(ROWS)["labels"][0, 3] == EOS_PADS


@pytest.mark.parametrize("collate", [Padded(0), Flat(0)], ids=["padded", "flat"])
def test_nothing_predicts_the_first_token_of_an_example(collate):
    learned = [{"input_ids": [5, 6], "mask": [1, 1]}, {"input_ids": [7, 8], "mask": [1, 1]}]
    assert collate(learned)["labels"].flatten().tolist() == [-100, 6, -100, 8]


@pytest.mark.parametrize("collate", [Padded(0), Flat(0)], ids=["padded", "flat"])
def test_arrays_and_lists_give_the_same(collate):
    arrays = [{"input_ids": np.array(row["input_ids"], np.int32), "mask": np.array(row["mask"], np.int8)} for row in ROWS]
    assert lists(collate(arrays)) == lists(collate(ROWS))


def test_no_rows_give_a_token_that_nothing_learns():
    assert lists(Padded(7)([])) == {"input_ids": [[7]], "attention_mask": [[1]], "labels": [[-100]]}
    flat = lists(Flat(7)([]))
    assert (flat["input_ids"], flat["labels"], flat["cu_seq_lens_q"]) == ([[7]], [[-100]], [0, 1])


@pytest.mark.parametrize(
    ("batching", "kind"),
    [(Batching.padded, Padded), (Batching.grouped, Padded), (Batching.padding_free, Flat), (Batching.packed, Flat)],
    ids=lambda value: getattr(value, "value", ""),
)
def test_each_mode_has_its_tensors(batching, kind):
    assert type(collator(Training(batching=batching), 0)) is kind


def test_the_original_hides_its_padding_token_wherever_it_stands():
    training = Training(faithful=True, batching=Batching.padded)
    batch = collator(training, 0, bos_token_id=9)(ROWS)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8], [9, 3, 4, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [0, 1, 1, 0]]
