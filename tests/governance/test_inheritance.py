"""The strictest class of all that a run reads is the run's, whatever `data.governance` says; keys stay as they are."""

import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from conftest import composed
from wire import ATTESTED, PUBLIC, attest, wired

from radgpt import stages
from radgpt.config import Governance
from radgpt.execute import run_stage
from radgpt.governance.inheritance import inherited, is_stricter, recorded
from radgpt.keys import key
from radgpt.records import Generation, read_records

FEW = ("data.synthetic_reports=12", "wandb=disabled")


@dataclass(frozen=True)
class Source:
    """A finished credentialed run of `preprocess`."""

    reports: Path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, radgpt: Callable[..., subprocess.CompletedProcess[str]]) -> Source:
    folder = tmp_path_factory.mktemp("source")
    done = radgpt(*FEW, "stage=preprocess", "data.governance=credentialed", cwd=folder)
    assert done.returncode == 0, done.stderr
    (reports,) = folder.glob("outputs/demo/preprocess/*/reports.jsonl")
    return Source(reports)


def told(outputs: Path, stage: str) -> dict:
    (file,) = outputs.glob(f"demo/{stage}/*/manifest.json")
    return json.loads(file.read_text())


def open_to_others(folder: Path) -> list[str]:
    """What under a folder, and the folder itself, anybody else may read, write or search."""
    return [str(path) for path in (folder, *folder.rglob("*")) if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077]


def run_folder(folder: Path, **told: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"stage": "preprocess", "key": "k"} | told))
    (folder / "reports.jsonl").write_text("")
    return folder


@pytest.mark.parametrize(
    ("told", "governance"),
    [
        ({"governance": "open"}, Governance.open),
        ({"governance": "restricted"}, Governance.restricted),
        ({"governance": "synthetic"}, Governance.synthetic),
        ({"governance": "secret"}, Governance.credentialed),
        ({"governance": None}, Governance.credentialed),
        ({}, Governance.credentialed),
    ],
)
def test_what_a_manifest_says_and_the_unknown_is_credentialed(told: dict, governance: Governance, tmp_path: Path) -> None:
    assert recorded(run_folder(tmp_path / "run", **told) / "reports.jsonl") is governance


@pytest.mark.parametrize("damaged", ["{", "", "\udcff"])
def test_a_damaged_manifest_frees_nothing(damaged: str, tmp_path: Path) -> None:
    reports = run_folder(tmp_path / "run", governance="open") / "reports.jsonl"
    (tmp_path / "run" / "manifest.json").write_bytes(damaged.encode(errors="surrogateescape"))
    assert recorded(reports) is Governance.credentialed


def test_only_a_run_has_a_class(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"name": "a web page's"}))
    (tmp_path / "reports.jsonl").write_text("")
    assert recorded(tmp_path / "reports.jsonl") is None
    assert recorded(tmp_path / "no such file") is None


def test_the_strictest_of_all_folders_above_counts_and_links_hide_nothing(tmp_path: Path) -> None:
    outer = run_folder(tmp_path / "outer", governance="credentialed")
    inner = run_folder(outer / "deep" / "inner", governance="open")
    assert recorded(inner / "reports.jsonl") is Governance.credentialed
    assert recorded(inner) is Governance.credentialed
    (tmp_path / "link.jsonl").symlink_to(inner / "reports.jsonl")
    assert recorded(tmp_path / "link.jsonl") is Governance.credentialed
    (outer / "away.jsonl").symlink_to(tmp_path / "plain.jsonl")
    (tmp_path / "plain.jsonl").write_text("")
    assert recorded(outer / "away.jsonl") is Governance.credentialed


def test_the_order_of_the_classes() -> None:
    names = [Governance.synthetic, Governance.open, Governance.restricted, Governance.credentialed]
    assert all(is_stricter(later, earlier) for earlier, later in pairwise(names))
    assert not is_stricter(Governance.open, Governance.open)


@pytest.mark.parametrize(
    ("stage", "setting"),
    [
        ("preprocess", "data.path"),
        ("finetune", "model.name_or_path"),
        ("finetune", "tuning.init_from"),
        ("chat", "chat.report"),
        ("evaluate", "inputs.predictions"),
    ],
)
def test_other_files_that_a_stage_reads_count_too(stage: str, setting: str, tmp_path: Path) -> None:
    """Files of settings that the stage does not use do not."""
    file = run_folder(tmp_path / "run", governance="credentialed") / "reports.jsonl"
    config = composed(*(["data=jsonl"] if stage == "preprocess" else []), "data.governance=open", f"{setting}={file}")
    reads = {"predictions": {"path": str(file)}} if stage == "evaluate" else {}
    raised, by = inherited(config, stages.load(stage), reads)
    assert (raised.data.governance, by) == (Governance.credentialed, setting)
    assert config.data.governance is Governance.open
    assert inherited(config, stages.load("postprocess_instructions"), {}) == (config, None)


def test_typing_open_frees_nothing_and_every_later_run_inherits(source: Source, radgpt: Callable, tmp_path: Path) -> None:
    settings = [*FEW, "data.governance=open", f"inputs.reports={source.reports}"]
    done = radgpt(*settings, "pipeline=[generate_instructions,postprocess_instructions]", "wandb=offline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    outputs = tmp_path / "outputs"
    assert "generate_instructions: treated as credentialed, not open (data.governance): inputs.reports is from such a run" in done.stdout
    for stage in ("generate_instructions", "postprocess_instructions"):
        assert done.stdout.count(f"{stage}: treated as credentialed") == 1
        assert told(outputs, stage)["governance"] == "credentialed"
        (resolved,) = outputs.glob(f"demo/{stage}/*/.hydra/config.yaml")
        assert yaml.safe_load(resolved.read_text())["data"]["governance"] == "credentialed"
    assert open_to_others(outputs) == []
    assert "yours to decide: wandb sync" in done.stdout

    # What was derived counts by its own manifest, three steps from the source.
    (instructions,) = outputs.glob("demo/postprocess_instructions/*/instructions.jsonl")
    config = composed("data.governance=open", f"inputs.instructions={instructions}")
    raised, by = inherited(config, stages.load("generate_answers"), {"instructions": {"path": str(instructions)}})
    assert (raised.data.governance, by) == (Governance.credentialed, "inputs.instructions")


def test_a_copy_outside_of_any_run_keeps_the_configs_class_and_the_same_key(source: Source, radgpt: Callable, tmp_path: Path) -> None:
    copy = tmp_path / "reports.jsonl"
    shutil.copy(source.reports, copy)
    settings = [*FEW, "data.governance=open", "stage=generate_instructions"]
    done = radgpt(*settings, f"inputs.reports={copy}", cwd=tmp_path)
    assert done.returncode == 0 and "treated as" not in done.stdout, done.stderr
    outputs = tmp_path / "outputs"
    before = told(outputs, "generate_instructions")
    assert before["governance"] == "open" and open_to_others(outputs) != []
    paths = (f"inputs.reports={copy}", f"inputs.reports={source.reports}")
    assert {key(composed(*settings, path), "generate_instructions") for path in paths} == {before["key"]}

    # The same bytes, known to be credentialed by now: the finished run stands, and is closed.
    again = radgpt(*settings, f"inputs.reports={source.reports}", cwd=tmp_path)
    assert "treated as credentialed" in again.stdout and "generate_instructions: done already, skipped" in again.stdout, again.stderr
    assert told(outputs, "generate_instructions") == before | {"governance": "credentialed"}
    (directory,) = outputs.glob("demo/generate_instructions/*")
    assert open_to_others(directory) == []


def test_the_gate_obeys_the_inherited_class(source: Source, radgpt: Callable, tmp_path: Path) -> None:
    settings = [*FEW, "data.governance=open", "teacher=openai", "stage=generate_instructions", f"inputs.reports={source.reports}"]
    done = radgpt(*settings, cwd=tmp_path, OPENAI_API_KEY="key", HTTPS_PROXY="http://127.0.0.1:9/")
    assert done.returncode == 2 and "24 September 2025" in done.stderr and "api.openai.com" in done.stderr
    assert not list(tmp_path.glob("outputs/demo")), "refused before a folder is made"


def test_the_attestation_stands_in_rows_journal_and_manifest_and_in_no_key(
    tmp_path: Path, pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    attestation = attest(tmp_path, date.today().isoformat())
    teacher = ("teacher=local", f"teacher.base_url=https://{ATTESTED}/v1", "data.governance=credentialed")
    config = composed(*FEW, *teacher, f"governance.attestation={attestation}")
    assert key(config, "generate_instructions") == key(composed(*FEW, *teacher), "generate_instructions")
    run_stage(config, "preprocess", [])
    with wired(monkeypatch, pem, [PUBLIC]) as wire:
        run_stage(config, "generate_instructions", [])
    assert wire.received
    digest = told(tmp_path / "outputs", "generate_instructions")["attestation_sha256"]
    assert len(digest) == 64 and told(tmp_path / "outputs", "preprocess")["attestation_sha256"] is None
    (rows,) = tmp_path.glob("outputs/demo/generate_instructions/*/raw_instructions.jsonl")
    assert {row.attestation_sha256 for row in read_records(rows, Generation)} == {digest}
    (journal,) = tmp_path.glob("outputs/demo/generate_instructions/*/journal.jsonl")
    assert {json.loads(line)["attestation_sha256"] for line in journal.read_text().splitlines()} == {digest}
