"""Reading a source the way that the stage does, items through pickle and in batches, and what a user is told where it fails."""

import pickle
from typing import Any

import pytest

from radgpt.config import Data
from radgpt.errors import UserError
from radgpt.reports import reading
from radgpt.reports.document import Document

SECRET = "SECRETWORD"
"""Stands in report text; no message may hold it."""


def documents(data: Data, seed: int = 0, batch: int = 2) -> list[Document]:
    """All documents of a source, loaded a few at a time."""
    plan = reading.plan(data, seed)
    items = list(plan.items)
    assert plan.total in (None, len(items))
    batches = [pickle.loads(pickle.dumps(items[start : start + batch])) for start in range(0, len(items), batch)]
    return [document for some in batches for document in reading.load(data, some)]


def loaded(data: Data, items: list[Any]) -> list[Document]:
    """The documents of some items; a process that is spawned can be given this function."""
    return list(reading.load(data, items))


def ids(found: list[Document]) -> list[tuple[str, str]]:
    """(report id, patient id) of documents."""
    return [(document.report_id, document.patient_id) for document in found]


def refusal(data: Data) -> str:
    """The one line that reading ends with."""
    with pytest.raises(UserError) as caught:
        documents(data)
    message = str(caught.value)
    assert SECRET not in message
    assert "\n" not in message
    return message
