"""How long it takes to turn a dataset of pairs into packed rows of token ids, and whether memory stays flat.

    python benchmarks/tokenisation.py [--pairs 160000] [--workers 2] [--dataset FOLDER] [--tokenizer FOLDER] [--json]

A tenth of the pairs and then all of them are tokenised with the loss on answers, written as Arrow, read back, and packed into rows of
4,096 tokens by best fit: what `stage=finetune` does before the first step. Each size has a process of its own, which starts as many
workers. `cpu` is what all of them took of processors, in seconds, and says more than `seconds` on a machine that is busy with other
things. `parent` is its peak resident memory (mapped files count while the system keeps them there), `worker` that of the largest
worker; both in MiB. `lengths` is the time to read the lengths back and pack them.

Without `--dataset`, the pairs are made up, with reports as long as Open-i's and three questions to each. The folder of a run's
dataset (train.jsonl) gives its own pairs instead, over and over under new ids. Without `--tokenizer`, the tokenizer is a byte-level
BPE of 8,192 tokens made on the spot from the pairs' text; a model's folder gives its own, with its chat template.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.artifacts import write_records
from radgpt.config import Batching, Model, ModelSource, Training
from radgpt.records import Pair, read_records

SENTENCES = (
    "The cardiac silhouette and mediastinal contours are within normal limits.",
    "There is no focal airspace consolidation, pleural effusion or pneumothorax.",
    "Stable calcified granuloma in the left upper lobe.",
    "Degenerative changes of the thoracic spine are noted.",
    "A right-sided central venous catheter ends in the superior vena cava.",
    "Low lung volumes with bibasilar atelectasis.",
    "No acute cardiopulmonary abnormality.",
)
QUESTIONS = (
    ("Is there a pleural effusion?", "No, the report describes no pleural effusion."),
    ("Summarise the report in one sentence for the ward.", "No acute disease of heart or lungs; degenerative changes of the spine."),
    (
        "What does CHF stand for?",
        "It stands for congestive heart failure, a condition in which the heart pumps less blood than the body needs.",
    ),
)
SYSTEM = "You answer questions about the radiology report you are given, from that report alone."


def made_up() -> Iterator[Pair]:
    """Pairs without end. Open-i's reports are close to log-normal in length: 70 words in the median, and twice as many in one of ten."""
    rng = random.Random(0)
    while True:
        words = rng.lognormvariate(4.25, 0.5)
        sentences: list[str] = []
        while sum(len(sentence.split()) for sentence in sentences) < words:
            sentences.append(rng.choice(SENTENCES))
        report = "FINDINGS: " + " ".join(sentences[:-1]) + "\n\nIMPRESSION: " + sentences[-1]
        for question, answer in QUESTIONS:
            messages = [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": f"{report}\n\n{question}"},
                {"role": "assistant", "content": answer},
            ]
            yield Pair("", "", "", "question_answering", "train", messages, "0" * 64, "1" * 64, "2" * 64, [0, len(report)])


def write_dataset(folder: Path, pairs: int, given: Path | None) -> None:
    """Write that many pairs, each under an id of its own."""
    source = cycle(read_records(given / "train.jsonl", Pair)) if given else made_up()
    with write_records(folder / "train.jsonl") as write:
        for number, pair in enumerate(islice(source, pairs)):
            write({**vars(pair), "pair_id": f"r{number // 3}/{number % 3}"})


def make_tokenizer(folder: Path, dataset: Path) -> None:
    """A tokenizer fit to the first pairs."""
    from radgpt.training.tiny import make_tiny

    shape = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=16, tiny_layers=1, tiny_vocab_size=8192)
    texts = (message["content"] for pair in islice(read_records(dataset / "train.jsonl", Pair), 5000) for message in pair.messages)
    make_tiny(shape, texts, 0, folder)


def measure(dataset: str, tokenizer_folder: str, workers: int) -> dict[str, Any]:
    """Tokenise and pack a dataset in this process and its workers."""
    import pyarrow.compute as compute

    from radgpt.models import load_tokenizer
    from radgpt.training.data.packing import best_fit_decreasing
    from radgpt.training.data.tokens import read_tokens, write_tokens

    training = Training(batching=Batching.packed, workers=workers)
    tokenizer = load_tokenizer(Model(name_or_path=tokenizer_folder), tokenizer_folder)
    seen: dict[str, float] = {}
    threading.Thread(target=watch_workers, args=(seen,), daemon=True).start()
    start, cpu = time.perf_counter(), cpu_seconds()
    with tempfile.TemporaryDirectory() as folder:
        write_tokens(Path(dataset), training, 0, tokenizer, Path(folder) / "tokens")
        tokenised = time.perf_counter()
        tokens = read_tokens(Path(folder) / "tokens")
        lengths = compute.list_value_length(tokens.train.data.column("input_ids")).to_numpy()
        rows = best_fit_decreasing(lengths, training.model_max_length)
        packed = time.perf_counter()
    counts = tokens.counts.train
    return {
        "pairs": counts.examples,
        "seconds": packed - start,
        "cpu": cpu_seconds() - cpu,
        "lengths": packed - tokenised,
        "pairs_per_second": counts.examples / (packed - start),
        "tokens_per_second": counts.tokens / (packed - start),
        "mean_length": counts.tokens / counts.examples,
        "filled": counts.tokens / (len(rows) * training.model_max_length),
        "parent": peak_memory("self"),
        "worker": max(seen.values(), default=0.0),
    }


def peak_memory(process: str) -> float:
    """Peak resident memory of a process so far, in MiB."""
    told = Path(f"/proc/{process}/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def watch_workers(seen: dict[str, float]) -> None:
    """Note the peak memory of this process's children, as long as they live.

    (What the system tells of ended children counts the memory of their parent, which they share for an instant.)
    """
    while True:
        for children in Path("/proc/self/task").glob("*/children"):
            for child in children.read_text().split():
                with suppress(OSError, IndexError):
                    seen[child] = peak_memory(child)
        time.sleep(0.2)


def cpu_seconds() -> float:
    """Processor time of this process and of those that it has seen end."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def main() -> None:
    """Measure both sizes and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=160_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args()

    results = {}
    with tempfile.TemporaryDirectory() as made:
        for name, pairs in (("tenth", options.pairs // 10), ("all", options.pairs)):
            dataset = Path(made) / name
            dataset.mkdir()
            write_dataset(dataset, pairs, options.dataset)
            tokenizer = options.tokenizer or Path(made) / "tokenizer"
            if not tokenizer.is_dir():
                make_tokenizer(tokenizer, dataset)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                results[name] = alone.submit(measure, str(dataset), str(tokenizer), options.workers).result()
            print(f"{name:<6}" + "  ".join(f"{key} {value:,.2f}" for key, value in results[name].items()), flush=True)
    if options.json:
        print(json.dumps({f"tokenisation_{name}_{key}": value for name, figures in results.items() for key, value in figures.items()}))


if __name__ == "__main__":
    main()
