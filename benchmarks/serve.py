"""How soon an answer is seen in the browser, and whether many pages and many clients of the API are answered at once without a fault.

    python benchmarks/serve.py [--seconds 60] [--sessions 8] [--clients 32] [--model FOLDER] [--only page|api] [--json]

Page: a server of its own, whose model says when it gave its first piece, and then repeats the question's mark; headless Chromium looks at
it. `first_token_ms` is from the model's first piece to its being in the page, for one page alone and for all sessions at once. A stream
is `crossed` if it holds another session's mark, `lost` if it is not whole. `freed_ms` is from closing all pages in the middle of endless
answers to no answer being given.

API: `transformers serve` as stage=serve starts it, on a small Llama with random weights or on `--model`, greedy, asked by the official
client. `changed` are answers that differ from those to the same question asked alone. `after_disconnect` is how much longer a question
takes once as many clients have broken off long answers than it took before.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.config import ChatPrompt, Decoding, Model, ModelSource, Serve
from radgpt.inference.backend import INTERRUPTED, STOP, Message, Reply

WORDS, GAP = 24, 0.01
"""Words of a marked answer, and seconds between them."""
QUESTIONS = 24
NEW_TOKENS = 24
TOPICS = ("effusion", "pneumothorax", "heart", "nodule", "line", "fracture", "oedema", "consolidation")


class Marked:
    """A model that tells when it began and repeats the mark that it was asked with."""

    name = "this"
    window = None

    def __init__(self) -> None:
        self._running, self._lock = 0, Lock()

    def count(self, messages: list[Message]) -> int:
        """Of no interest here."""
        return 0

    def stream(self, messages: list[Message], decoding: Decoding, seed: int, stop: Event) -> Generator[str, None, Reply]:
        """`running N` where it is asked for; else the mark with the time, and the mark until there are enough words, or for ever."""
        kind, _, mark = messages[-1]["content"].partition(" ")
        if kind == "running":
            yield f"running {self._running}"
            return Reply(f"running {self._running}", STOP, 0, 0, 1)
        with self._lock:
            self._running += 1
        told = []
        try:
            while not stop.is_set() and (kind == "endless" or len(told) < WORDS):
                told.append(f"{mark} " if told else f"{mark}@{time.time():.4f} ")
                yield told[-1]
                time.sleep(GAP)
        finally:
            with self._lock:
                self._running -= 1
        return Reply("".join(told), INTERRUPTED if stop.is_set() else STOP, 0, 0, len(told))


class OneModel:
    """What `open_models` gives, for one model that is there."""

    names = ("this",)

    def __init__(self) -> None:
        self._model = Marked()

    def open(self, name: str) -> Marked:
        """The model."""
        return self._model


def serve_page(folder: Path) -> None:
    """Serve the page of the marked model until told to end, and print its address."""
    from radgpt.serving import server
    from radgpt.serving.conversations import Conversations
    from radgpt.serving.desk import Desk
    from radgpt.serving.feedback import Feedback

    os.environ.update(server.QUIET)
    from radgpt.serving.page import build

    prompt = ChatPrompt(system="", first_turn="{report}\n\n{instruction}")
    with Feedback(folder / "feedback.jsonl") as feedback, server.listening(0) as socket:
        desk = Desk(OneModel(), {"this": Decoding()}, "", Conversations(prompt, 0), feedback)
        asyncio.run(server.serve_until_told(desk, build(desk, {}, ""), socket, None, lambda address: print(address, flush=True)))


@contextmanager
def page_server(folder: Path) -> Iterator[str]:
    """The address of a page server in a process of its own."""
    process = subprocess.Popen([sys.executable, __file__, "--serve-page", str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(30)


WATCH = """() => {
  window.seen = {};
  const look = () => {
    for (const found of document.body.innerText.matchAll(/(m\\d+-\\d+)@(\\d+\\.\\d+)/g))
      if (!(found[1] in window.seen)) window.seen[found[1]] = Date.now() - 1000 * Number(found[2]);
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
"""Milliseconds from the time that an answer begins with to its being in the page, by mark."""


async def opened(browser: Any, address: str) -> Any:
    """A page of its own session, ready to ask."""
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(60_000)
    await page.goto(address)
    await page.locator("#rg-message textarea").wait_for()
    await page.evaluate(WATCH)
    return page


async def ask(page: Any, message: str) -> None:
    """Send a message; until the page has seen that the answer before has ended, it takes none."""
    await page.locator("#rg-message textarea").fill(message)
    for _ in range(10):
        await page.locator("#rg-message textarea").press("Enter")
        try:
            await page.wait_for_function("document.querySelector('#rg-message textarea').value === ''", timeout=5_000)
            return
        except Exception:
            continue
    raise TimeoutError


async def start_anew(page: Any) -> None:
    """Begin another conversation, else the page grows for ever."""
    await page.get_by_role("button", name="New conversation").click()
    await page.wait_for_function("document.querySelectorAll('.rg-chat .message').length === 0")


async def session(page: Any, number: int, until: float, turns: int | None = None) -> dict[str, Any]:
    """Ask one marked question after another; give the delays of first pieces and what went wrong."""
    figures: dict[str, Any] = {"answers": 0, "errors": 0, "lost": 0, "crossed": 0}
    turn = 0
    while (time.time() < until) if turns is None else (turn < turns):
        turn += 1
        mark = f"m{number}-{turn}"
        try:
            if turn % 10 == 1 and turn > 1:
                await start_anew(page)
            await ask(page, f"say {mark}")
            await page.wait_for_function(
                f"document.body.innerText.includes('{mark}@') && document.querySelector('#rg-told').innerText.includes('tokens')"
            )
            text = await page.locator(".rg-chat .message.bot").last.inner_text()
        except Exception as error:
            figures["errors"] += 1
            print(f"session {number}: {type(error).__name__}", file=sys.stderr)
            continue
        words = text.split()
        figures["answers"] += 1
        figures["lost"] += len(words) != WORDS
        figures["crossed"] += any(word.partition("@")[0] != mark for word in words)
    figures["delays"] = list((await page.evaluate("window.seen")).values())
    return figures


async def measure_page(address: str, sessions: int, seconds: float) -> dict[str, float]:
    """First pieces with one page and with many, faults under load, and how soon closed pages free their models."""
    from playwright.async_api import async_playwright

    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
        alone = await session(await opened(browser, address), 0, 0, turns=20)
        pages = [await opened(browser, address) for _ in range(sessions)]
        until = time.time() + seconds
        told = await asyncio.gather(*(session(page, number, until) for number, page in enumerate(pages, start=1)))

        for number, page in enumerate(pages):
            await ask(page, f"endless e{number}")
        await asyncio.gather(*(page.wait_for_function("document.body.innerText.includes('@')") for page in pages))
        await asyncio.sleep(0.5)
        watching = await opened(browser, address)
        before = await running(watching)
        start = time.perf_counter()
        await asyncio.gather(*(page.context.close() for page in pages))
        while await running(watching):
            if time.perf_counter() - start > 30:
                break
        freed = time.perf_counter() - start
        await browser.close()
    delays = [delay for one in told for delay in one["delays"]]
    return {
        "page_first_token_ms_p50": statistics.median(alone["delays"]),
        "page_first_token_ms_max": max(alone["delays"]),
        "page_loaded_first_token_ms_p50": statistics.median(delays),
        "page_loaded_first_token_ms_p95": statistics.quantiles(delays, n=20)[-1],
        **{f"page_{name}": sum(one[name] for one in told) for name in ("answers", "errors", "lost", "crossed")},
        "page_endless_before_closing": before,
        "page_freed_ms": 1000 * freed,
    }


async def running(page: Any) -> int:
    """How many answers the model is giving."""
    await start_anew(page)
    await ask(page, "running")
    await page.wait_for_function("/running \\d/.test(document.body.innerText)")
    return int((await page.locator(".rg-chat .message.bot").last.inner_text()).split()[1])


def greedy_folder(folder: Path, model: str | None) -> Path:
    """A model to serve, its generation config greedy: a copy of links to `model`, or one of about 4 million random weights."""
    if model is not None:
        for file in Path(model).resolve().iterdir():
            (folder / file.name).symlink_to(file)
        (folder / "generation_config.json").unlink()
        given = json.loads((Path(model) / "generation_config.json").read_text())
        kept = {name: value for name, value in given.items() if name.endswith("_token_id")}
        (folder / "generation_config.json").write_text(json.dumps(kept | {"do_sample": False}))
        return folder
    from radgpt.training.tiny import make_tiny

    shape = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=256, tiny_layers=4, tiny_vocab_size=400)
    make_tiny(shape, [question(number) for number in range(QUESTIONS)], 0, folder)
    with_strong_weights(folder)
    return folder


def with_strong_weights(folder: Path) -> None:
    """Let weights as they are drawn weigh more, so that different questions are answered with different tokens."""
    import torch
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for weights in network.parameters():
            if weights.dim() > 1:
                weights.mul_(6)
    network.save_pretrained(folder)


def question(number: int) -> str:
    """One of a few questions of different lengths."""
    drawn = random.Random(number)
    return f"Question {number}: what does the report say about the " + ", the ".join(drawn.choices(TOPICS, k=1 + number % 7)) + "?"


async def measure_api(root: str, model: str, clients: int, seconds: float) -> dict[str, float]:
    """Answers of many clients at once against those asked alone, and what broken-off answers leave behind."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=root, api_key="none", max_retries=0, timeout=300)

    async def stream(number: int, tokens: int = NEW_TOKENS) -> Any:
        messages: list[Any] = [{"role": "user", "content": question(number)}]
        return await client.chat.completions.create(model=model, messages=messages, max_tokens=tokens, stream=True)

    async def answer(number: int) -> str:
        return "".join([chunk.choices[0].delta.content or "" async for chunk in await stream(number) if chunk.choices])

    start = time.perf_counter()
    alone = [await answer(number) for number in range(QUESTIONS)]
    one = (time.perf_counter() - start) / QUESTIONS
    figures = {"answers": 0, "errors": 0, "changed": 0}
    until = time.time() + seconds

    async def ask_on(name: int) -> None:
        drawn = random.Random(name)
        while time.time() < until:
            number = drawn.randrange(QUESTIONS)
            try:
                same = await answer(number) == alone[number]
            except Exception as error:
                figures["errors"] += 1
                print(f"client {name}: {type(error).__name__}", file=sys.stderr)
                continue
            figures["answers"] += 1
            figures["changed"] += not same

    await asyncio.gather(*(ask_on(name) for name in range(clients)))
    for broken_off in await asyncio.gather(*(stream(number % QUESTIONS, tokens=1500) for number in range(clients))):
        async for chunk in broken_off:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        await broken_off.close()
    await asyncio.sleep(1)
    start = time.perf_counter()
    for number in range(QUESTIONS):
        await answer(number)
    after = (time.perf_counter() - start) / QUESTIONS
    return {
        **{f"api_{name}": value for name, value in figures.items()},
        "api_alone_seconds": one,
        "api_distinct_answers": len(set(alone)),
        "api_after_disconnect": after / one,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--model", help="folder of a model for the API instead of a tiny one")
    parser.add_argument("--only", choices=("page", "api"))
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--serve-page", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.serve_page:
        serve_page(Path(asked.serve_page))
        return
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        if asked.only != "api":
            with page_server(Path(scratch)) as address:
                figures |= asyncio.run(measure_page(address, asked.sessions, asked.seconds))
        if asked.only != "page":
            from radgpt.serving.api import served

            folder = Path(scratch) / "model"
            folder.mkdir()
            greedy_folder(folder, asked.model)
            said: list[str] = []
            with served(folder, Serve(api=True, api_port=0), Path(scratch) / "api.log", said.append):
                root = next(word for word in said[-1].split() if word.startswith("http")).rstrip(",")
                figures |= asyncio.run(measure_api(root, str(folder.resolve()), asked.clients, asked.seconds))
    for name, value in figures.items():
        print(f"{name:<34}{value:,.6g}")
    if asked.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
