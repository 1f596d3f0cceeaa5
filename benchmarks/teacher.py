"""How much of an endpoint's limits the teacher uses, what a call costs, and what a crash, faults and a long run do to it.

    python benchmarks/teacher.py [--seconds 60] [--json]      the ways of asking below, in about three minutes
    python benchmarks/teacher.py --kills 5                    kill -9 with a torn journal, again and again, over 1,500 rows
    python benchmarks/teacher.py --chaos                      2,000 rows from an endpoint of which 13 % of the answers are faults
    python benchmarks/teacher.py --memory 460000              resident memory over so many calls

An endpoint on loopback (`teacher_server.py`) allows 3,000 requests and 1,000,000 tokens a minute, one second's worth at once, and
answers in 0.2 s. Ways of asking, each in a process of its own and four at a time:

    told          radgpt, told the true limits
    tokens        the same where tokens bind (300,000 a minute)
    headers       radgpt, told twice the limits, which the endpoint's headers correct
    blind         radgpt, told twice the limits, without such headers
    azure         the same with errors worded as Azure's
    counts_more   tokens bind, and the endpoint counts 30 % more of them in a prompt than radgpt expects
    counts_less   … 30 % fewer
    plain         the openai client as it comes (two retries), 200 calls at once
    free_lean, free_sdk, free_plain    without limits, for the processor time of a call: radgpt's two transports, and the client

`share` is what was let in of all that the limit that binds allows in so many seconds, its burst included; `refused` the share of
requests answered with 429; `failed` the rows that were given up; `cpu_ms` the client's processor time a call.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from teacher_server import Terms, serving  # noqa: E402

from radgpt.config import Governance, Provider, Teacher  # noqa: E402
from radgpt.records import Report  # noqa: E402
from radgpt.teacher.ask import Request, open_teacher  # noqa: E402

LIMITS = {"requests_per_minute": 3000.0, "tokens_per_minute": 1_000_000.0}
TOKENS_BIND = LIMITS | {"tokens_per_minute": 300_000.0}
PROMPT = "Findings: the lungs are clear. " * 20
KEY = "RADGPT_BENCHMARK_KEY"

WAYS: dict[str, tuple[Terms, float]] = {
    "told": (Terms(**LIMITS), 1.0),
    "tokens": (Terms(**TOKENS_BIND), 1.0),
    "headers": (Terms(**LIMITS, headers=True), 2.0),
    "blind": (Terms(**LIMITS), 2.0),
    "azure": (Terms(**LIMITS, azure=True), 2.0),
    "counts_more": (Terms(**TOKENS_BIND, counting=1.3), 1.0),
    "counts_less": (Terms(**TOKENS_BIND, counting=0.7), 1.0),
    "plain": (Terms(**LIMITS), 1.0),
}
"""What the endpoint does, and the multiple of its limits that the client is told."""

FREE = {"free_lean": Provider.local, "free_sdk": Provider.openai, "free_plain": None}


def requests(first: int = 0) -> Iterator[Request]:
    """Rows without end, their number behind a # in the prompt."""
    for number in count(first):
        messages = [{"role": "user", "content": f"{PROMPT}#{number}"}]
        yield Request(f"s{number}/0", "answer", "paraphrasing", messages, Report(f"s{number}", "p", "", {}))


def teacher_at(url: str, limits: dict[str, float] | None = None, **settings: Any) -> Teacher:
    """A teacher at an endpoint, told its limits; None for hardly any."""
    told = limits or {"requests_per_minute": 1e7, "tokens_per_minute": 1e10}
    defaults: dict[str, Any] = {"provider": Provider.local, "max_tokens": 128, "max_in_flight": 64}
    return Teacher(
        **{
            "model": "fake",
            "base_url": url,
            "api_key_env": KEY,
            **{f"max_{name}": value for name, value in told.items()},
            **defaults,
            **settings,
        }
    )


def radgpt_asks(teacher: Teacher, seconds: float, calls: float) -> tuple[int, int]:
    """Ask for so many seconds or calls; gives the rows that were answered, and those given up."""
    end, outcomes = time.monotonic() + seconds, Counter[bool]()
    with tempfile.TemporaryDirectory() as folder, open_teacher(teacher, Governance.synthetic, 0, Path(folder, "journal.jsonl")) as asking:
        for reply in asking(requests()):
            outcomes[reply.outcome == "ok"] += 1
            if time.monotonic() > end or outcomes.total() >= calls:
                break
    return outcomes[True], outcomes[False]


def plain_asks(url: str, seconds: float, calls: float) -> tuple[int, int]:
    """The same with the openai client, used as its manual shows."""
    from openai import AsyncOpenAI, DefaultAioHttpClient, OpenAIError

    async def run() -> tuple[int, int]:
        end, outcomes, source = time.monotonic() + seconds, Counter[bool](), requests()
        async with AsyncOpenAI(base_url=url, api_key="none", http_client=DefaultAioHttpClient()) as client:

            async def work() -> None:
                while time.monotonic() < end and outcomes.total() < calls:
                    messages: Any = next(source).messages
                    try:
                        await client.chat.completions.create(model="fake", messages=messages, max_tokens=128)
                        outcomes[True] += 1
                    except OpenAIError:
                        outcomes[False] += 1

            await asyncio.gather(*(work() for _ in range(200)))
        return outcomes[True], outcomes[False]

    return asyncio.run(run())


def client(
    pipe: Connection, name: str, url: str, seconds: float, calls: float, told: dict[str, float] | None, provider: Provider | None
) -> None:
    """One way of asking, in a process of its own: sends (answered, failed, processor seconds, seconds)."""
    os.environ[KEY] = "none"
    if provider is not Provider.local:
        import openai  # noqa: F401  its import takes a second, which is no part of the measurement
    import aiohttp  # noqa: F401

    cpu, begun = time.process_time(), time.monotonic()
    if provider is None:
        answered, failed = plain_asks(url, seconds, calls)
    else:
        answered, failed = radgpt_asks(teacher_at(url, told, provider=provider), seconds, calls)
    pipe.send((answered, failed, time.process_time() - cpu, time.monotonic() - begun))


def ask(
    name: str,
    terms: Terms,
    seconds: float,
    calls: float = float("inf"),
    told: dict[str, float] | None = None,
    provider: Provider | None = None,
) -> dict[str, float]:
    """The figures of one way of asking."""
    here, there = multiprocessing.Pipe()
    with serving(terms) as server:
        process = multiprocessing.Process(target=client, args=(there, name, server.url, seconds, calls, told, provider))
        process.start()
        answered, failed, cpu, elapsed = here.recv()
        process.join()
        accounts = server.accounts()
    figures = {"answered": answered, "failed": failed, "cpu_ms": round(1000 * cpu / accounts.asked, 2)}
    if not terms.requests_per_minute or not terms.tokens_per_minute:
        return figures | {"calls_per_second": round(answered / elapsed, 1)}
    used = max(accounts.accepted / terms.requests_per_minute, accounts.tokens / terms.tokens_per_minute)
    refused = accounts.refused / max(1, accounts.accepted + accounts.refused)
    return {"share": round(used * 60 / (terms.seconds + 1), 4), "refused": round(refused, 4)} | figures


def limits_and_costs(seconds: float, calls: int) -> dict[str, dict[str, float]]:
    """All ways of asking; those with limits four at a time."""
    results: dict[str, dict[str, float]] = {}

    def one(name: str) -> None:
        terms, factor = WAYS[name]
        told = {limit: factor * (getattr(terms, limit) or 0.0) for limit in LIMITS}
        provider = None if name == "plain" else Provider.local
        results[name] = ask(name, replace(terms, seconds=seconds), seconds + 1, told=told, provider=provider)

    names = [*WAYS]
    for some in (names[:4], names[4:]):
        threads = [threading.Thread(target=one, args=(name,)) for name in some]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in some:
            show(name, results[name])
    for name, provider in FREE.items():
        results[name] = ask(name, Terms(latency=0.05), 60, calls, provider=provider)
        show(name, results[name])
    return results


def crashing(url: str, journal: Path, rows: int) -> None:
    """What is killed: ask for all rows."""
    os.environ[KEY] = "none"
    with open_teacher(teacher_at(url), Governance.synthetic, 0, journal) as asking:
        for _ in asking(request for request, _ in zip(requests(), range(rows), strict=False)):
            pass


def kills(times: int, rows: int = 1500) -> dict[str, float]:
    """Kill -9 a run so many times, each time tearing the journal's last line, and let it finish."""
    with tempfile.TemporaryDirectory() as folder, serving(Terms()) as server:
        journal = Path(folder, "journal.jsonl")
        for kill in range(times + 1):
            process = multiprocessing.Process(target=crashing, args=(server.url, journal, rows))
            process.start()
            goal = rows * (kill + 1) // (times + 1)
            while kill < times and len(server.accounts().paid) < goal and process.is_alive():
                time.sleep(0.02)
            if kill < times:
                os.kill(process.pid or 0, signal.SIGKILL)
                process.join()
                with open(journal, "rb+") as file:
                    last = file.read().splitlines(keepends=True)[-1]
                    file.write(last[: len(last) // 2])
            process.join()
        kept = Counter(json.loads(line)["generation_id"] for line in journal.read_text().splitlines())
        paid = server.accounts().paid
    return {
        "rows": rows,
        "lost": rows - len(kept),
        "duplicated": kept.total() - len(kept),
        "paid_again": paid.total() - len(paid),
        "most_under_way": times * teacher_at(server.url).max_in_flight,
    }


def chaos(rows: int = 2000) -> dict[str, float]:
    """Every row of an endpoint with faults and a strict limit."""
    os.environ[KEY] = "none"
    limits = {"requests_per_minute": 6000.0, "tokens_per_minute": 3_000_000.0}
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, serving(Terms(**limits, latency=0.05, faults=True)) as server:
        teacher = teacher_at(server.url, limits, timeout=5.0)
        with open_teacher(teacher, Governance.synthetic, 0, Path(folder, "journal.jsonl")) as asking:
            for number, reply in enumerate(asking(request for request, _ in zip(requests(), range(rows), strict=False))):
                wrong = reply.outcome == "ok" and not reply.text.endswith(f"#{number}")
                outcomes["wrong" if wrong else reply.outcome] += 1
        accounts = server.accounts()
    refused = accounts.refused / (accounts.accepted + accounts.refused)
    return {"rows": rows, "lost": rows - outcomes.total(), **dict(outcomes.most_common()), "refused": round(refused, 4)}


def memory(calls: int) -> dict[str, float]:
    """Resident memory of so many calls in one run."""
    os.environ[KEY] = "none"
    here, there = multiprocessing.Pipe()
    with serving(Terms(latency=0.02)) as server:
        process = multiprocessing.Process(target=remember, args=(there, server.url, calls))
        process.start()
        figures: dict[str, float] = here.recv()
        process.join()
    return figures


def remember(pipe: Connection, url: str, calls: int) -> None:
    """What is measured: ask for so many rows, and look at resident memory at every hundredth part."""
    begun, cpu = time.monotonic(), time.process_time()
    samples = []
    with (
        tempfile.TemporaryDirectory() as folder,
        open_teacher(teacher_at(url), Governance.synthetic, 0, Path(folder, "journal.jsonl")) as asking,
    ):
        for number, _ in enumerate(asking(request for request, _ in zip(requests(), range(calls), strict=False)), start=1):
            if number % max(1, calls // 100) == 0:
                samples.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20)
    elapsed = time.monotonic() - begun
    pipe.send(
        {
            "calls": calls,
            "first_mib": round(samples[0], 1),
            "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            "cpu_ms": round(1000 * (time.process_time() - cpu) / calls, 2),
            "calls_per_second": round(calls / elapsed, 1),
        }
    )


def show(name: str, figures: dict[str, float]) -> None:
    """Print one line."""
    print(f"{name:12}", "  ".join(f"{key} {value}" for key, value in figures.items()), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each way of asking with limits lasts")
    parser.add_argument("--calls", type=int, default=4000, help="calls of each way of asking without limits")
    parser.add_argument("--kills", type=int, help="times to kill a run of 1,500 rows, instead")
    parser.add_argument("--chaos", action="store_true", help="ask an endpoint with faults, instead")
    parser.add_argument("--memory", type=int, metavar="CALLS", help="measure resident memory over so many calls, instead")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args()
    if options.kills or options.chaos or options.memory:
        results: dict[str, dict[str, float]] = {}
        if options.kills:
            results["kills"] = kills(options.kills)
        if options.chaos:
            results["chaos"] = chaos()
        if options.memory:
            results["memory"] = memory(options.memory)
        for name, figures in results.items():
            show(name, figures)
    else:
        results = limits_and_costs(options.seconds, options.calls)
    if options.json:
        print(json.dumps({f"teacher_{name}_{key}": value for name, figures in results.items() for key, value in figures.items()}))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
