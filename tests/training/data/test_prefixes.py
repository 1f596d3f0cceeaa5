"""What examples share is found up to what is learned, computed once, and changes neither loss nor gradients."""

from functools import partial

import datasets
import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from radgpt.config import Batching, Model, Training
from radgpt.errors import UserError
from radgpt.training.data.batching import MicroBatches
from radgpt.training.data.collation import Flat, Shared
from radgpt.training.data.prefixes import common_prefix, in_sharing_order, join_neighbours, longest_shareable, shared_with_previous
from radgpt.training.loop.loss import summed_loss
from radgpt.training.tuning.attention import use_segment_attention
from radgpt.training.watching.meter import token_counts


def row(ids, learned):
    """An example whose last `learned` tokens are learned."""
    return {"input_ids": ids, "mask": [0] * (len(ids) - learned) + [1] * learned}


# A system message (1 2 3), two reports (10 … and 20 …), and questions about them.
FIRST = row([1, 2, 3, 10, 11, 12, 13, 30, 40, 41], 2)
SECOND = row([1, 2, 3, 10, 11, 12, 13, 31, 42], 1)
OTHER = row([1, 2, 3, 20, 21, 30, 43], 1)
TWIN = row([1, 2, 3, 20, 21, 30, 44], 1)
ALONE = row([5, 6, 7, 8], 2)
ROWS = [OTHER, FIRST, ALONE, SECOND]


def test_common_prefix():
    assert common_prefix(np.array([1, 2, 3]), np.array([1, 2, 4, 5])) == 2
    assert common_prefix(np.array([1, 2]), np.array([1, 2, 4])) == 2
    assert common_prefix(np.array([]), np.array([1])) == 0


def test_the_token_before_the_first_learned_one_is_an_examples_own():
    assert longest_shareable(np.array([0, 0, 0, 1, 1])) == 2
    assert longest_shareable(np.array([0, 0, 1, 0, 1])) == 1
    assert longest_shareable(np.array([1, 1])) == 0
    assert longest_shareable(np.array([0, 0, 0])) == 2


def test_neighbours_share_if_they_have_most_in_common():
    table = datasets.Dataset.from_list([FIRST, SECOND, OTHER, FIRST])
    assert shared_with_previous(table).tolist() == [0, 7, 0, 0]
    assert shared_with_previous(table.select([3, 0]).flatten_indices()).tolist() == [0, 7]


def test_groups_stay_within_a_row():
    lengths, shared = np.array([10, 9, 9, 7]), np.array([0, 7, 7, 0])
    assert join_neighbours(lengths, shared, 100) == ([[0, 1, 2], [3]], [14, 7])
    assert join_neighbours(lengths, shared, 13) == ([[0, 1], [2], [3]], [12, 9, 7])


def test_each_example_follows_the_one_it_shares_most_with():
    assert in_sharing_order(ROWS) == [(FIRST, 0), (SECOND, 7), (OTHER, 3), (ALONE, 0)]


def test_the_last_token_that_is_taken_predicts_nothing_learned():
    assert in_sharing_order([TWIN, OTHER]) == [(OTHER, 0), (TWIN, 5)]


def test_shared_tokens_stand_once():
    batch = Shared(0)(ROWS)
    assert batch["input_ids"].tolist() == [[*FIRST["input_ids"], 31, 42, 20, 21, 30, 43, 5, 6, 7, 8]]
    assert batch["position_ids"].tolist() == [[*range(10), 7, 8, 3, 4, 5, 6, 0, 1, 2, 3]]
    ignored = -100
    assert batch["labels"].tolist() == [[*[ignored] * 8, 40, 41, ignored, 42, *[ignored] * 3, 43, ignored, ignored, 7, 8]]
    assert batch["cu_seq_lens_q"].tolist() == [0, 10, 12, 16, 20]
    assert batch["cu_seq_lens_k"].tolist() == [0, 10, 19, 26, 30]
    assert batch["key_rows"].tolist() == [*range(10), *range(7), 10, 11, 0, 1, 2, 12, 13, 14, 15, 16, 17, 18, 19]
    assert (batch["max_length_q"], batch["max_length_k"]) == (10, 10)
    assert token_counts(batch) == (30, 30)


def test_packed_rows_hold_neighbours_together():
    training = Training(batching=Batching.packed, model_max_length=14, per_device_train_batch_size=1, share_prefixes=True)
    lengths, shared = [10, 9, 7, 9], np.array([0, 7, 0, 0])
    assert sorted(MicroBatches(lengths, training, 1, 0, 0, shared)) == [[0, 1], [2], [3]]


def network(kind):
    shape = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    torch.manual_seed(0)
    return kind(**shape, num_key_value_heads=2)


@pytest.mark.parametrize("layers", ["full", "sliding", "recomputed"])
def test_loss_and_gradients_are_those_of_examples_alone(layers):
    settings = partial(MistralConfig, sliding_window=4) if layers == "sliding" else LlamaConfig
    model = (MistralForCausalLM if layers == "sliding" else LlamaForCausalLM)(network(settings)).train()
    training = Training(batching=Batching.padding_free, share_prefixes=True)
    use_segment_attention(model, training, Model(name_or_path="tiny"))
    if layers == "recomputed":
        model.activation_checkpointing_enable({"use_reentrant": False})
    outcomes = []
    for collate, batches in ((Shared(0), [[*ROWS, TWIN]]), (Flat(0), [[one] for one in [*ROWS, TWIN]])):
        model.zero_grad()
        sums = [summed_loss(model, collate(batch), selects=True) for batch in batches]
        total = torch.stack([loss for loss, _ in sums]).sum()
        total.backward()
        outcomes.append((total.item(), sum(int(count) for _, count in sums), [weights.grad.clone() for weights in model.parameters()]))
    (shared, count, gradients), (alone, expected_count, expected) = outcomes
    assert count == expected_count == 7
    assert shared == pytest.approx(alone, rel=1e-5)
    for gradient, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-4, atol=1e-5)


def test_where_it_has_no_meaning_it_is_refused():
    with pytest.raises(UserError, match=r"share_prefixes=true has no meaning with training\.batching=padded"):
        Training(batching=Batching.padded, share_prefixes=True)
    model = LlamaForCausalLM(network(LlamaConfig))
    training = Training(batching=Batching.packed, share_prefixes=True)
    with pytest.raises(UserError, match=r"attn_implementation=flash_attention_2 knows no training\.share_prefixes"):
        use_segment_attention(model, training, Model(name_or_path="tiny", attn_implementation="flash_attention_2"))
