"""What was read of conversations is found again by its ids, and belongs to one at a time."""

from tiny_model import tiny_model

from radgpt.inference.local.network import Network
from radgpt.inference.local.prefix_caches import Conversation, PrefixCaches

FIRST, SECOND = list(range(10, 50)), list(range(60, 100))


def read(network: Network, ids: list[int], asked: int = 0) -> Conversation:
    """A conversation whose ids a model has read."""
    conversation = Conversation(list(ids), network.new_cache(1, rows=1), asked or len(ids))
    with network.turn(None):
        network.read(conversation.cache, [ids], [range(len(ids))])
    return conversation


def test_a_conversation_is_cut_to_what_is_asked_again() -> None:
    network = Network(tiny_model()[0])
    kept = PrefixCaches(network, 2)
    one = read(network, [*FIRST, 1, 2, 3], asked=len(FIRST))
    kept.put(one)
    found = kept.take([*FIRST, 1, 9])
    assert found is one
    assert (found.ids, found.cache.columns) == ([*FIRST, 1], 41)
    kept.put(found)
    assert kept.take(FIRST).ids == FIRST[:-1]  # one is left to read


def test_one_that_is_taken_is_nobody_elses() -> None:
    network = Network(tiny_model()[0])
    kept = PrefixCaches(network, 2)
    kept.put(read(network, FIRST))
    assert kept.take([*FIRST, 1]).ids == FIRST
    assert kept.take([*FIRST, 1]).ids == []


def test_one_that_begins_alike_stays_and_is_copied() -> None:
    import torch

    network = Network(tiny_model()[0])
    kept = PrefixCaches(network, 2)
    one = read(network, FIRST + SECOND)
    kept.put(one)
    copy = kept.take([*FIRST, 1, 2])
    assert copy is not one
    assert (copy.ids, copy.cache.columns) == (FIRST, 40)
    for mine, its in zip(copy.cache.taken(0, 0, 40), one.cache.taken(0, 0, 40), strict=True):
        assert all(torch.equal(first, second) for first, second in zip(mine, its, strict=True))
    assert kept.take([*FIRST, *SECOND, 1]) is one
    assert kept.take([FIRST[0], 1, 2]).ids == []  # a few ids are not worth it


def test_the_one_used_longest_ago_goes() -> None:
    network = Network(tiny_model()[0])
    kept = PrefixCaches(network, 1)
    kept.put(read(network, FIRST))
    kept.put(read(network, SECOND))
    assert kept.take([*FIRST, 1]).ids == []
    assert kept.take([*SECOND, 1]).ids == SECOND
    none = PrefixCaches(network, 0)
    none.put(read(network, FIRST))
    assert none.take([*FIRST, 1]).ids == []
    kept.put(read(network, FIRST))
    kept.clear()
    assert kept.take([*FIRST, 1]).ids == []


def test_what_was_read_but_not_noted_is_forgotten() -> None:
    network = Network(tiny_model()[0])
    kept = PrefixCaches(network, 1)
    one = read(network, FIRST, asked=10)
    del one.ids[-3:]
    kept.put(one)
    found = kept.take([*FIRST, 1])
    assert found is one
    assert (found.ids, found.cache.columns) == (FIRST[:-3], 37)
