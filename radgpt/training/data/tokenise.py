"""Turn the lines of a JSONL file into rows of token ids, in as many processes as asked for, in order and with flat memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from radgpt import workers
from radgpt.chat_format import Example, Message, as_ordinary_text, training_examples
from radgpt.config import TooLong, Training
from radgpt.records import Pair, Report, parse_lines

if TYPE_CHECKING:
    import pyarrow
    from transformers import PreTrainedTokenizerBase

BLOCK = 500
"""Lines that are handed to a process together: half a second of work, and less than 10 MB."""
AHEAD = 3
"""Blocks under way or waiting, for each process."""
WORTH_PROCESSES = 10_000
"""Lines from which on it pays to start processes: fewer take one process less time than two take to start."""
REPORT_TASK = "report"
"""The task of rows that are raw reports."""

Line = tuple[int, bytes]
"""The number of a line, from 1, and its text."""


class Row(NamedTuple):
    """One training example."""

    input_ids: list[int]
    mask: list[int]
    """1 where the token is learned."""
    id: str
    """Of the pair or the report; several rows may share it."""
    task: str


@dataclass(frozen=True)
class Made:
    """What became of one record."""

    rows: list[Row]
    too_long: int = 0
    """1 if it was left out for its length."""
    cut: int = 0
    """1 if its report was cut."""


@dataclass(frozen=True)
class Block:
    """What became of some lines."""

    lines: int
    table: "pyarrow.Table"
    """A column for each field of Row."""
    too_long: int
    cut: int


Maker = Callable[[Any, "PreTrainedTokenizerBase", Training], Made]
"""Turns one record into rows."""


@dataclass(frozen=True)
class Work:
    """What is made of the lines of a file."""

    path: Path
    kind: type
    """Pair or Report."""
    make: Maker
    tokenizer: "PreTrainedTokenizerBase"
    training: Training

    def block(self, lines: list[Line]) -> Block:
        """What becomes of some lines; raises UserError for what is no record, or cannot be rendered."""
        records: Iterator[Any] = parse_lines(self.path, lines, self.kind)
        made = [self.make(record, self.tokenizer, self.training) for record in records]
        table = as_table([row for one in made for row in one.rows])
        return Block(len(lines), table, sum(one.too_long for one in made), sum(one.cut for one in made))


def blocks(work: Work, lines: Iterable[Line], count: int) -> Iterator[Block]:
    """What becomes of `count` lines, block by block in their order, the same however many processes work."""
    batches = batched(lines)
    processes = min(work.training.workers or len(os.sched_getaffinity(0)), -(-count // BLOCK))
    if count < WORTH_PROCESSES or processes < 2:
        yield from map(work.block, batches)
        return
    mend = "set training.workers to less, and give the same command again"
    waiting: deque[Future[Block]] = deque()
    with workers.pool(processes, mend, partial(take_up, work)) as pool:
        for batch in batches:
            waiting.append(pool.submit(work_on, batch))
            if len(waiting) >= AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def batched(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Lists of BLOCK lines, the last one shorter."""
    remaining = iter(lines)
    while batch := list(islice(remaining, BLOCK)):
        yield batch


TAKEN_UP: list[Work] = []
"""The work of this process, where it is one of a pool."""


def take_up(work: Work) -> None:
    """Make `work` that of this process; it is handed over once, as a tokenizer takes megabytes."""
    from transformers.utils import logging

    # Otherwise each process tells of texts longer than the model's window, which are dealt with here.
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    TAKEN_UP[:] = [work]


def work_on(lines: list[Line]) -> Block:
    """What becomes of lines under this process's work."""
    return TAKEN_UP[0].block(lines)


def as_table(rows: list[Row]) -> "pyarrow.Table":
    """Rows as Arrow's columns, one for each field of Row."""
    import pyarrow

    types = (pyarrow.list_(pyarrow.int32()), pyarrow.list_(pyarrow.int8()), pyarrow.string(), pyarrow.string())
    columns = zip(*rows, strict=True) if rows else ((),) * len(Row._fields)
    return pyarrow.table({name: pyarrow.array(list(column), kind) for name, column, kind in zip(Row._fields, columns, types, strict=True)})


def pair_rows(pair: Pair, tokenizer: "PreTrainedTokenizerBase", training: Training) -> Made:
    """A pair as rows with the loss on its answers, all of them or none.

    One that is longer than `training.model_max_length` is left out, or has its report cut from the end, by `training.too_long`.
    """
    if training.faithful:
        examples = [as_the_original(made, tokenizer, training.model_max_length) for made in training_examples(tokenizer, pair.messages)]
        return Made([Row(*made, pair.pair_id, pair.task) for made in examples])
    examples_whole = training_examples(tokenizer, pair.messages)
    cut = 0
    if longest(examples_whole) > training.model_max_length:
        shorter = cut_report(pair, tokenizer, training.model_max_length) if training.too_long is TooLong.cut_report else None
        if shorter is None:
            return Made([], too_long=1)
        examples_whole, cut = shorter, 1
    return Made([Row(made.ids, made.mask, pair.pair_id, pair.task) for made in examples_whole], cut=cut)


def longest(examples: list[Example]) -> int:
    """Tokens of the longest example."""
    return max(len(made.ids) for made in examples)


def cut_report(pair: Pair, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> list[Example] | None:
    """The pair's examples with as many words from the report's beginning as fit; None where none would, or where no report is known.

    System prompt, questions and answers stay whole.
    """
    place = next((number for number, message in enumerate(pair.messages) if message["role"] == "user"), None)
    if pair.report_span is None or place is None:
        return None
    start, end = pair.report_span
    content = pair.messages[place]["content"]
    ends = word_ends(content[start:end])

    def keeping(words: int) -> list[Example]:
        kept = content[: start + (ends[words - 1] if words else 0)]
        messages: list[Message] = [*pair.messages]
        messages[place] = {"role": "user", "content": kept + content[end:]}
        return training_examples(tokenizer, messages)

    best, fewest, most = None, 1, len(ends) - 1
    while fewest <= most:
        words = (fewest + most) // 2
        examples = keeping(words)
        if longest(examples) <= max_length:
            best, fewest = examples, words + 1
        else:
            most = words - 1
    return best


def word_ends(text: str) -> list[int]:
    """Where each word of a text ends, in characters."""
    ends, place = [], 0
    for word in text.split():
        place = text.index(word, place) + len(word)
        ends.append(place)
    return ends


def as_the_original(made: Example, tokenizer: "PreTrainedTokenizerBase", max_length: int) -> tuple[list[int], list[int]]:
    """(ids, mask) as `training.faithful` says: cut on the right, and prompts counted without the token that opens texts.

    The original (yjeong-k/Radiology-GPT, code/train) follows Stanford Alpaca's train.py, which counts a prompt's tokens as those that
    are not the padding token, and makes `<s>` the padding token.
    """
    ids = made.ids[:max_length]
    mask = [0] * len(ids)
    for start, end in made.answers:
        start = min(start, max_length)
        start -= ids[:start].count(tokenizer.bos_token_id)
        mask[start : min(end, max_length)] = [1] * (min(end, max_length) - start)
    return ids, mask


def report_rows(report: Report, tokenizer: "PreTrainedTokenizerBase", training: Training) -> Made:
    """A report's text as rows whose tokens are all learned, the end-of-text token last.

    One above `training.model_max_length` becomes windows of about equal length, as few as will do. Each begins with the token that the
    one before ended with, since nothing predicts a row's first token: so each token is learned once.
    """
    text = as_ordinary_text(tokenizer, report.text.strip())
    if not text:
        return Made([])
    ids = list(tokenizer(text)["input_ids"])
    end = tokenizer.eos_token_id
    if end is not None and ids[-1] != end:
        ids.append(int(end))
    steps = len(ids) - 1
    windows = max(1, -(-steps // max(1, training.model_max_length - 1)))
    bounds = [steps * number // windows for number in range(windows + 1)]
    rows = [ids[start : stop + 1] for start, stop in pairwise(bounds)]
    return Made([Row(window, [1] * len(window), report.report_id, REPORT_TASK) for window in rows])
