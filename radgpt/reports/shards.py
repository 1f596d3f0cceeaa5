"""Read, split and count reports in shards, in parallel and in order, so that a killed run goes on after the shards it had finished."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

from radgpt.artifacts import digest, write_bytes
from radgpt.config import Data
from radgpt.records import as_line
from radgpt.reports import reading
from radgpt.reports.document import Plan
from radgpt.reports.lengths import token_counter
from radgpt.reports.quality import Quality, flagged_rows
from radgpt.reports.sectioning import as_report
from radgpt.workers import pool

SIZE = 2000
"""Reports in a shard: a quarter of a second of work, and 4 MB."""
AT_ONCE = 200
"""Reports that are held in memory together: few enough for a processor's cache."""
AHEAD = 3
"""Shards under way or waiting, for each worker: enough to keep it busy, few enough to hold no great part of the plan."""


@dataclass(frozen=True)
class Shard:
    """A finished shard."""

    reports: Path
    flagged: Path
    """JSONL files with the shard's rows."""
    quality: Quality


def folder_name(data: Data) -> str:
    """Where shards stand in a run's folder: one name for each tokenizer that they are counted with, and for each version of the code that
    makes them, so that a run is of one piece."""
    total = hashlib.sha256(f"{SIZE} {data.tokenizer}".encode())
    here = Path(__file__).parent
    for path in (here.parent / "records.py", *sorted(here.rglob("*.py"))):
        total.update(digest(path).encode())
    return f".shards-{total.hexdigest()[:8]}"


def make_shards(folder: Path, data: Data, plan: Plan) -> Iterator[Shard]:
    """Make the shards of a plan in `folder`, and yield them in order; those that a killed run has left there are not made again.

    Raises:
        UserError: a report cannot be read, or a worker was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    batches = batched(plan.items)
    workers = data.workers or len(os.sched_getaffinity(0))
    if plan.total is None:
        first = list(islice(batches, workers))
        batches, count = chain(first, batches), len(first)
    else:
        count = -(-plan.total // SIZE)
    workers = min(workers, count)
    if workers < 2:
        for number, batch in enumerate(batches):
            yield load_shard(make_shard(folder, number, data, batch))
        return
    waiting: deque[Future[Path]] = deque()
    with worker_pool(workers) as pool:
        for number, batch in enumerate(batches):
            waiting.append(pool.submit(make_shard, folder, number, data, batch))
            if len(waiting) >= AHEAD * workers:
                yield load_shard(waiting.popleft().result())
        while waiting:
            yield load_shard(waiting.popleft().result())


def batched(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists of SIZE items, the last one shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, SIZE)):
        yield batch


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """The processes that parse."""
    with pool(workers, "set data.workers to less, and give the same command again: finished shards are kept") as started:
        yield started


def make_shard(folder: Path, number: int, data: Data, items: list[Any]) -> Path:
    """Make one shard, unless it is there, and give the file of its counts, which is written last: its existence means that all is."""
    counts = folder / f"{number:05}.json"
    if is_whole(counts):
        return counts
    quality = Quality()
    count_tokens = counter(data.tokenizer) if data.tokenizer else None
    with open(rows_of(counts), "wb") as rows, open(flagged_of(counts), "wb") as flagged:
        documents = reading.load(data, items)
        while reports := [as_report(document, data.sections) for document in islice(documents, AT_ONCE)]:
            quality.add(reports, count_tokens)
            rows.writelines(map(as_line, reports))
            flagged.writelines(map(as_line, flagged_rows(reports)))
    told = {"sizes": sizes(counts), "quality": quality.as_json()}
    write_bytes(counts, json.dumps(told).encode(), durable=False)
    return counts


def is_whole(counts: Path) -> bool:
    """Whether a shard is there, with all its rows: a power cut may have taken some of them and left the counts."""
    try:
        return bool(json.loads(counts.read_bytes())["sizes"] == sizes(counts))
    except (FileNotFoundError, ValueError):
        return False


def sizes(counts: Path) -> list[int]:
    """The bytes of a shard's rows."""
    return [rows_of(counts).stat().st_size, flagged_of(counts).stat().st_size]


@cache
def counter(tokenizer: str) -> Callable[[list[str]], list[int]]:
    """The token counter, once a process."""
    return token_counter(tokenizer)


def rows_of(counts: Path) -> Path:
    """The rows that a shard's counts are of."""
    return counts.with_suffix(".jsonl")


def flagged_of(counts: Path) -> Path:
    """The flagged ones of them."""
    return counts.with_suffix(".flagged.jsonl")


def load_shard(counts: Path) -> Shard:
    """A finished shard by the file of its counts."""
    return Shard(rows_of(counts), flagged_of(counts), Quality.from_json(json.loads(counts.read_bytes())["quality"]))
