"""Look up reports by id in a JSONL file without holding their texts in memory."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from radgpt.errors import UserError
from radgpt.records import Report, read_records


@dataclass(frozen=True)
class ReportIndex:
    """Where each report stands in its file, and what splits need to know of it."""

    patients: list[tuple[str, str | None]]
    """(patient id, prescribed split) of each report, in the file's order."""
    _path: Path
    _file: BinaryIO
    _offsets: dict[str, int]
    _lock: Lock = field(default_factory=Lock)
    """The review page looks reports up while others are judged."""

    def __getitem__(self, report_id: str) -> Report:
        """The report with this id; raises UserError if there is none."""
        offset = self._offsets.get(report_id)
        if offset is None:
            raise UserError(f"{self._path} holds no report {report_id}: the instructions were made from other reports")
        with self._lock:
            self._file.seek(offset)
            line = self._file.readline()
        return Report(**json.loads(line))


@contextmanager
def open_reports(path: Path) -> Iterator[ReportIndex]:
    """Index a file of reports, which stays open for look-ups within the context.

    Raises:
        UserError: the file is no JSONL of reports, or holds one id twice.
    """
    patients = []
    ids = {}
    for number, report in enumerate(read_records(path, Report)):
        if report.report_id in ids:
            raise UserError(f"{path}: report {report.report_id} stands there twice; ids must differ")
        ids[report.report_id] = number
        patients.append((report.patient_id, report.split))
    with open(path, "rb") as file:
        starts = []
        while True:
            start = file.tell()
            if not file.readline():
                break
            starts.append(start)
        yield ReportIndex(patients, path, file, {report_id: starts[number] for report_id, number in ids.items()})
