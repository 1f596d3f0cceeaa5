"""Read the reports of a source and split them into sections."""

from collections import Counter

from tqdm import tqdm

from radgpt.config import Data
from radgpt.errors import UserError
from radgpt.reports.reading import read_reports
from radgpt.run import Run

WRITES = {"reports": "reports.jsonl"}


def run(run: Run, data: Data, seed: int) -> None:
    """Write every report of `data` as a row of `reports.jsonl`, in the source's order."""
    counts: Counter[str] = Counter()
    patients: set[str] = set()
    with run.write("reports") as append:
        for report in tqdm(read_reports(data, seed), desc="preprocess", unit=" reports", total=expected(data), disable=None):
            append(report)
            patients.add(report.patient_id)
            counts.update(["reports", *report.sections, *report.flags])
        if not counts["reports"]:
            raise UserError(f"data.path={data.path}: no reports in it")
    run.summarise(
        reports=counts["reports"],
        patients=len(patients),
        with_findings=counts["findings"],
        with_impression=counts["impression"],
        merged=counts["merged"],
        unheaded=counts["unheaded"],
        no_narrative=counts["no_narrative"],
    )


def expected(data: Data) -> int | None:
    """How many reports the progress bar should end at, where that is known beforehand."""
    return data.limit if data.path else min(data.synthetic_reports, data.limit or data.synthetic_reports)
