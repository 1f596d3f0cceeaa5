"""Rows take their places in turn, and what they share is kept as long as one of them waits."""

from typing import Any

from asked_questions import questions
from tiny_model import greedy, tiny_model

from radgpt.chat_format import prompt_ids
from radgpt.inference.local.batches import Batch, chain_of
from radgpt.inference.local.decoding import Draws, Row
from radgpt.inference.local.network import Network


def rows_of(alone: int, shared: int, limit: int = 4) -> list[Row]:
    tokenizer = tiny_model()[1]
    return [Row(prompt_ids(tokenizer, question.messages), limit, 0, frozenset()) for question in questions(alone, shared)]


def test_a_shared_beginning_is_forgotten_with_its_last_row() -> None:
    batch = Batch(Network(tiny_model()[0]), None, Draws(greedy()), 2, rows_of(3, 5))
    beginnings = {one for _, beginning in batch._waiting for one in chain_of(beginning)}
    assert {len(list(chain_of(one))) for one in beginnings} == {1, 2}
    remembered = [sum(one.past is not None for one in beginnings) for _ in batch.run()]
    assert max(remembered) == 2
    assert remembered[-1] == 0


def test_short_answers_take_turns_beside_a_long_one() -> None:
    rows = sorted(rows_of(6, 0, limit=3), key=lambda row: -len(row.prompt))
    rows[0].limit = 12
    network = Network(tiny_model()[0])
    read, widths = network.read, []

    def watched(cache: Any, ids: Any, *rest: Any) -> Any:
        widths.append((len(ids), len(ids[0])))
        return read(cache, ids, *rest)

    network.read = watched  # type: ignore[method-assign]
    ended = list(Batch(network, None, Draws(greedy()), 2, rows).run())
    assert ended[-1] is rows[0]
    assert [len(row.new) for row in rows] == [12, 3, 3, 3, 3, 3]
    steps = [count for count, columns in widths if columns == 1]
    assert (len(steps), sum(steps)) == (11, 11 + 5 * 2)
