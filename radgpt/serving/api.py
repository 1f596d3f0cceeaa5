"""Start an OpenAI-compatible server on the exported model, wait until it answers, and end it with all that it started."""

import http.client
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from radgpt.config import Serve
from radgpt.errors import UserError
from radgpt.serving import minder
from radgpt.serving.engines import ADDRESS, QUIET, Engine, engine_for

PATIENCE = 15.0
"""Seconds between two lines that say that it is still loading."""


@contextmanager
def served(folder: Path, serve: Serve, log: Path, say: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Serve an exported model for the block; gives what looks whether the server still lives.

    Args:
        folder: the exported model.
        serve: engine, port and how long it may take to load.
        log: gets what the server prints, which may hold prompts: readable by its owner alone.
        say: prints a line.

    Raises:
        UserError: the port is taken, or the server is not installed, does not start, or ended by itself (from what the block is given).
    """
    port = free_port(serve.api_port)
    folder = folder.resolve()
    engine = engine_for(serve.api_engine, folder, port)
    say(f"serve: {serve.api_engine.value} loads {folder}; what it prints goes to {log}")
    process = start(engine.command, log)

    def check() -> None:
        if (code := process.poll()) is not None:
            raise UserError(f"serve.api_engine={serve.api_engine.value}: its server ended with code {code}; {log} says why")

    try:
        wait_until_healthy(port, serve.start_timeout, check, say)
        if engine.warm_up:
            settle_sampling(port, str(folder))
        say(announcement(engine, str(folder), port))
        yield check
    finally:
        end(process)


def free_port(wanted: int) -> int:
    """The port, or a free one for 0; raises UserError where somebody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, wanted))
        except OSError as error:
            raise UserError(f"serve.api_port={wanted} cannot be used ({error.strerror}); choose another, or 0 for a free one") from None
        return probe.getsockname()[1]


def start(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    """The command under a minder that ends it when this process does."""
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
        return subprocess.Popen(
            [sys.executable, "-I", minder.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | QUIET,
            start_new_session=True,  # Ctrl-C is for us, who end it in order
        )


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask the server to end, insist after a while, and return once nothing of it is left."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def wait_until_healthy(port: int, timeout: float, check: Callable[[], None], say: Callable[[str], None]) -> None:
    """Return once the server says that it is well; raises UserError after `timeout` seconds, or what `check` raises."""
    began = told = time.monotonic()
    while not is_healthy(port):
        check()
        now = time.monotonic()
        if now - began > timeout:
            raise UserError(f"serve.start_timeout={timeout:g}: the API's server did not answer within so many seconds; raise it")
        if now - told > PATIENCE:
            told = now
            say(f"serve: still loading after {now - began:.0f} s")
        time.sleep(0.1)
    check()  # it was ours that answered


def is_healthy(port: int) -> bool:
    """Whether GET /health says 200."""
    try:
        return asked(port, "GET", "/health", None, timeout=5) == 200
    except (OSError, http.client.HTTPException):
        return False


def settle_sampling(port: int, model: str) -> None:
    """Ask for one token with nothing but defaults: transformers samples all later requests as it did the first."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    try:
        status = asked(port, "POST", "/v1/chat/completions", body, timeout=600)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"the API's server answered no first question ({type(error).__name__}); its log says why") from None
    if status != 200:
        raise UserError(f"the API's server refused a first question (HTTP {status}); its log says why")


def asked(port: int, method: str, path: str, body: object, timeout: float) -> int:
    """The status of one request, straight to this machine whatever proxies the environment names."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=timeout)
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def announcement(engine: Engine, model: str, port: int) -> str:
    """What is printed once it answers: where, under which name, and how to try it."""
    root = f"http://{ADDRESS}:{port}/v1"
    body = {"model": model, "messages": [{"role": "user", "content": "What is a pleural effusion?"}]}
    curl = ["curl", f"{root}/chat/completions", "-H", "Content-Type: application/json", "-d", json.dumps(body)]
    lines = [f"serve: OpenAI's API at {root}, on this machine alone", f"  model: {model}", f"  try:   {shlex.join(curl)}"]
    lines += [f"  note:  {note}" for note in engine.notes]
    return "\n".join([*lines, "Ctrl-C ends it."])
