"""The digest of what is read from outside changes with the reports and their lists, and with nothing else."""

import gzip
import os
from pathlib import Path

import pytest
from conftest import composed

from radgpt.cli import run
from radgpt.config import Config, Data, Governance, Source
from radgpt.errors import UserError
from radgpt.keys import key
from radgpt.reports import reading


def digest(path: Path | str, source: Source = Source.mimic_cxr, **settings: object) -> str | None:
    return reading.digest(Data(source=source, path=str(path), **settings))  # type: ignore[arg-type]


@pytest.fixture
def mimic(tmp_path: Path) -> Path:
    report = tmp_path / "mimic/files/p10/p10000032/s50000001.txt"
    report.parent.mkdir(parents=True)
    report.write_text("Clear.")
    return tmp_path / "mimic"


def test_a_tree_counts_by_its_reports_and_lists(mimic: Path) -> None:
    first = digest(mimic)
    (mimic / "files/p10/p10000032/s50000001").mkdir()
    (mimic / "files/p10/p10000032/s50000001/image.dcm").touch()
    (mimic / "LICENSE.txt").touch()
    assert digest(mimic) == first
    report = mimic / "files/p10/p10000032/s50000001.txt"
    os.utime(report, ns=(0, 0))
    touched = digest(mimic)
    (report.parent / "s50000002.txt").touch()
    more = digest(mimic)
    (mimic / "cxr-study-list.csv").write_text("subject_id,study_id,path\n10000032,50000001,files/p10/p10000032/s50000001.txt\n")
    listed = digest(mimic)
    assert len({first, touched, more, listed}) == 4
    (report.parent / "s50000003.txt").touch()
    assert digest(mimic) == listed
    os.utime(report, ns=(1, 1))
    assert digest(mimic) != listed


def test_jpg_lists_count_by_content_wherever_they_are(mimic: Path, tmp_path: Path) -> None:
    bare = digest(mimic)
    for name, content in (("one", b"a"), ("two", b"a"), ("three", b"b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mimic-cxr-2.0.0-split.csv.gz").write_bytes(gzip.compress(content, mtime=0))
        (tmp_path / name / f"{name}.txt").touch()
    one, two, three = (digest(mimic, jpg_path=str(tmp_path / name)) for name in ("one", "two", "three"))
    assert one == two
    assert len({bare, one, three}) == 3


def test_a_wrong_place_is_refused(mimic: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere does not exist"):
        digest(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"lies inside MIMIC-CXR's folder"):
        digest(mimic / "files")
    with pytest.raises(UserError, match=r"data\.jpg_path=.* is MIMIC-CXR, not MIMIC-CXR-JPG"):
        digest(mimic, jpg_path=str(mimic))


def test_a_folder_counts_by_names_sizes_and_times(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/train.jsonl", "b.jsonl", "a.jsonl"):
        (tmp_path / name).write_text("x")
    first = digest(tmp_path, Source.table)
    assert digest(tmp_path, Source.table) == first
    (tmp_path / "b/train.jsonl").rename(tmp_path / "b/test.jsonl")
    assert digest(tmp_path, Source.table) != first


@pytest.mark.parametrize("source", [Source.table, Source.mimic_cxr])
def test_a_job_lists_a_folder_once_and_the_next_one_anew(
    monkeypatch: pytest.MonkeyPatch, mimic: Path, tmp_path: Path, source: Source
) -> None:
    taken = []

    def run_stage(config: Config, *_: object) -> dict[str, float]:
        """A stage that asks twice, while a report comes in."""
        taken.append(reading.digest(config.data))
        (mimic / f"files/p10/p10000032/s5000001{len(taken)}.txt").touch()
        taken.append(reading.digest(config.data))
        return {}

    monkeypatch.setattr("radgpt.execute.run_stage", run_stage)
    config = Config(stage="preprocess", outputs=str(tmp_path / "outputs"), data=Data(source=source, path=str(mimic)))
    for _ in range(2):
        run(config, [])
    assert taken[0] == taken[1] != taken[2] == taken[3]


def test_what_is_on_the_hub_counts_by_id(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner/name").mkdir(parents=True)
    assert digest("hub:owner/name", Source.huggingface) == "hub owner/name" != digest("owner/name", Source.huggingface)
    assert digest("owner/other", Source.huggingface, governance=Governance.open) == "hub owner/other"


def test_a_revision_is_in_the_key() -> None:
    def keyed(revision: str) -> str:
        return key(composed("data=huggingface", "data.path=hub:owner/name", f"data.hf_revision={revision}"), "preprocess")

    assert keyed("v1") == keyed("v1") != keyed("v2")


def test_made_up_reports_have_none() -> None:
    assert reading.digest(Data()) is None


def test_a_folder_that_must_not_be_read(monkeypatch: pytest.MonkeyPatch, mimic: Path) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/forbidden")

    monkeypatch.setattr("os.scandir", forbidden)
    with pytest.raises(UserError, match=r"^data.path=.*mimic: no permission to read /forbidden$"):
        digest(mimic, Source.table)


def test_a_folder_whose_files_vanish(monkeypatch: pytest.MonkeyPatch, mimic: Path) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/gone")

    monkeypatch.setattr("os.scandir", gone)
    with pytest.raises(UserError, match=r"^data.path=.*mimic: files vanish from it while they are looked at"):
        digest(mimic, Source.table)


def test_how_instructions_are_deduplicated_costs_no_new_pass_of_the_teacher(tmp_path: Path) -> None:
    earlier = tmp_path / "instructions.jsonl"
    earlier.touch()
    plain = composed()
    for setting in ("instructions.max_rouge_l=0.5", "instructions.duplicates=run", f"instructions.earlier=[{earlier}]"):
        changed = composed(setting)
        assert key(changed, "generate_instructions") == key(plain, "generate_instructions")
        assert key(changed, "postprocess_instructions") != key(plain, "postprocess_instructions")
    assert key(composed("instructions.per_report=3"), "generate_instructions") != key(plain, "generate_instructions")
