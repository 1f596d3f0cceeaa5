"""Read the reports of a source, split them into sections, and say how good they are."""

import json
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from radgpt.artifacts import digest, write_text
from radgpt.config import Data, Source
from radgpt.errors import UserError
from radgpt.reports.lengths import token_counter
from radgpt.reports.quality import Quality
from radgpt.reports.quality_console import console
from radgpt.reports.quality_page import render
from radgpt.reports.reading import plan
from radgpt.reports.shards import folder_name, make_shards
from radgpt.run import Run

WRITES = {"reports": "reports.jsonl", "flagged": "flagged.jsonl", "quality": "quality.json", "quality_page": "quality.html"}


def run(run: Run, data: Data, seed: int) -> None:
    """Write every report of `data` as a row of `reports.jsonl`, in the source's order, and what there is to say of them all.

    Raises:
        UserError: the source cannot be read or holds no report, or two of its reports have one id.
    """
    if data.tokenizer:
        # Before anything is read: each worker would try in vain by itself.
        token_counter(data.tokenizer)
    quality = Quality()
    found = plan(data, seed)
    shards = run.directory / folder_name(data)
    with (
        tqdm(desc="preprocess", unit=" reports", total=found.total, disable=None) as bar,
        run.join("reports") as join_reports,
        run.join("flagged") as join_flagged,
    ):
        for shard in make_shards(shards, data, found):
            join_reports(shard.reports)
            join_flagged(shard.flagged)
            quality.merge(shard.quality)
            bar.update(shard.quality.reports)
        if not quality.reports:
            raise UserError(f"data.path={data.path}: no reports in it")
        try:
            refuse_repeated_ids(quality, data)
            refuse_straddling(quality, data)
        except UserError:
            # With other data this is another run: nobody would come back for these copies of the reports.
            remove_shards(run)
            raise
    write_text(run.path("quality"), json.dumps(quality.as_json()))
    dataset = digest(run.path("reports"))
    duplicates = quality.duplicates()
    write_text(run.path("quality_page"), render(quality, duplicates, data.governance, facts(data, dataset)))
    remove_shards(run)
    run.say(f"{console(quality, duplicates, data.governance)}\n  more         {run.path('quality_page')}")
    run.summarise(dataset=f"sha256:{dataset[:16]}", **quality.summary(duplicates))


def remove_shards(run: Run) -> None:
    """Remove the shards of this run, those of killed attempts among them."""
    for folder in run.directory.glob(".shards-*"):
        shutil.rmtree(folder)


def refuse_repeated_ids(quality: Quality, data: Data) -> None:
    """Raise UserError if two reports have one id; it gives their places, as ids might be text by mistake."""
    ids = quality.ids()
    if len(set(ids)) == len(ids):
        return
    places: dict[str, int] = {}
    for place, report_id in enumerate(ids, start=1):
        if (earlier := places.setdefault(report_id, place)) != place:
            mend = "; set data.report_id_field to a column of unique ids" if data.source in (Source.table, Source.huggingface) else ""
            raise UserError(f"data.path={data.path}: reports {earlier} and {place} have the same id{mend}")


def refuse_straddling(quality: Quality, data: Data) -> None:
    """Raise UserError if the source puts one patient into several splits: no later stage could take such a dataset."""
    if found := quality.straddling():
        raise UserError(
            f"data.path={data.path}: the source prescribes more than one split for {found} of its patients; mend its splits, or choose "
            "data.split=patient"
        )


def facts(data: Data, dataset: str) -> dict[str, str]:
    """What the quality report says of its run."""
    return {
        "Source": data.source.value + (f", {Path(data.path).name}" if data.path else ""),
        "Sections": {
            "radgpt": "radgpt's parser",
            "mit_lcp": "as MIT-LCP's code finds them",
            "original": "as the original Radiology-GPT's does",
        }[data.sections.value],
        "Part": "all of it" if data.limit is None else f"the first {data.limit:,} reports",
        "Splits": data.split.value,
        "Governance": data.governance.value,
        "Dataset": f"sha256:{dataset}",
        "Made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by radgpt {version('radgpt')}",
    }
