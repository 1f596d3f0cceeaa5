"""Read reports from the source that the config names: plan in one process, load in any."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import islice
from typing import Any, Protocol, cast

from radgpt.config import Data, Source, SplitPolicy
from radgpt.external import permissions_told
from radgpt.reports.document import Document, Plan
from radgpt.reports.readers.splits import no_official_split


class Reader(Protocol):
    """What each module of `readers` offers."""

    NO_SPLIT: str
    """What a user can do who asks for a split that the source does not tell, to stand between two commas."""

    def digest(self, data: Data) -> str | None:
        """What changes when the source's reports do, for keys; None for made-up ones. Raises UserError as `plan` does for wrong places."""

    def plan(self, data: Data, seed: int) -> Plan:
        """List what there is without reading texts; raises UserError where the place is not what the source says it is."""

    def load(self, data: Data, items: Sequence[Any]) -> Iterator[Document]:
        """Read the documents of some items of the plan, in their order; raises UserError that names a broken one's place."""


def digest(data: Data) -> str | None:
    """The digest of the reports at `data.path` and of the lists that tell about them; None for made-up ones.

    Raises:
        UserError: `data.path` is missing, unreadable or not what the source says it is.
    """
    with permissions_told("data.path", data.path):
        return reader(data.source).digest(data)


def plan(data: Data, seed: int) -> Plan:
    """List the reports of a source in the source's own order, at most `data.limit` of them; `seed` is for made-up reports only.

    Raises:
        UserError: `data.path` is missing, unreadable or not what the source says it is, or it cannot prescribe the split asked for.
    """
    with permissions_told("data.path", data.path):
        found = reader(data.source).plan(data, seed)
    if data.limit is None:
        return Plan(listed(data, found.items), found.total)
    return Plan(listed(data, islice(found.items, data.limit)), None if found.total is None else min(found.total, data.limit))


def load(data: Data, items: Sequence[Any]) -> Iterator[Document]:
    """Read the documents of some of a plan's items, in their order, with the splits that `data.split` lets stand."""
    source = reader(data.source)
    with permissions_told("data.path", data.path):
        for document in source.load(data, items):
            if data.split is SplitPolicy.patient and document.split is not None:
                document = replace(document, split=None)
            if data.split is SplitPolicy.official and document.split is None:
                raise no_official_split(data, source.NO_SPLIT)
            yield document


def reader(source: Source) -> Reader:
    """The source's reader; the other ones, and what they need, are not imported."""
    return cast(Reader, import_module(f"radgpt.reports.readers.{source.value}"))


def listed(data: Data, items: Iterable[Any]) -> Iterator[Any]:
    """The items of a plan, which may be found only while they are asked for."""
    with permissions_told("data.path", data.path):
        yield from items
