"""A report as its source holds it, and the contract between readers and the rest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Document:
    """A report before it is split into sections. (Not frozen, which costs time for each of hundreds of thousands.)"""

    report_id: str
    patient_id: str
    text: str
    """The report as its source holds it; empty where `given` holds all there is."""
    given: Sequence[tuple[str, str]] | None = None
    """(label, text) in order, where the source tells sections apart itself; labels are names of sections in any case, or others."""
    split: str | None = None
    """The split that the source prescribes (train, validation or test), if any."""
    flags: Sequence[str] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a source holds, before anything but lists has been read."""

    items: Iterable[Any]
    """One picklable value for each report, in the source's order: a small place to read from or, where a source can only be read front to
    back, its content (CSV, zipped JSONL, Open-i's archive, what `datasets` streams). Lazy where there may be many."""
    total: int | None = None
    """How many items there are, where that is known without reading them all."""
