"""The API's server answers the official client as the exported model does, and leaves nothing running, whoever ends it and however."""

import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from processes import left_behind, living
from trained_checkpoints import full_checkpoint, load_trained

from radgpt.config import ApiEngine, Decoding, Export, Serve
from radgpt.errors import UserError
from radgpt.serving import api, engines
from radgpt.serving.api import served

MESSAGES = [{"role": "user", "content": "Is there an effusion?"}]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model as `stage=export` writes it, greedy, eight tokens an answer."""
    from small_training import MODEL

    from radgpt.export.folder import write_model

    folder = tmp_path_factory.mktemp("exported")
    checkpoint = full_checkpoint(tmp_path_factory.mktemp("checkpoint") / "checkpoint")
    network, tokenizer = load_trained(checkpoint, MODEL, folder)
    write_model(network, tokenizer, Decoding(do_sample=False, repetition_penalty=1.0, max_new_tokens=8), Export(dtype="float32"), folder)
    return folder


def text_of(folder: Path) -> str:
    """What plain transformers answers."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    ids = network.generate(**prompt, max_new_tokens=8, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    return tokenizer.decode(ids, skip_special_tokens=True)


def session_of(log: Path) -> int:
    """The session of the server that printed its number."""
    return int(log.read_text().split()[0])


@pytest.mark.slow
def test_official_client_gets_the_exported_models_answers_until_the_end(exported: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="transformers[serving] is not installed (pip install -e '.[api]')")
    from openai import OpenAI

    said: list[str] = []
    log = tmp_path / "api.log"
    with served(exported, Serve(api=True, api_port=0), log, said.append) as check:
        check()
        told = said[-1].split()
        root = next(word for word in told if word.startswith("http")).rstrip(",")
        assert str(exported) in told and "curl" in told
        client = OpenAI(base_url=root, api_key="none", max_retries=0, timeout=60)
        wanted = text_of(exported)
        whole = client.chat.completions.create(model=str(exported), messages=MESSAGES, max_tokens=8)
        assert whole.choices[0].message.content == wanted
        stream = client.chat.completions.create(model=str(exported), messages=MESSAGES, max_tokens=8, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == wanted
        session = next(child.pid for child in psutil.Process().children() if str(exported) in child.cmdline())
        assert len(living(session)) >= 2
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert MESSAGES[0]["content"] not in log.read_text()
    assert living(session) == []


PARENT = """
import sys, time
from pathlib import Path
from radgpt.serving import api
process = api.start([sys.executable, "-c", {child!r}], Path({log!r}))
print("started", flush=True)
time.sleep(60)
"""

STUBBORN = """
import os, signal, subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(os.getsid(0), flush=True)
time.sleep(60)
"""


def printed_session(log: Path) -> int:
    deadline = time.monotonic() + 20
    while not (log.exists() and log.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return session_of(log)


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = PARENT.format(child=STUBBORN, log=str(log))
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    session = printed_session(log)
    assert len(living(session)) == 3  # the minder, the server and what the server started
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert left_behind(session) == []


def test_a_server_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + STUBBORN
    quick = tmp_path / "minder.py"
    quick.write_text(Path(api.minder.__file__).read_text().replace("GRACE = 10.0", "GRACE = 0.3"))
    monkeypatch.setattr(api.minder, "__file__", str(quick))
    process = api.start([sys.executable, "-c", deaf], log)
    session = printed_session(log)
    api.end(process)
    assert left_behind(session, seconds=1) == []


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """A server that does what its script says, instead of a real one."""
    command = [sys.executable, "-c", "import sys; print('a prompt'); sys.exit(3)"]
    monkeypatch.setattr(api, "engine_for", lambda kind, folder, port: engines.Engine(command, warm_up=False, notes=()))
    yield command


def test_a_server_that_dies_is_told_without_its_words(fake_engine: list[str], tmp_path: Path) -> None:
    line = r"serve.api_engine=transformers: its server ended with code 3; .*api.log says why"
    with pytest.raises(UserError, match=line) as told, served(tmp_path, Serve(api_port=0), tmp_path / "api.log", print):
        pass
    assert "a prompt" not in str(told.value) and "a prompt" in (tmp_path / "api.log").read_text()


def test_a_server_that_never_answers_is_ended(fake_engine: list[str], tmp_path: Path) -> None:
    fake_engine[2] = "import os, time; print(os.getsid(0), flush=True); time.sleep(60)"
    serve = Serve(api_port=0, start_timeout=1)
    with pytest.raises(UserError, match=r"serve.start_timeout=1: "), served(tmp_path, serve, tmp_path / "api.log", print):
        pass
    assert left_behind(session_of(tmp_path / "api.log"), seconds=1) == []


def test_a_taken_port_is_refused() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"serve.api_port={port} cannot be used"):
            api.free_port(port)


def test_vllm_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"serve.api_engine=vllm: there is no command vllm on PATH"):
        engines.engine_for(ApiEngine.vllm, tmp_path, 8000)
    program = tmp_path / "vllm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    engine = engines.engine_for(ApiEngine.vllm, Path("/models/x"), 8000)
    assert engine.command == [str(program), "serve", "/models/x", "--host", "127.0.0.1", "--port", "8000"]


def test_pages_of_a_cpu_follow_from_memory() -> None:
    config = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 32}
    # 2 (keys, values) x 4 bytes x 2 layers x 2 heads x 8 wide = 256 bytes a token, 8,192 a page; a quarter of the memory holds 100.
    assert engines.cpu_pages(config, free=4 * 100 * 8192) == 100
    assert engines.cpu_pages(config, free=10**12) == 512
    assert engines.cpu_pages(config, free=0) == 16


def test_what_the_server_leaves_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text('{"repetition_penalty": 1.2}')
    assert "repetition_penalty=1.2" in engines.notes_of(tmp_path)[-1]
    (tmp_path / "generation_config.json").write_text("{}")
    assert len(engines.notes_of(tmp_path)) == 1
    with pytest.raises(UserError, match="is no exported model"):
        engines.notes_of(tmp_path / "missing")
