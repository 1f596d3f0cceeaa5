"""Read reports from a dataset of the `datasets` library: a folder that it saved or takes, or one of the Hugging Face hub."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from radgpt.config import Data, Governance, SplitPolicy
from radgpt.errors import UserError
from radgpt.external import existing, external_file
from radgpt.records import SPLITS
from radgpt.reports.document import Document, Plan
from radgpt.reports.readers import arrow_files, columns
from radgpt.reports.readers.splits import SPLIT_NAMES, no_official_split

NO_SPLIT = "set data.split_field to the column that holds it, or leave data.hf_split out where the dataset has several splits"
HUB = "hub:"
"""What may stand before an id of the Hugging Face hub, so that it is taken for nothing else."""
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


class Part(NamedTuple):
    """One split of a dataset."""

    name: str
    """As the dataset calls it."""
    files: tuple[str, ...] | None
    """The Arrow files that hold it, mapped into memory where they are read; None: rows come one after the other."""
    split: str | None
    """The split that it prescribes."""
    prefixed: bool = False
    """Whether report ids take the split before them."""


def digest(data: Data) -> str:
    """The digest of the folder's listing; a dataset of the hub counts by its id, beside `data.hf_revision`."""
    name = hub_id(data)
    return f"hub {name}" if name else external_file("data.path", data.path)


def plan(data: Data, seed: int) -> Plan:
    """List the rows of `data.hf_split` or, without that, of every split.

    An item is (part, row number from 0), with the row's values behind it where rows come one after the other. A split that is read
    alone prescribes nothing, as it leaves no other to fill. If a report id stands in several splits, every report id takes its split
    before it, as with `table`.
    """
    sets = datasets_of(data)
    if len(sets) > 1 and data.split_field is None and (strange := [name for name in sets if name.lower() not in SPLIT_NAMES]):
        raise UserError(
            f"data.path={data.path}: split '{strange[0]}' is none of {', '.join(SPLIT_NAMES)}; "
            f"read one split with data.hf_split, which may be {', '.join(sets)}"
        )
    if data.split is SplitPolicy.official and data.split_field is None and len(sets) == 1:
        raise no_official_split(data, NO_SPLIT)
    parts = {}
    for name, dataset in sets.items():
        if dataset.column_names is not None:
            columns.check(data, dataset.column_names, f"data.path={data.path}, split '{name}'")
        with library_told(data):
            files = arrow_files.files_of(dataset)
        parts[name] = Part(name, files, SPLIT_NAMES.get(name.lower()) if len(sets) > 1 else None)
    if ids_recur(parts, sets, data):
        parts = {name: part._replace(prefixed=True) for name, part in parts.items()}
    total = sum(map(len, sets.values())) if all(part.files is not None for part in parts.values()) else None
    return Plan(chain.from_iterable(items(parts[name], sets[name], data) for name in parts), total)


def load(data: Data, items: Sequence[Any]) -> Iterator[Document]:
    """Read the reports of some rows; `datasets`, which takes a second to import, is not needed for that."""
    wanted = columns.wanted(data)
    for part, own in groupby(items, key=itemgetter(0)):
        for number, values in own_values(part, own, wanted, data):
            place = f"data.path={data.path}, split '{part.name}', row {number + 1}"
            yield columns.document(dict(zip(wanted, values, strict=True)), data, place, part.split, part.prefixed)


def own_values(part: Part, items: Iterable[Any], wanted: tuple[str, ...], data: Data) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield (row number, values of the columns wanted) of items of one part."""
    if part.files is None:
        for _, number, values in items:
            yield number, values
        return
    with arrow_files.whole(f"data.path={data.path}, split '{part.name}'"):
        cells = arrow_files.columns_of(part.files, tuple(os.stat(file).st_mtime_ns for file in part.files), wanted)
        for _, number in items:
            yield number, [column[number].as_py() for column in cells]


def hub_id(data: Data) -> str | None:
    """The id on the hub that `data.path` means; None where it is a place on this machine.

    Raises UserError where it can be neither, or where the data are credentialed and it may be a misspelt folder, whose name stays here.
    """
    if data.path is None:
        return None
    if data.path.startswith(HUB):
        name = data.path.removeprefix(HUB)
        if not HUB_ID.fullmatch(name):
            raise UserError(f"data.path={data.path} is no id of the Hugging Face hub such as hub:owner/name")
        return name
    if Path(data.path).expanduser().exists():
        return None
    if not HUB_ID.fullmatch(data.path):
        raise UserError(f"data.path={data.path} does not exist, and is no id of the Hugging Face hub such as hub:owner/name")
    if data.governance is Governance.credentialed:
        raise UserError(f"data.path={data.path} does not exist; if it is a dataset of the Hugging Face hub, say data.path={HUB}{data.path}")
    return data.path


def datasets_of(data: Data) -> dict[str, Any]:
    """Name to Dataset or IterableDataset of the splits to read, in our order of splits."""
    import datasets

    datasets.disable_progress_bars()
    # The library logs the parser's complaint about a broken row, which may quote it; ours names the place alone.
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    name = hub_id(data)
    if name is not None:
        with library_told(data):
            return chosen(datasets.load_dataset(name, revision=data.hf_revision, keep_in_memory=False), data)
    path = existing("data.path", data.path)
    if not path.is_dir():
        raise UserError(f"data.path={data.path} is a file; give a dataset's folder, or say data=jsonl, data=csv or data=parquet")
    if data.hf_revision is not None:
        raise UserError(f"data.hf_revision={data.hf_revision} has no meaning for the folder data.path={data.path}; leave it out")
    with library_told(data):
        if is_saved(path):
            return chosen(datasets.load_from_disk(str(path), keep_in_memory=False), data)
        # Streamed, as what is on this machine must not be copied into the cache.
        return chosen(datasets.load_dataset(str(path.resolve()), streaming=True), data)


def chosen(found: Any, data: Data) -> dict[str, Any]:
    """Name to split of what the library gave: that of `data.hf_split`, or all in our order."""
    sets = dict(found) if isinstance(found, dict) else {str(found.split or "all"): found}
    if data.hf_split is None:
        return dict(sorted(sets.items(), key=lambda item: (by_split(item[0]), item[0])))
    if data.hf_split not in sets:
        raise UserError(f"data.hf_split={data.hf_split} is no split of data.path={data.path}; there are {', '.join(sets)}")
    return {data.hf_split: sets[data.hf_split]}


def is_saved(path: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return (path / "dataset_dict.json").is_file() or ((path / "state.json").is_file() and (path / "dataset_info.json").is_file())


def by_split(name: str) -> int:
    """Where a split stands among ours; strange ones come last."""
    split = SPLIT_NAMES.get(name.lower())
    return len(SPLITS) if split is None else SPLITS.index(split)


def items(part: Part, dataset: Any, data: Data) -> Iterator[tuple[Any, ...]]:
    """Yield an item for each row of a split."""
    if part.files is not None:
        for number in range(len(dataset)):
            yield part, number
        return
    wanted = columns.wanted(data)
    with library_told(data):
        for number, row in enumerate(rows(dataset, wanted)):
            columns.check(data, row.keys(), f"data.path={data.path}, split '{part.name}', row {number + 1}")
            yield part, number, tuple(row[column] for column in wanted)


def rows(dataset: Any, wanted: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The rows of a dataset as plain values, with only the columns that are wanted where it knows its columns."""
    if dataset.column_names is not None:
        dataset = dataset.select_columns(list(wanted))
    yield from dataset.with_format(None)


def ids_recur(parts: dict[str, Part], sets: dict[str, Any], data: Data) -> bool:
    """Whether a report id stands in several splits."""

    def placed(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        return ((f"data.path={data.path}, split '{name}'", row) for row in rows(sets[name], (data.report_id_field,)))

    with library_told(data):
        return columns.recurring([(part.split, placed(name)) for name, part in parts.items()], data)


@contextmanager
def library_told(data: Data) -> Iterator[None]:
    """Turn what the libraries raise into a line for the user that quotes nothing of theirs."""
    from datasets.exceptions import DatasetNotFoundError, DatasetsError
    from pyarrow import ArrowException

    try:
        yield
    except PermissionError:
        raise
    except ConnectionError:
        raise UserError(
            f"data.path={data.path} does not exist here, and the Hugging Face hub cannot be reached to look for it there; "
            "check the path, or the network (HF_HUB_OFFLINE forbids it)"
        ) from None
    except DatasetNotFoundError as error:
        if data.hf_revision is not None and str(error).startswith("Revision"):
            raise UserError(f"data.hf_revision={data.hf_revision} is no commit, tag or branch of data.path={data.path}") from None
        raise UserError(
            f"data.path={data.path} is neither a folder here nor a dataset of the Hugging Face hub that you may read; "
            "if it is private or gated, log in with `hf auth login` or set HF_TOKEN"
        ) from None
    except (DatasetsError, ArrowException, OSError, ValueError, RuntimeError, IndexError) as error:
        why = "it has several configurations" if str(error).startswith("Config name is missing") else type(error).__name__
        raise UserError(
            f"data.path={data.path}: the datasets library cannot read it ({why}); read its files with data=parquet, data=jsonl or data=csv"
        ) from None
