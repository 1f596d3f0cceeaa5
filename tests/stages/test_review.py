"""A review from its command to its end: the page is served, decisions stand where it says, and the next review goes on from them."""

import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import jsonlines
import orjson
import pytest
from conftest import ROOT

from radgpt.config import Dataset, Review
from radgpt.errors import UserError
from radgpt.records import Generation, Instruction, Report, as_row
from radgpt.review.decisions import read_decisions
from radgpt.run import Run
from radgpt.stages import review

TEXT = "FINDINGS: Small left effusion, seen by nobody else."


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """Arguments that name a report, an instruction and its answer."""
    rows = {
        "reports": Report("r1", "p1", TEXT, {"findings": TEXT[10:]}),
        "instructions": Instruction("r1/0", "r1", "p1", "question_answering", "Is there an effusion?", "x"),
        "raw_answers": Generation("r1/0", "r1", "p1", "question_answering", "ok", "Yes, a small left effusion.", "x", "1", "t"),
    }
    for name, row in rows.items():
        with jsonlines.open(tmp_path / f"{name}.jsonl", "w") as file:
            file.write(as_row(row))
    return [f"inputs.{name}={tmp_path / name}.jsonl" for name in rows]


@contextmanager
def reviewing(tmp_path: Path, environment: dict[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A review under way, and the address that it printed; ended by SIGINT unless it has ended before."""
    command = [sys.executable, str(ROOT / "run.py"), "stage=review", "data=synthetic", "teacher=rules", "wandb=disabled", *arguments]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        printed = ""
        while not (found := re.search(r"http://\S+", printed)):
            line = process.stdout.readline()
            assert line, printed
            printed += line
        yield process, found.group()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def accept_first(address: str) -> None:
    """What the page does when its reader accepts the first answer."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.ProxyHandler({}))
    opener.open(address, timeout=10).read()
    base = address.partition("/?")[0]

    def send(path: str, body: object) -> dict[str, object]:
        request = urllib.request.Request(base + path, orjson.dumps(body), {"Content-Type": "application/json", "Origin": base})
        return orjson.loads(opener.open(request, timeout=10).read())

    view = send("/api/views", {"state": "any", "outcome": "any", "task": "any", "problems": False, "search": ""})["view"]
    while not orjson.loads(opener.open(f"{base}/api/status", timeout=10).read())["finished"]:
        pass
    shown = orjson.loads(opener.open(f"{base}/api/answers/0", timeout=10).read())
    made = {"view": view, "position": 0, "number": 0, "judged_sha256": shown["turns"][0]["judged_sha256"], "decision": "accept"}
    send("/api/decisions", made | {"instruction": None, "answer": None, "note": ""})


def test_a_review_ends_with_its_decisions_and_the_next_goes_on(tmp_path: Path, environment: dict[str, str], inputs: list[str]) -> None:
    with reviewing(tmp_path, environment, *inputs) as (process, address):
        accept_first(address)
    told = process.stdout.read()
    assert process.returncode == 0, told
    (file,) = tmp_path.glob("outputs/*/review/*/decisions.jsonl")
    assert f"1 decision (1 accepted, 0 rejected, 0 edited): {file}" in told
    assert f"stage=postprocess_answers dataset.decisions={file}" in told
    assert list(read_decisions(file)) == ["r1/0"]
    with reviewing(tmp_path, environment, *inputs) as (process, _):
        pass
    assert "1 decision (1 accepted" in process.stdout.read()
    assert len(list(tmp_path.glob("outputs/*/review/*/decisions.jsonl"))) == 2
    assert not list(tmp_path.glob("outputs/**/*.partial"))


def test_credentialed_decisions_are_closed_to_others_wherever_they_stand(
    tmp_path: Path, environment: dict[str, str], inputs: list[str]
) -> None:
    file = tmp_path / "elsewhere" / "mine.jsonl"
    file.parent.mkdir()
    file.touch(0o644)
    with reviewing(tmp_path, environment, *inputs, "data.governance=credentialed", f"review.decisions={file}") as (process, address):
        accept_first(address)
        process.send_signal(signal.SIGTERM)
        told = process.stdout.read()
    assert process.returncode == 0, told
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(read_decisions(file)) == ["r1/0"] and "effusion" not in told
    for made in (tmp_path / "outputs").rglob("*"):
        assert stat.S_IMODE(made.stat().st_mode) & 0o077 == 0


def test_answers_to_other_instructions_end_the_review(tmp_path: Path, inputs: list[str]) -> None:
    (tmp_path / "instructions.jsonl").write_text("")
    reads = [tmp_path / f"{name}.jsonl" for name in ("raw_answers", "instructions", "reports")]
    with pytest.raises(UserError, match="holds no instruction r1/0"):
        review.run(Run(directory=tmp_path, writes=review.WRITES), *reads, Dataset(), Review())


def test_a_taken_port_is_told(tmp_path: Path, inputs: list[str]) -> None:
    reads = [tmp_path / f"{name}.jsonl" for name in ("raw_answers", "instructions", "reports")]
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match=r"review\.port=[0-9]+ cannot be used"):
        review.run(Run(directory=tmp_path, writes=review.WRITES), *reads, Dataset(), Review(port=taken.getsockname()[1]))


def test_a_review_begins_with_the_decisions_that_the_dataset_names(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.jsonl"
    earlier.write_text('{"instruction_id": "r1/0", "decision": "accept", "judged_sha256": "x"}\n')
    run = Run(directory=tmp_path, writes=review.WRITES)
    assert review.earlier_decisions(run, Dataset(decisions=str(earlier))) == earlier
    review.begin_with(run.path("decisions"), earlier)
    assert read_decisions(run.path("decisions")) == read_decisions(earlier)
    assert review.earlier_decisions(run, Dataset()) is None
