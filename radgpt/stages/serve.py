"""Talk with models on a web page of this machine, or serve the exported one as OpenAI's API."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from radgpt.config import SAMPLE, Backend, Chat, ChatPrompt, Data, DataUse, Decoding, Model, Serve
from radgpt.run import Run
from radgpt.serving.conversations import Conversations
from radgpt.serving.desk import Desk
from radgpt.serving.feedback import Feedback
from radgpt.serving.server import QUIET, credentials_of, listening, require_gradio
from radgpt.stages.chat import configured_report, first_sample, sample_reports
from radgpt.wording import counted

WRITES = {"feedback": "feedback.jsonl"}

OPTIONAL = {
    "checkpoint": "page_needs_checkpoint",
    "exported": "serve.api",
    "dataset": "page_offers_samples",
    "reports": "page_offers_samples",
}

CACHED = False
"""A finished serving never stands for a new one."""

SAMPLES = 4
"""Reports of the test split that the page offers."""


def run(
    run: Run,
    checkpoint: Path | None,
    exported: Path | None,
    dataset: Path | None,
    reports: Path | None,
    prompt: ChatPrompt,
    model: Model,
    backend: Backend,
    decoding: Decoding,
    data: Data,
    governance: DataUse,
    chat: Chat,
    serve: Serve,
    seed: int,
) -> None:
    """Serve until Ctrl-C or SIGTERM; ratings are in their file as soon as they are given.

    Who answers on the page are `run.models`, the first of which `checkpoint`, `model`, `backend` and `decoding` describe. With `exported`
    there is no page: a server that exists already answers for that model alone.

    Raises:
        UserError: a package, the password or the server is missing, a port is taken, a model cannot be loaded, or the API's server fails.
    """
    if exported is not None:
        serve_api(run, exported, serve)
        return
    require_gradio()
    credentials = credentials_of(serve)
    samples = offered(dataset, reports)
    report = configured_report(chat.report) if chat.report not in (None, SAMPLE) else ""
    os.environ.update(QUIET)  # before gradio is loaded

    from radgpt.inference.opening import open_models
    from radgpt.serving import server
    from radgpt.serving.page import build

    system = prompt.system if chat.system is None else chat.system
    with (
        listening(serve.port) as socket,
        open_models(run.models, cache=run.cache, governance=data.governance, attestation=governance.attestation) as models,
        Feedback(run.path("feedback")) as feedback,
    ):
        conversations = Conversations(replace(prompt, system=system), seed)
        desk = Desk(models, {name: named.decoding for name, named in run.models.items()}, system, conversations, feedback)
        run.say(f"serve: loads {desk.names[0]}")
        desk.open(desk.names[0])  # what is wrong with it is told here, not on the page

        def opened(address: str) -> None:
            port = socket.getsockname()[1]
            run.say(f"Open {address}\nOnly this machine can (another one after ssh -L {port}:127.0.0.1:{port} HOST); Ctrl-C ends it.")

        asyncio.run(server.serve_until_told(desk, build(desk, samples, report), socket, credentials, opened))
    run.say(f"\n{counted(desk.answers, 'answer')}, {counted(feedback.given, 'rating')}: {feedback.path}")
    run.summarise(answers=desk.answers, ratings=feedback.given)


def offered(dataset: Path | None, reports: Path | None) -> dict[str, str]:
    """Label of a button to the report that it brings: none but what the configuration names.

    Raises:
        UserError: the test split holds no report.
    """
    if dataset is None or reports is None:
        return {}
    found = list(islice(sample_reports(dataset, reports), SAMPLES)) or [first_sample(None)]
    return {f"Sample {number}": text for number, text in enumerate(found, start=1)}


def serve_api(run: Run, exported: Path, serve: Serve) -> None:
    """Start the server that exists already, and watch it."""
    from radgpt.serving.api import served

    log = run.directory / "api.log"
    with suppress(KeyboardInterrupt), terminated_as_interrupted(), served(exported, serve, log, run.say) as check:
        while True:
            check()
            time.sleep(0.2)
    run.say("\nserve: the API's server has ended")


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
