"""Read reports from a dataset of the `datasets` library: a folder that it saved or takes, or a name on the Hugging Face hub."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from radgpt.config import Data, SplitPolicy
from radgpt.errors import UserError
from radgpt.records import SPLITS
from radgpt.reports.document import Document, Plan
from radgpt.reports.readers import columns
from radgpt.reports.readers.splits import SPLIT_NAMES, no_official_split

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
        raise no_official_split(data)
    parts = {}
    for name, dataset in sets.items():
        if dataset.column_names is not None:
            columns.check(data, dataset.column_names, f"data.path={data.path}, split '{name}'")
        parts[name] = Part(name, arrow_files(dataset), SPLIT_NAMES.get(name.lower()) if len(sets) > 1 else None)
    if len(sets) > 1 and columns.recurring(split_ids(parts.values(), sets, data)):
        parts = {name: part._replace(prefixed=True) for name, part in parts.items()}
    total = sum(map(len, sets.values())) if all(part.files is not None for part in parts.values()) else None
    return Plan(chain.from_iterable(items(parts[name], sets[name], data) for name in parts), total)


def load(data: Data, items: Sequence[Any]) -> Iterator[Document]:
    """Read the reports of some rows; `datasets` is not needed for that."""
    wanted = columns.wanted(data)
    for part, own in groupby(items, key=itemgetter(0)):
        cells = [] if part.files is None else mapped(part.files, tuple(os.stat(file).st_mtime_ns for file in part.files), wanted)
        for _, number, *content in own:
            values = [column[number].as_py() for column in cells] if part.files is not None else content[0]
            place = f"data.path={data.path}, split '{part.name}', row {number + 1}"
            yield columns.document(dict(zip(wanted, values, strict=True)), data, place, part.split, part.prefixed)


def datasets_of(data: Data) -> dict[str, Any]:
    """Name to Dataset or IterableDataset of the splits to read, in our order of splits."""
    import datasets

    assert data.path is not None
    datasets.disable_progress_bars()
    # The library logs the parser's complaint about a broken row, which may quote it; ours names the place alone.
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    path = Path(data.path).expanduser()
    with library_told(data):
        if is_saved(path):
            found = datasets.load_from_disk(str(path), keep_in_memory=False)
        elif path.is_dir():
            # Streamed, as what is on this machine must not be copied into the cache.
            found = datasets.load_dataset(str(path.resolve()), streaming=True)
        elif path.exists():
            raise UserError(f"data.path={data.path} is a file; give a dataset's folder, or say data=jsonl, data=csv or data=parquet")
        elif not HUB_ID.fullmatch(data.path):
            raise UserError(f"data.path={data.path} does not exist, and is no id of the Hugging Face hub such as owner/name")
        else:
            found = datasets.load_dataset(data.path, keep_in_memory=False)
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


def arrow_files(dataset: Any) -> tuple[str, ...] | None:
    """The files that hold a dataset's rows in their order; None where it has no such files or they hold them in another order."""
    if not hasattr(dataset, "cache_files") or dataset._indices is not None:
        return None
    files = tuple(file["filename"] for file in dataset.cache_files)
    return files if files or not len(dataset) else None


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


def split_ids(parts: Iterable[Part], sets: dict[str, Any], data: Data) -> Iterator[tuple[str | None, str]]:
    """(split, report id) of every row."""
    with library_told(data):
        for part in parts:
            placed = ((f"data.path={data.path}, split '{part.name}'", row) for row in rows(sets[part.name], (data.report_id_field,)))
            for report_id in columns.ids_of(placed, data):
                yield part.split, report_id


@lru_cache(maxsize=4)
def mapped(files: tuple[str, ...], changed: tuple[int, ...], wanted: tuple[str, ...]) -> list[Any]:
    """The columns of Arrow files as they were at their times of change, mapped into memory rather than read."""
    import pyarrow

    table = pyarrow.concat_tables([pyarrow.ipc.open_stream(pyarrow.memory_map(file)).read_all() for file in files])
    return [table.column(column) for column in wanted]


@contextmanager
def library_told(data: Data) -> Iterator[None]:
    """Turn what the libraries raise into a line for the user that quotes nothing of theirs."""
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    try:
        yield
    except PermissionError:
        raise
    except ConnectionError:
        raise UserError(
            f"data.path={data.path} does not exist here, and the Hugging Face hub cannot be reached to look for it there; "
            "check the path, or the network (HF_HUB_OFFLINE forbids it)"
        ) from None
    except DatasetNotFoundError:
        raise UserError(
            f"data.path={data.path} is neither a folder here nor a dataset of the Hugging Face hub that you may read; "
            "if it is private or gated, log in with `hf auth login` or set HF_TOKEN"
        ) from None
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        why = "it has several configurations" if str(error).startswith("Config name is missing") else type(error).__name__
        raise UserError(
            f"data.path={data.path}: the datasets library cannot read it ({why}); read its files with data=parquet, data=jsonl or data=csv"
        ) from None
