"""The page is served until a signal ends it, and the API's server is watched until then."""

import os
import re
import signal
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonlines
import pytest
from conftest import composed
from fake_backend import FakeBackend
from served_page import PROMPT, FakeModels

from radgpt import stages
from radgpt.config import Chat, Decoding, Serve
from radgpt.errors import UserError
from radgpt.inference.backend import NamedModel
from radgpt.records import Pair, Report, as_row
from radgpt.run import Run
from radgpt.serving import api, engines
from radgpt.stages import serve

CONFIG = composed("model=tiny")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    """What the stage opens."""
    fake = FakeBackend()

    @contextmanager
    def opened(named: object, **settings: object) -> Iterator[FakeModels]:
        yield FakeModels({"this": fake})
        fake.close()

    monkeypatch.setattr("radgpt.inference.opening.open_models", opened)
    return fake


def run(
    tmp_path: Path,
    when_told: Callable[[str], None],
    *,
    chat: Chat | None = None,
    settings: Serve | None = None,
    exported: Path | None = None,
    inputs: tuple[Path, Path] | None = None,
) -> tuple[Run, list[str]]:
    """Run the stage; `when_told` gets each line that it prints, in a thread of its own."""
    named = {"this": NamedModel("this", CONFIG.model, CONFIG.backend, Decoding(), None)}
    started = Run(directory=tmp_path, writes=serve.WRITES, models=named)
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        threading.Thread(target=when_told, args=(line,), daemon=True).start()

    started.say = say  # type: ignore[method-assign]
    dataset, reports = inputs or (None, None)
    serve.run(
        started, None, exported, dataset, reports, PROMPT, CONFIG.model, CONFIG.backend, Decoding(), CONFIG.data, CONFIG.governance,
        chat or Chat(), settings or Serve(port=0), seed=0,
    )  # fmt: skip
    return started, lines


def interrupt(_: object = None) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def address_in(line: str) -> str | None:
    found = re.search(r"Open (http://127\.0\.0\.1:\d+/)", line)
    return found and found[1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_page_in_order(model: FakeBackend, tmp_path: Path, number: signal.Signals) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed (pip install -e '.[web]')")
    pages: list[str] = []

    def look(line: str) -> None:
        if address := address_in(line):
            with urllib.request.urlopen(address) as answer:
                pages.append(answer.read().decode())
            os.kill(os.getpid(), number)

    done, lines = run(tmp_path, look)
    assert "Research software, not for clinical use" in pages[0]
    assert done.summary == {"answers": 0, "ratings": 0}
    assert lines[-1] == f"\n0 answers, 0 ratings: {tmp_path / 'feedback.jsonl'}"
    assert model.closed
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_model_that_cannot_be_opened_is_told_before_there_is_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed (pip install -e '.[web]')")

    class Broken(FakeModels):
        def open(self, name: str) -> FakeBackend:
            raise UserError("the checkpoint is none")

    @contextmanager
    def opened(named: object, **settings: object) -> Iterator[FakeModels]:
        yield Broken({"this": FakeBackend()})

    monkeypatch.setattr("radgpt.inference.opening.open_models", opened)
    with pytest.raises(UserError, match="the checkpoint is none"):
        run(tmp_path, lambda line: None)


def test_only_reports_that_the_configuration_names_are_offered(tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x"}]
    with jsonlines.open(dataset / "test.jsonl", "w") as file:
        for pair, report in (("r2/0", "r2"), ("r2/1", "r2"), ("r1/0", "r1")):
            file.write(as_row(Pair(pair, report, f"p{report}", "paraphrasing", "test", messages, "", "", "")))
    with jsonlines.open(tmp_path / "reports.jsonl", "w") as file:
        file.write_all(as_row(Report(name, "p", f"FINDINGS: {name}.", {})) for name in ("r1", "r2", "r3"))
    assert serve.offered(dataset, tmp_path / "reports.jsonl") == {"Sample 1": "FINDINGS: r2.", "Sample 2": "FINDINGS: r1."}
    assert serve.offered(None, None) == {}


def test_the_page_reads_a_checkpoint_and_the_api_the_exported_model() -> None:
    assert stages.reads("serve", composed("model=tiny", "chat.report=null")) == ("checkpoint",)
    assert stages.reads("serve", composed("model=tiny", "chat.report=sample")) == ("checkpoint", "dataset", "reports")
    assert stages.reads("serve", composed("model=tiny", "chat.report=sample", "serve.api=true")) == ("exported",)
    assert stages.reads("serve", composed("backend=openai", "backend.model=gpt", "chat.report=null")) == ()


def test_a_user_without_a_password_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio", reason="gradio is not installed (pip install -e '.[web]')")
    monkeypatch.delenv("RADGPT_PASSWORD", raising=False)
    with pytest.raises(UserError, match=r"serve.user=rose needs a password"):
        run(tmp_path, lambda line: None, settings=Serve(port=0, user="rose"))


HEALTHY = """
import http.server, sys

class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
"""


def test_the_apis_server_is_watched_until_a_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(kind: object, folder: Path, port: int) -> engines.Engine:
        return engines.Engine([sys.executable, "-c", HEALTHY, str(port)], warm_up=False, notes=("mind this",))

    monkeypatch.setattr(api, "engine_for", engine)
    settings = Serve(api=True, api_port=0)
    done, lines = run(tmp_path, lambda line: interrupt() if "OpenAI's API at" in line else None, settings=settings, exported=tmp_path)
    assert "note:  mind this" in lines[1]
    assert lines[-1] == "\nserve: the API's server has ended"
    assert done.summary == {}
