"""Reports in datasets that were saved to disk, that lie in a folder, or that the hub would have to give."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import datasets
import pytest
from conftest import ROOT
from reading_documents import SECRET, documents, ids, loaded, refusal

from radgpt.config import Data, Governance, Source, SplitPolicy
from radgpt.errors import UserError
from radgpt.reports import reading
from radgpt.reports.document import Document


def hub(path: Path | str, **settings: object) -> Data:
    return Data(source=Source.huggingface, path=str(path), **settings)  # type: ignore[arg-type]


def rows(*numbers: int) -> datasets.Dataset:
    return datasets.Dataset.from_list(
        [{"report_id": n, "patient_id": f"p{n}", "text": f"Report {n}.", "pixels": [n, n], "part": "test"} for n in numbers]
    )


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)


def test_a_saved_dataset(tmp_path: Path) -> None:
    rows(*range(5)).with_format("numpy").save_to_disk(str(tmp_path / "saved"), num_shards=2)
    data = hub(tmp_path / "saved")
    assert documents(data) == [Document(str(n), f"p{n}", f"Report {n}.") for n in range(5)]
    assert reading.plan(data, 0).total == 5
    assert {document.split for document in documents(hub(tmp_path / "saved", split_field="part"))} == {"test"}


def test_each_split_is_the_one_that_it_is_called(tmp_path: Path) -> None:
    datasets.DatasetDict(test=rows(4), dev=rows(2, 3), train=rows(0, 1)).save_to_disk(str(tmp_path / "saved"))
    found = documents(hub(tmp_path / "saved"))
    assert [(document.report_id, document.split) for document in found] == [
        ("0", "train"),
        ("1", "train"),
        ("2", "validation"),
        ("3", "validation"),
        ("4", "test"),
    ]


def test_ids_that_recur_take_their_split_before_them(tmp_path: Path) -> None:
    datasets.DatasetDict(train=rows(0, 1), test=rows(0)).save_to_disk(str(tmp_path / "saved"))
    assert ids(documents(hub(tmp_path / "saved"))) == [("train-0", "p0"), ("train-1", "p1"), ("test-0", "p0")]


def test_one_split_alone_prescribes_nothing(tmp_path: Path) -> None:
    datasets.DatasetDict(train=rows(0, 1), extra=rows(2)).save_to_disk(str(tmp_path / "saved"))
    assert "split 'extra' is none of train" in refusal(hub(tmp_path / "saved"))
    assert [(document.report_id, document.split) for document in documents(hub(tmp_path / "saved", hf_split="extra"))] == [("2", None)]
    assert refusal(hub(tmp_path / "saved", hf_split="tst")).endswith("there are train, extra")
    assert "leave data.hf_split out" in refusal(hub(tmp_path / "saved", hf_split="train", split=SplitPolicy.official))


def test_sections_in_columns(tmp_path: Path) -> None:
    datasets.Dataset.from_list([{"idx": 1, "inputs": "Clear.", "target": None}]).save_to_disk(str(tmp_path / "saved"))
    columns = {"findings": "inputs", "impression": "target"}
    data = hub(tmp_path / "saved", report_id_field="idx", patient_id_field=None, text_field=None, section_fields=columns)
    assert documents(data) == [Document("1", "1", "", [("findings", "Clear.")])]


def test_a_folder_that_load_dataset_takes(tmp_path: Path) -> None:
    rows(0, 1).to_json(str(tmp_path / "train.jsonl"))
    rows(0).to_json(str(tmp_path / "test.jsonl"))
    found = documents(hub(tmp_path))
    assert [(document.report_id, document.split) for document in found] == [("train-0", "train"), ("train-1", "train"), ("test-0", "test")]
    assert len(documents(hub(tmp_path, limit=1))) == 1


@pytest.mark.parametrize("kind", ["saved", "folder"])
def test_rows_are_read_in_other_processes(tmp_path: Path, kind: str) -> None:
    if kind == "saved":
        rows(*range(6)).save_to_disk(str(tmp_path / kind))
    else:
        (tmp_path / kind).mkdir()
        rows(*range(6)).to_json(str(tmp_path / kind / "train.jsonl"))
    data = hub(tmp_path / kind)
    items = list(reading.plan(data, 0).items)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        first, second = pool.map(loaded, [data, data], [items[:3], items[3:]])
    assert first + second == documents(data) == [Document(str(n), f"p{n}", f"Report {n}.") for n in range(6)]


@pytest.mark.parametrize("numbers", [[3, 4], [4, 0, 2]])
def test_rows_that_were_picked_or_shuffled_are_read_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: list[int]
) -> None:
    rows(*range(5)).save_to_disk(str(tmp_path / "saved"))
    picked = datasets.load_from_disk(str(tmp_path / "saved")).select(numbers)
    for dataset in (picked, picked.shuffle(seed=1), datasets.concatenate_datasets([picked, rows(9)])):
        monkeypatch.setattr(datasets, "load_dataset", lambda *_, dataset=dataset, **__: dataset)
        found = documents(hub("hub:owner/name"))
        assert [int(document.report_id) for document in found] == list(dataset["report_id"])


def test_nothing_is_copied_into_the_cache(tmp_path: Path) -> None:
    rows(0, 1).save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "folder").mkdir()
    rows(0, 1).to_json(str(tmp_path / "folder" / "train.jsonl"))
    code = (
        "import sys\nfrom radgpt.config import Data, Source\nfrom radgpt.reports import reading\n"
        "for path in sys.argv[1:]:\n    data = Data(source=Source.huggingface, path=path)\n"
        "    assert len(list(reading.load(data, list(reading.plan(data, 0).items)))) == 2\n"
    )
    home = tmp_path / "home"
    environment = os.environ | {"HF_HOME": str(home), "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "saved"), str(tmp_path / "folder")], env=environment, check=True)
    assert sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) == 0


def test_a_dataset_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(path: str, **settings: Any) -> datasets.DatasetDict:
        asked.append((path, settings))
        return datasets.DatasetDict(train=rows(0, 1), test=rows(2))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    found = [("0", "train"), ("1", "train"), ("2", "test")]
    for data in (
        hub("hub:owner/name", governance=Governance.credentialed),
        hub("owner/name", governance=Governance.open),
        hub("hub:owner/name", hf_revision="v2"),
    ):
        assert [(document.report_id, document.split) for document in documents(data)] == found
    assert asked == [("owner/name", {"revision": revision, "keep_in_memory": False}) for revision in (None, None, "v2")]


# What goes wrong


def test_the_hub_cannot_be_reached() -> None:
    message = refusal(hub("hub:owner/name"))
    assert message.startswith("data.path=hub:owner/name does not exist here, and the Hugging Face hub cannot be reached")


@pytest.mark.parametrize("path", ["/data/nowhere", "a/b/c", "../name", "~/name"])
def test_what_is_no_id_is_not_sent_to_the_hub(path: str) -> None:
    assert refusal(hub(path)) == f"data.path={path} does not exist, and is no id of the Hugging Face hub such as hub:owner/name"
    assert refusal(hub(f"hub:{path}")) == f"data.path=hub:{path} is no id of the Hugging Face hub such as hub:owner/name"


@pytest.mark.parametrize("read", [documents, reading.digest])
def test_a_misspelt_folder_of_credentialed_data_is_not_sent_to_the_hub(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[Data], object]
) -> None:
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: pytest.fail("the hub was asked"))
    with pytest.raises(UserError, match=r"^data.path=patients/jones does not exist; if it is .*, say data.path=hub:patients/jones$"):
        read(hub("patients/jones", governance=Governance.credentialed))


def test_a_revision_of_a_folder_is_refused(tmp_path: Path) -> None:
    rows(0).save_to_disk(str(tmp_path / "saved"))
    assert refusal(hub(tmp_path / "saved", hf_revision="v2")).startswith("data.hf_revision=v2 has no meaning for the folder data.path=")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (datasets.exceptions.DatasetNotFoundError(SECRET), "nor a dataset of the Hugging Face hub that you may read"),
        (ValueError(f"Config name is missing.\n{SECRET}"), "it has several configurations"),
        (RuntimeError(f"Dataset scripts are no longer supported, but found {SECRET}"), "cannot read it (RuntimeError)"),
        (OSError(f"{SECRET}\n"), "cannot read it (OSError)"),
        (
            datasets.exceptions.DatasetNotFoundError(f"Revision 'v2' doesn't exist for dataset '{SECRET}' on the Hub."),
            "data.hf_revision=v2 is no commit, tag or branch of data.path=hub:owner/name",
        ),
    ],
)
def test_what_the_library_raises(monkeypatch: pytest.MonkeyPatch, error: Exception, expected: str) -> None:
    def load_dataset(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert expected in refusal(hub("hub:owner/name", hf_revision="v2"))


def test_code_in_a_folder_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "d.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert "the datasets library cannot read it" in refusal(hub(folder))
    assert not (tmp_path / "ran").exists()


def test_broken_folders(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "the datasets library cannot read it" in refusal(hub(tmp_path))
    (tmp_path / "train.jsonl").write_text(f'{{"report_id": {SECRET}\n')
    assert "the datasets library cannot read it" in refusal(hub(tmp_path))
    (tmp_path / "train.jsonl").unlink()
    (tmp_path / "train.csv").write_text(f"report_id,patient_id,text\n1,2,3\n1,2,{SECRET},4\n")
    assert "the datasets library cannot read it" in refusal(hub(tmp_path))
    assert SECRET not in "".join(capfd.readouterr())
    assert "is a file; give a dataset's folder" in refusal(hub(tmp_path / "train.csv"))


@pytest.mark.parametrize("broken", ["half", "text", "gone"])
def test_a_file_that_breaks_after_it_was_planned(tmp_path: Path, broken: str) -> None:
    datasets.Dataset.from_list([{"report_id": n, "patient_id": "p", "text": SECRET * 50} for n in range(50)]).save_to_disk(
        str(tmp_path / "saved")
    )
    data = hub(tmp_path / "saved")
    items = list(reading.plan(data, 0).items)
    (file,) = (tmp_path / "saved").glob("*.arrow")
    content = file.read_bytes()
    file.unlink()
    if broken != "gone":
        file.write_bytes(content[: len(content) // 2] if broken == "half" else content.replace(SECRET.encode(), b"\xff" * len(SECRET)))
    with pytest.raises(UserError, match=r"^data.path=.*saved, split 'all': no whole Arrow file; make or copy the dataset again$"):
        loaded(data, items)


def test_a_column_that_is_missing_and_a_row_that_is_wrong(tmp_path: Path) -> None:
    rows(0).save_to_disk(str(tmp_path / "saved"))
    assert "no column 'note'; set data.text_field to the right one" in refusal(hub(tmp_path / "saved", text_field="note"))
    assert "split 'all', row 1: column 'pixels' (data.text_field) holds no text" in refusal(hub(tmp_path / "saved", text_field="pixels"))
