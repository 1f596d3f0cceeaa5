"""The two teacher stages, as a user starts them, against an OpenAI-compatible server that fails now and then."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from conftest import ROOT
from fake_openai import FakeOpenAI, serve

from radgpt.records import Generation, Pair, read_records

DATA_STAGES = "pipeline=[preprocess,generate_instructions,postprocess_instructions,generate_answers,postprocess_answers]"


def reply(messages: list[dict[str, str]]) -> str:
    """A question to whoever asks for an instruction, else an answer; both short and different from prompt to prompt."""
    asked = messages[-1]["content"]
    number = sum(map(ord, asked)) % 97
    if "other reports" in asked:
        return f'1. "{("What", "How", "Where")[number % 3]} is the heart described in this report?"'
    return f"The heart is described as normal, in the words of line {number}."


def settings(server: FakeOpenAI) -> list[str]:
    teacher = [f"teacher.base_url={server.base_url}", "teacher.model=fake", "teacher.timeout=2", "teacher.max_in_flight=4"]
    return ["data.synthetic_reports=20", "dataset.min_faithfulness=0", "wandb=disabled", "teacher=local", *teacher]


def outcomes(outputs: Path, stage: str, file: str) -> Counter[str]:
    (path,) = outputs.glob(f"demo/{stage}/*/{file}")
    return Counter(row.outcome for row in read_records(path, Generation))


def test_faults_lose_no_row_and_a_second_run_sends_nothing(radgpt: Callable, tmp_path: Path) -> None:
    faults = {"*": ["429-ms", "ok", "500", "ok", "hang", "429-ms", "503", "ok", "drop", "html"]}
    with serve(faults, reply=reply) as server:
        done = radgpt(*settings(server), DATA_STAGES, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert outcomes(tmp_path / "outputs", "generate_instructions", "raw_instructions.jsonl") == {"ok": 40}
        raw = outcomes(tmp_path / "outputs", "generate_answers", "raw_answers.jsonl")
        assert set(raw) == {"ok"} and raw["ok"] >= 20
        assert server.paths == {"/v1/chat/completions"}
        sent = server.asked.total()
        assert sent > 40 + raw["ok"]
        (dataset,) = (tmp_path / "outputs").glob("demo/postprocess_answers/*/dataset")
        assert any("described as normal" in pair.reference for pair in read_records(dataset / "train.jsonl", Pair))

        again = radgpt(*settings(server), DATA_STAGES, cwd=tmp_path)
        assert "generate_answers: done already, skipped" in again.stdout
        assert server.asked.total() == sent


def test_the_same_request_is_not_paid_for_again_by_a_run_with_other_settings(radgpt: Callable, tmp_path: Path) -> None:
    with serve(reply=reply) as server:
        first = radgpt(*settings(server), DATA_STAGES, cwd=tmp_path)
        assert first.returncode == 0, first.stderr
        sent = server.asked.total()
        changed = [*settings(server), "instructions.max_words=59", "name=other"]
        foreseen = radgpt(*changed, "stage=generate_instructions", "dry_run=true", cwd=tmp_path)
        assert "40 answered in the journal already, 0 to ask" in foreseen.stdout, foreseen.stdout + foreseen.stderr
        again = radgpt(*changed, DATA_STAGES, "teacher.budget.requests=1", cwd=tmp_path)
        assert again.returncode == 0 and "done already" not in again.stdout.partition("[2/5]")[2], again.stdout + again.stderr
        assert server.asked.total() == sent


def test_failed_rows_and_only_those_are_asked_again_by_the_same_command(radgpt: Callable, tmp_path: Path) -> None:
    with serve({"*": ["ok", "500", "500"]}, reply=reply) as server:
        command = [*settings(server), "teacher.max_attempts=1", "pipeline=[preprocess,generate_instructions,postprocess_instructions]"]
        first = radgpt(*command, cwd=tmp_path)
        assert first.returncode == 0 and "rows that failed: 2; the same command" in first.stderr, first.stderr
        unreachable = radgpt(*command, "teacher.base_url=http://127.0.0.1:9/v1", cwd=tmp_path)
        assert unreachable.returncode == 2 and "no server can be reached" in unreachable.stderr
        assert "skipped" in radgpt(*command, "stage=postprocess_instructions", cwd=tmp_path).stdout  # its input still counts
        again = radgpt(*command, cwd=tmp_path)
        assert again.returncode == 0 and "generate_instructions: continuing" in again.stdout, again.stderr
        assert outcomes(tmp_path / "outputs", "generate_instructions", "raw_instructions.jsonl") == {"ok": 40}
        assert server.asked.total() == 40 + 2
        assert "generate_instructions: done already" in radgpt(*command, cwd=tmp_path).stdout


def test_a_forced_pass_that_was_cut_off_goes_on_by_the_same_command(radgpt: Callable, tmp_path: Path) -> None:
    with serve(reply=reply) as server:
        command = [*settings(server), "pipeline=[preprocess,generate_instructions]"]
        assert radgpt(*command, cwd=tmp_path).returncode == 0
        forced = [*settings(server), "stage=generate_instructions", "force=true"]
        assert radgpt(*forced, "teacher.budget.requests=10", cwd=tmp_path).returncode == 2
        assert server.asked.total() == 40 + 10
        assert "continuing" in radgpt(*forced, cwd=tmp_path).stdout
        assert server.asked.total() == 40 + 40
        radgpt(*forced, cwd=tmp_path)
        assert server.asked.total() == 40 + 40 + 40


def test_kill_9_pays_again_for_no_more_than_was_under_way(environment: dict[str, str], radgpt: Callable, tmp_path: Path) -> None:
    with serve(reply=reply, latency=0.05) as server:
        command = [sys.executable, str(ROOT / "run.py"), *settings(server), DATA_STAGES]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while server.answered.total() < 15 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        (manifest,) = (tmp_path / "outputs").glob("demo/generate_instructions/*/manifest.json")
        assert json.loads(manifest.read_text())["status"] == "running"

        done = radgpt(*settings(server), "stage=generate_instructions", cwd=tmp_path)
        assert done.returncode == 0 and "generate_instructions: continuing" in done.stdout, done.stderr
        assert outcomes(tmp_path / "outputs", "generate_instructions", "raw_instructions.jsonl") == {"ok": 40}
        # Rows with one prompt are one row to the server, so payments are counted over all.
        assert 40 <= server.answered.total() <= 40 + 4


def test_a_cap_in_dollars_on_a_model_without_a_price_is_refused_before_a_folder_is_made(radgpt: Callable, tmp_path: Path) -> None:
    command = ["data.synthetic_reports=10", "wandb=disabled", "teacher=openai", "teacher.model=mine", "teacher.budget.usd=1"]
    done = radgpt(*command, "pipeline=[preprocess,generate_instructions]", cwd=tmp_path, OPENAI_API_KEY="sk-test")
    assert done.returncode == 2 and "teacher.prices" in done.stderr and "Traceback" not in done.stderr
    assert [folder.name for folder in (tmp_path / "outputs" / "demo").iterdir()] == ["preprocess"]
