"""Read reports from the source that the config names."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from radgpt.config import Data, Source
from radgpt.errors import UserError
from radgpt.records import Report
from radgpt.reports.readers import jsonl, mimic_cxr, openi, synthetic

READERS = {
    Source.synthetic: synthetic.read,
    Source.mimic_cxr: mimic_cxr.read,
    Source.openi: openi.read,
    Source.jsonl: jsonl.read,
}


def read_reports(data: Data, seed: int) -> Iterator[Report]:
    """Yield the reports of a source in the source's own order, at most `data.limit` of them.

    `seed` is for generated reports only.

    Raises:
        UserError: `data.path` is missing, unreadable or not what the source says it is, or two reports have one id.
    """
    if data.path is not None and not Path(data.path).expanduser().exists():
        raise UserError(f"data.path={data.path} does not exist")
    try:
        yield from islice(without_duplicates(READERS[data.source](data, seed), data), data.limit)
    except PermissionError as error:
        raise UserError(f"data.path={data.path}: no permission to read {error.filename or 'it'}") from None


def without_duplicates(reports: Iterator[Report], data: Data) -> Iterator[Report]:
    """The same reports; raises UserError at an id that has been there before. It gives places, as ids might be text by mistake."""
    places: dict[str, int] = {}
    for place, report in enumerate(reports, start=1):
        if (earlier := places.setdefault(report.report_id, place)) != place:
            mend = "; set data.report_id_field to a column of unique ids" if data.source is Source.jsonl else ""
            raise UserError(f"data.path={data.path}: reports {earlier} and {place} have the same id{mend}")
        yield report
