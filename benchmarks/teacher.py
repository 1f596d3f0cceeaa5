"""How much of an endpoint's limits the teacher client uses, what it costs, and what peers do with the same limits.

    python benchmarks/teacher.py [--seconds 20] [--json]

A server in a process of its own allows 3,000 requests a minute and 1,000,000 tokens, one second's worth at once, and answers
in 0.2 s. Four ways of asking, each taking in rows for so many seconds and then waiting for the rest:

    told      radgpt, told the true limits
    doubled   radgpt, told twice the true limits
    free      radgpt against a server without limits, which shows the processor time of a call
    plain     the openai client as it comes (two retries), 200 calls at once

`used` is the share of the requests that the limit allows which were answered well, `refused` the share of requests answered
with 429, `failed` the rows that ended without a reply.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from fake_openai import serve  # noqa: E402

from radgpt.config import Governance, Provider, Teacher  # noqa: E402
from radgpt.records import Report  # noqa: E402
from radgpt.teacher.ask import Request, open_teacher  # noqa: E402

LIMITS = {"requests_per_minute": 3000.0, "tokens_per_minute": 1_000_000.0}
PROMPT = "Findings: the lungs are clear. " * 20


def server(pipe: Connection, limits: dict[str, Any]) -> None:
    """Serve until told to stop, then hand back the counts."""
    with serve(latency=0.2, **limits) as fake:
        pipe.send(fake.base_url)
        pipe.recv()
        pipe.send((fake.asked.total(), fake.answered.total(), fake.refused))


def requests(seconds: float) -> Iterator[Request]:
    """Requests without end, until the time is up."""
    end = time.monotonic() + seconds
    for number in count():
        if time.monotonic() > end:
            return
        messages = [{"role": "user", "content": f"{PROMPT}{number}"}]
        yield Request(f"s{number}/0", "answer", "paraphrasing", messages, Report(f"s{number}", "p", "", {}))


def ask(url: str, seconds: float, factor: float | None, folder: Path) -> int:
    """Rows that radgpt left without a reply."""
    times = 1e4 if factor is None else factor
    teacher = Teacher(
        provider=Provider.local,
        model="fake",
        base_url=url,
        max_tokens=128,
        max_requests_per_minute=LIMITS["requests_per_minute"] * times,
        max_tokens_per_minute=LIMITS["tokens_per_minute"] * times,
        max_in_flight=64,
    )
    with open_teacher(teacher, Governance.synthetic, 0, folder / "journal.jsonl") as asking:
        return sum(reply.outcome != "ok" for reply in asking(requests(seconds)))


def plain(url: str, seconds: float) -> int:
    """Rows that the openai client, used as its manual shows, left without a reply."""
    from openai import AsyncOpenAI, DefaultAioHttpClient, OpenAIError

    async def run() -> int:
        failed = 0
        source = requests(seconds)
        async with AsyncOpenAI(base_url=url, api_key="none", http_client=DefaultAioHttpClient()) as client:

            async def work() -> None:
                nonlocal failed
                for request in source:
                    try:
                        await client.chat.completions.create(model="fake", messages=request.messages, max_tokens=128)  # type: ignore[arg-type]
                    except OpenAIError:
                        failed += 1

            await asyncio.gather(*(work() for _ in range(200)))
        return failed

    return asyncio.run(run())


def measure(name: str, seconds: float) -> dict[str, float]:
    """The figures of one way of asking."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=server, args=(there, {} if name == "free" else LIMITS), daemon=True)
    process.start()
    url = here.recv()
    begun, cpu = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        factor = {"told": 1.0, "doubled": 2.0}.get(name)
        failed = plain(url, seconds) if name == "plain" else ask(url, seconds, factor, Path(folder))
    elapsed, cpu = time.monotonic() - begun, time.process_time() - cpu
    here.send("stop")
    asked, answered, refused = here.recv()
    process.join()
    allowed = LIMITS["requests_per_minute"] / 60 * (elapsed + 1)
    figures = {
        "answered": answered,
        "refused": round(refused / asked, 4),
        "failed": failed,
        "cpu_ms_per_call": round(1000 * cpu / asked, 2),
    }
    return figures | ({"calls_per_second": round(answered / elapsed, 1)} if name == "free" else {"used": round(answered / allowed, 4)})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each way of asking lasts")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args()
    import openai  # noqa: F401  its import takes a second, which is no part of the first measurement

    results: dict[str, Any] = {}
    for name in ("told", "doubled", "free", "plain"):
        results[name] = measure(name, options.seconds)
        print(f"{name:8}", "  ".join(f"{key} {value}" for key, value in results[name].items()), flush=True)
    if options.json:
        print(json.dumps({f"teacher_{name}_{key}": value for name, figures in results.items() for key, value in figures.items()}))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
