"""Shards: in order and the same however many processes make them, not made twice, and no worker that outlives its parent."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from processes import left_behind, living
from reading_documents import SECRET

from radgpt.config import Data, Source
from radgpt.errors import UserError
from radgpt.records import Report, as_row
from radgpt.reports import reading, shards
from radgpt.reports.document import Document, Plan
from radgpt.reports.quality import Quality
from radgpt.reports.shards import Shard, folder_name, make_shards, worker_pool
from radgpt.workers import interrupts_held

LOAD = reading.load


@pytest.fixture(autouse=True)
def ten_reports_a_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only the process that hands out shards reads it.
    monkeypatch.setattr(shards, "SIZE", 10)


def table(path: Path, reports: int, workers: int = 1) -> Data:
    """So many reports in a JSONL file, every fourth without an impression; the first ten are long, so that later shards are done before."""
    with open(path, "w") as file:
        for number in range(reports):
            text = f"FINDINGS: Clear lungs, film {number}." + " No effusion." * (20_000 if number < 10 else 1)
            text += "" if number % 4 == 3 else "\nIMPRESSION: Normal."
            file.write(json.dumps({"report_id": f"r{number}", "patient_id": f"p{number // 2}", "text": text}) + "\n")
    return Data(source=Source.table, path=str(path), workers=workers)


def made(folder: Path, data: Data) -> list[Shard]:
    return list(make_shards(folder, data, reading.plan(data, 0)))


def joined(found: list[Shard]) -> tuple[bytes, bytes, dict[str, Any]]:
    """Rows, flagged rows and counts of all shards."""
    quality = Quality()
    for shard in found:
        quality.merge(shard.quality)
    return (
        b"".join(shard.reports.read_bytes() for shard in found),
        b"".join(shard.flagged.read_bytes() for shard in found),
        quality.as_json(),
    )


def ids(rows: bytes) -> list[str]:
    return [json.loads(line)["report_id"] for line in rows.splitlines()]


def stamps(folder: Path) -> dict[str, int]:
    """Finished shards and when they were."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}


@contextmanager
def threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """In the place of `worker_pool`, where a test is about what is handed out."""
    with ThreadPoolExecutor(workers) as pool:
        yield pool


def test_rows_and_counts_are_the_same_however_many_workers(tmp_path: Path) -> None:
    found = []
    for workers in (1, 2, 3):
        data = table(tmp_path / "in.jsonl", 47, workers)
        found.append(joined(made(tmp_path / f"by {workers}", data)))
    rows, flagged, counts = found[0]
    assert ids(rows) == [f"r{number}" for number in range(47)]
    assert flagged == b""
    assert json.loads(rows.splitlines()[11]) == as_row(
        Report(
            "r11",
            "p5",
            "FINDINGS: Clear lungs, film 11. No effusion.",
            {"findings": "Clear lungs, film 11. No effusion."},
            spans=[{"name": "findings", "header": "FINDINGS", "provenance": "header", "start": 10, "end": 44}],  # type: ignore[list-item]
        )
    )
    assert (counts["reports"], counts["narrative"]) == (47, {"both": 36, "findings": 11})
    assert found[1] == found[2] == found[0]


def test_flagged_rows_stand_apart(tmp_path: Path) -> None:
    rows = [
        {"report_id": "a", "patient_id": "p", "text": "IMPRESSION: Normal."},
        {"report_id": "b", "patient_id": "p", "text": "HISTORY: x."},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, flagged, counts = joined(made(tmp_path / "shards", Data(source=Source.table, path=str(tmp_path / "in.jsonl"), workers=1)))
    assert flagged == b'{"report_id":"b","flags":["no_narrative"]}\n'
    assert counts["flags"] == {"no_narrative": 1}


def test_no_reports_no_shards(tmp_path: Path) -> None:
    assert made(tmp_path / "shards", table(tmp_path / "in.jsonl", 0)) == []


@pytest.mark.parametrize(("asked", "started"), [(1, None), (2, 2), (4, 4), (9, 5)])
@pytest.mark.parametrize("told", [True, False])
def test_as_many_workers_as_asked_for_but_no_more_than_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int, started: int | None, told: bool
) -> None:
    pools = []

    def pool(workers: int) -> Any:
        pools.append(workers)
        return threads(workers)

    monkeypatch.setattr(shards, "worker_pool", pool)
    data = Data(synthetic_reports=41, workers=asked)
    plan = reading.plan(data, 0)
    found = list(make_shards(tmp_path, data, plan if told else Plan(plan.items)))
    assert [shard.quality.reports for shard in found] == [10, 10, 10, 10, 1]
    assert pools == ([] if started is None else [started])


def test_the_plan_is_taken_only_so_far_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "worker_pool", threads)
    data = Data(synthetic_reports=200, workers=2)
    taken = []
    plan = Plan(item for item in reading.plan(data, 0).items if not taken.append(item))
    found = make_shards(tmp_path, data, plan)
    next(found)
    assert len(taken) == shards.AHEAD * 2 * 10
    assert len(list(found)) == 19


def test_a_finished_shard_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = table(tmp_path / "in.jsonl", 25)
    folder = tmp_path / "shards"
    before = made(folder, data)
    assert sorted(path.name for path in folder.iterdir()) == [
        f"0000{number}.{kind}" for number in range(3) for kind in ("flagged.jsonl", "json", "jsonl")
    ]
    kept = before[1].reports.read_bytes().swapcase()
    before[1].reports.write_bytes(kept)
    (folder / "00002.json").unlink()
    (folder / "00002.jsonl").write_bytes(b'{"half a')
    first = stamps(folder)
    loaded = []

    def load(data: Data, items: Sequence[Any]) -> Iterator[Document]:
        loaded.append(len(items))
        return LOAD(data, items)

    monkeypatch.setattr(reading, "load", load)
    after = made(folder, data)
    assert loaded == [5]
    assert {name: stamps(folder)[name] for name in first} == first
    assert after[1].reports.read_bytes() == kept
    assert ids(after[2].reports.read_bytes()) == ["r20", "r21", "r22", "r23", "r24"]
    assert after == before


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b""), lambda path: path.unlink()])
def test_a_shard_that_a_power_cut_took_rows_from_is_made_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    data = table(tmp_path / "in.jsonl", 20)
    expected = joined(made(tmp_path / "shards", data))
    damage(tmp_path / "shards" / "00001.jsonl")
    (tmp_path / "shards" / "00000.json").write_bytes(b"{")
    assert joined(made(tmp_path / "shards", data)) == expected


def test_the_folder_is_another_one_for_other_code_sizes_and_tokenizers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reports" / "readers").mkdir(parents=True)
    code = [tmp_path / "records.py", tmp_path / "reports" / "shards.py", tmp_path / "reports" / "readers" / "new.py"]
    for path in code:
        path.write_text("")
    monkeypatch.setattr(shards, "__file__", str(code[1]))
    names = [folder_name(Data()), folder_name(Data(tokenizer="gpt2"))]
    assert folder_name(Data(workers=3)) == names[0]
    for path in code:
        path.write_text("x = 1")
        names.append(folder_name(Data()))
    monkeypatch.setattr(shards, "SIZE", 11)
    names.append(folder_name(Data()))
    assert len(set(names)) == 6
    assert all(name.startswith(".shards-") for name in names)


def test_an_error_of_the_user_comes_through_from_a_worker(tmp_path: Path) -> None:
    data = table(tmp_path / "in.jsonl", 35, workers=2)
    lines = Path(data.path or "").read_text().splitlines()
    lines[22] = SECRET
    Path(data.path or "").write_text("\n".join(lines))
    with pytest.raises(UserError) as caught:
        made(tmp_path / "shards", data)
    assert str(caught.value) == f"{data.path}, line 23: not a JSON object; mend or delete that line"
    assert {"00000.json", "00001.json"} <= stamps(tmp_path / "shards").keys()
    assert "00002.json" not in stamps(tmp_path / "shards")
    assert multiprocessing.active_children() == []


def test_an_error_of_the_plan_ends_the_workers(tmp_path: Path) -> None:
    def items() -> Iterator[Any]:
        yield from reading.plan(data, 0).items
        raise UserError("data.path=… ends too early")

    data = Data(synthetic_reports=45, workers=2)
    with pytest.raises(UserError, match="ends too early"):
        list(make_shards(tmp_path, data, Plan(items(), 90)))
    assert multiprocessing.active_children() == []


def test_a_killed_worker_is_told_of_and_finished_shards_stay(tmp_path: Path) -> None:
    data = Data(synthetic_reports=200, workers=2)
    folder = tmp_path / "shards"

    def items() -> Iterator[Any]:
        for number, item in enumerate(reading.plan(data, 0).items):
            if number == 150:
                while len(stamps(folder)) < 5:
                    time.sleep(0.01)
                victim = multiprocessing.active_children()[0].pid
                assert victim is not None
                os.kill(victim, signal.SIGKILL)
            yield item

    with pytest.raises(UserError) as caught:
        list(make_shards(folder, data, Plan(items(), 200)))
    assert str(caught.value) == (
        "a worker process was killed, most often for want of memory; free some, or set data.workers to less, and give the same command "
        "again: finished shards are kept"
    )
    assert multiprocessing.active_children() == []
    kept = stamps(folder)
    found = made(folder, data)
    assert {name: stamps(folder)[name] for name in kept} == kept
    assert joined(found) == joined(made(tmp_path / "another", Data(synthetic_reports=200, workers=1)))


def test_all_workers_start_at_once_and_leave_ctrl_c_to_the_parent() -> None:
    with worker_pool(3) as pool:
        assert len(multiprocessing.active_children()) == 3
        assert pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result() == {signal.SIGINT}
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_end_of_what_must_not_be_cut(number: signal.Signals) -> None:
    done = []
    previous = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts_held():
            signal.raise_signal(number)
            done.append("all of it")
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, previous)
    assert done == ["all of it"]


PARENT = """
import os, time
from radgpt.reports.shards import worker_pool

if __name__ == "__main__":
    with worker_pool(2) as pool:
        pool.submit(os.getpid).result()
        for _ in range(2):
            pool.submit(time.sleep, 600)
        print("at work", flush=True)
        time.sleep(600)
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, start_new_session=True)
    assert parent.stdout is not None and parent.stdout.readline() == b"at work\n"
    assert len(living(parent.pid)) > 2
    parent.kill()
    parent.wait()
    assert left_behind(parent.pid) == []
