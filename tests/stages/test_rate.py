"""Ratings outlive the page, go on in the next run with those of other raters, and stay closed where reports are."""

import json
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
import pytest
from conftest import ROOT
from rating_desk import ROWS

from radgpt.config import Rate
from radgpt.errors import UserError
from radgpt.evaluation.judge.human_scores import read_human_scores
from radgpt.rating.ledger import Rating, open_ledger, read_ratings
from radgpt.records import as_row
from radgpt.run import Run
from radgpt.stages import rate


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    with jsonlines.open(tmp_path / "compared_answers.jsonl", "w") as file:
        file.write_all(map(as_row, ROWS))
    return tmp_path / "compared_answers.jsonl"


@contextmanager
def rating(tmp_path: Path, environment: dict[str, str], *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A rating under way, and the address that it printed; ended by SIGINT unless it has ended before."""
    command = [sys.executable, str(ROOT / "run.py"), "stage=rate", "data=synthetic", "wandb=disabled", *arguments]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        printed = ""
        while not (found := re.search(r"http://\S+", printed)):
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, printed
            printed += line
        yield process, found.group()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def grade_first(address: str, score: int) -> None:
    """What the page does when a rater grades the accuracy of the first answer."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.ProxyHandler({}))
    opener.open(address, timeout=10).read()
    base = address.partition("/?")[0]
    question = json.loads(opener.open(f"{base}/api/questions/0", timeout=10).read())
    body = json.dumps({"number": 0, "sha256": question["sha256"], "answer": 0, "criterion": "accuracy", "score": score}).encode()
    headers = {"Content-Type": "application/json", "Origin": base}
    opener.open(urllib.request.Request(f"{base}/api/grades", body, headers), timeout=10).read()


@pytest.mark.slow
def test_each_run_goes_on_from_all_raters_before_it(tmp_path: Path, environment: dict[str, str], answers: Path) -> None:
    given = f"inputs.compared_answers={answers}"
    with rating(tmp_path, environment, given, "rate.rater=rose", "data.governance=credentialed") as (process, address):
        grade_first(address, 4)
        (table,) = tmp_path.glob("outputs/*/rate/*/ratings.csv")
        first = read_human_scores(table)
        assert {(score.criterion, score.score, score.rater) for score in first} == {("accuracy", 4.0, "rose")}
    assert process.stdout is not None
    told = process.stdout.read()
    assert process.returncode == 0, told
    assert f"1 rating by rose, 0 of 3 questions complete: {table.relative_to(tmp_path)}" in told
    assert f"evaluation.human_scores={table}" in told
    assert "effusion" not in told and "tuned" not in told
    for made in (tmp_path / "outputs").rglob("*"):
        assert stat.S_IMODE(made.stat().st_mode) & 0o077 == 0
    with rating(tmp_path, environment, given, "rate.rater=mary", "data.governance=credentialed") as (process, address):
        grade_first(address, 1)
        process.send_signal(signal.SIGKILL)
    newest = max(tmp_path.glob("outputs/*/rate/*/ratings.csv"))
    assert [(score.score, score.rater) for score in read_human_scores(newest)][-1] == (1.0, "mary")
    assert {score.rater for score in read_human_scores(newest)} == {"rose", "mary"}
    with rating(tmp_path, environment, given, "rate.rater=mary", "data.governance=credentialed") as (process, _):
        pass
    assert process.stdout is not None
    told = process.stdout.read()
    assert "1 rating by mary" in told and "With the ratings of 1 other rater" in told


def in_process(tmp_path: Path) -> Run:
    return Run(directory=tmp_path / "run", writes=rate.WRITES)


def test_nothing_to_rate_is_told(tmp_path: Path, answers: Path) -> None:
    answers.write_text("")
    with pytest.raises(UserError, match="holds no answers"):
        rate.run(in_process(tmp_path), answers, Rate(), 0)


def test_a_taken_port_is_told(tmp_path: Path, answers: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match=r"rate\.port=[0-9]+ cannot be used"):
        rate.run(in_process(tmp_path), answers, Rate(port=taken.getsockname()[1], rater="rose"), 0)


def test_a_rubric_that_is_none_is_told(tmp_path: Path, answers: Path) -> None:
    with pytest.raises(UserError, match=r"rate\.rubric=none\.yaml: cannot be read"):
        rate.run(in_process(tmp_path), answers, Rate(rubric="none.yaml"), 0)


def test_files_of_one_rater_become_one(tmp_path: Path) -> None:
    def given(score: int, second: int) -> Rating:
        return Rating("r1/0", "accuracy", ["a"], score, "", "", "rose", f"2026-01-01T00:00:0{second}+00:00")

    earlier = []
    for run, name, rated in (("1", "rose", given(2, 1)), ("2", "rose", given(3, 2)), ("2", "mary", given(4, 1))):
        path = tmp_path / run / f"{name}.jsonl"
        with open_ledger(path) as ledger:
            ledger.append(rated)
        earlier.append(path)
    rate.begin_with(tmp_path / "new", earlier)
    assert {path.name: [one.score for one in read_ratings(path)] for path in (tmp_path / "new").iterdir()} == {
        "rose.jsonl": [2, 3], "mary.jsonl": [4],
    }  # fmt: skip


def test_every_rater_has_a_file_whatever_the_name() -> None:
    names = ["rose", "Dr. Rose", "Dr_ Rose", "../rose", "李", "", "r" * 300]
    files = [rate.file_name(name) for name in names]
    assert files[0] == "rose.jsonl" and len(set(files)) == len(names)
    assert all(re.fullmatch(r"[\w]{0,60}\.jsonl", file) for file in files)
