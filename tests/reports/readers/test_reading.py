"""What holds for every source: missing and forbidden places, limits, home folders, and whose split stands under each policy."""

import json
import pickle
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import datasets
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from reading_documents import documents, ids, refusal

from radgpt.config import Data, Dataset, Source, SplitPolicy
from radgpt.errors import UserError
from radgpt.instructions.splits import assign_splits, prescribed_splits
from radgpt.records import SPLITS
from radgpt.reports import reading


@pytest.mark.parametrize("source", [Source.mimic_cxr, Source.openi, Source.table])
def test_a_path_that_does_not_exist(source: Source, tmp_path: Path) -> None:
    assert refusal(Data(source=source, path=str(tmp_path / "nowhere"))) == f"data.path={tmp_path / 'nowhere'} does not exist"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps({"report_id": n, "patient_id": n, "text": "Clear."}) + "\n" for n in range(3)))
    return path


def forbid(*_: object, **__: object) -> Iterator[None]:
    raise PermissionError(13, "Permission denied", "/forbidden")


def test_a_place_that_must_not_be_read(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Data(source=Source.table, path=str(table))
    items = list(reading.plan(data, seed=0).items)
    monkeypatch.setattr("radgpt.reports.readers.table_file.open", forbid, raising=False)
    expected = f"data.path={table}: no permission to read /forbidden"
    assert refusal(data) == expected
    with pytest.raises(UserError, match=f"^{expected}$"):
        list(reading.load(data, items))


def test_limit_takes_the_first_and_tells_how_many(table: Path) -> None:
    assert ids(documents(Data(source=Source.table, path=str(table), limit=2))) == [("0", "0"), ("1", "1")]
    assert reading.plan(Data(limit=7), seed=0).total == 7
    assert reading.plan(Data(synthetic_reports=10, limit=70), seed=0).total == 10


def test_the_home_folder_is_understood(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(table.parent))
    assert len(documents(Data(source=Source.table, path="~/r.jsonl"))) == 3


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (Source.mimic_cxr, "."),
        (Source.mimic_cxr, "mimic-cxr-reports.zip"),
        (Source.openi, "."),
        (Source.table, "r.jsonl"),
        (Source.table, "r.parquet"),
        (Source.huggingface, "saved"),
    ],
)
def test_items_are_small(source: Source, name: str, tmp_path: Path) -> None:
    """Hundreds of thousands of them may wait for a worker. (Those of sources that are read front to back hold the report: see `Plan`.)"""
    rows = [{"report_id": n, "patient_id": n, "text": "Clear lungs. " * 100} for n in range(100)]
    files = [(f"{n}.xml" if source is Source.openi else f"files/p10/p10000032/s500000{n:02}.txt", rows[n]["text"]) for n in range(100)]
    if name == "mimic-cxr-reports.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for file, text in files:
                archive.writestr(file, text)
    elif name == "r.jsonl":
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name == "r.parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / name)
    elif name == "saved":
        datasets.Dataset.from_list(rows).save_to_disk(str(tmp_path / name))
    else:
        for file, text in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text)
    items = list(reading.plan(Data(source=source, path=str(tmp_path / name)), seed=0).items)
    assert len(items) == 100
    assert len(pickle.dumps(items)) / 100 < 100


ROWS = st.lists(st.tuples(st.integers(0, 15), st.sampled_from((*SPLITS, None))), min_size=1, max_size=40)


@given(rows=ROWS, policy=st.sampled_from(SplitPolicy), seed=st.integers(0, 3), answered=st.sets(st.integers(0, 15)))
def test_no_patient_is_in_two_splits(rows: list[tuple[int, str | None]], policy: SplitPolicy, seed: int, answered: set[int]) -> None:
    prescribed = {patient: {split for other, split in rows if other == patient and split} for patient, _ in rows}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.jsonl"
        path.write_text(
            "".join(json.dumps({"id": n, "who": who, "text": "", "split": split}) + "\n" for n, (who, split) in enumerate(rows))
        )
        data = Data(source=Source.table, path=str(path), split=policy, report_id_field="id", patient_id_field="who", split_field="split")
        try:
            found = documents(data, batch=7)
            known = prescribed_splits((document.patient_id, document.split) for document in found)
        except UserError as error:
            lacking = any(split is None for _, split in rows)
            torn = any(len(splits) > 1 for splits in prescribed.values())
            assert (policy is SplitPolicy.official and lacking) or (policy is not SplitPolicy.patient and torn), error
            return
    splits = assign_splits(known, {str(patient) for patient in answered}, Dataset(), seed)
    for document in found:
        assert splits[document.patient_id] in SPLITS
        assert document.split in (None, splits[document.patient_id])
    for patient, own in prescribed.items():
        if policy is SplitPolicy.patient:
            unprescribed = dict.fromkeys(splits)
            assert splits == assign_splits(unprescribed, {str(patient) for patient in answered}, Dataset(), seed)
        elif own:
            assert own == {splits[str(patient)]}
    assert policy is not SplitPolicy.official or all(document.split for document in found)
