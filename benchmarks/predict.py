"""How much faster a file of prompts is answered in batches than one by one, and whether the answers stay the same.

    python benchmarks/predict.py [--prompts 48] [--new-tokens 32] [--threads 1] [--json]

A Llama with random weights, in float32 on the CPU, answers prompts of 50 to 530 tokens greedily. Three ways:

    alone     one prompt after another, in the file's order
    padded    eight at a time, in the file's order, padded to the longest of the eight
    sorted    eight at a time, as radgpt plans them: by length

Random weights seldom end a turn, so that nearly all answers have the full length: what batches gain on answers that end early is left out.
`faster` is rows a second over those of `alone`, `padding` the share of prompt tokens that are padding, `same` the share of answers
equal to those of `alone`.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.chat_format import prompt_ids
from radgpt.config import Decoding, Model, ModelSource
from radgpt.inference.generation import Answer, Answerer, Batch, context_window, plan_batches

SENTENCES = (
    "The lungs are clear.",
    "A small left pleural effusion is unchanged.",
    "No pneumothorax is seen.",
    "The heart is mildly enlarged.",
    "A central venous line ends in the superior vena cava.",
    "Mild degenerative change of the thoracic spine is noted.",
)
BATCH_SIZE = 8


def answerer_for(new_tokens: int) -> Answerer:
    """A model of about 4 million parameters with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from radgpt.training.tiny import make_tiny

    shape = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=256, tiny_layers=4, tiny_vocab_size=400)
    with tempfile.TemporaryDirectory() as folder:
        make_tiny(shape, SENTENCES, 0, Path(folder))
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    decoding = Decoding(max_new_tokens=new_tokens, do_sample=False, temperature=1.0, top_p=1.0, top_k=50, repetition_penalty=1.2)
    return Answerer(network, tokenizer, decoding, 0)


def measure(answerer: Answerer, prompts: Sequence[list[int]], batches: Sequence[Batch]) -> tuple[dict[int, Answer], dict[str, float]]:
    """Answers by row, and the figures of one way."""
    answers: dict[int, Answer] = {}
    start = time.perf_counter()
    for batch in batches:
        asked = [prompts[row] for row in batch.rows]
        answers |= dict(zip(batch.rows, answerer.answer([str(row) for row in batch.rows], asked, batch.max_new_tokens), strict=True))
    seconds = time.perf_counter() - start
    padded = sum(len(batch.rows) * max(len(prompts[row]) for row in batch.rows) for batch in batches)
    return answers, {
        "rows_per_second": len(prompts) / seconds,
        "tokens_per_second": sum(answer.new_tokens for answer in answers.values()) / seconds,
        "padding": 1 - sum(map(len, prompts)) / padded,
    }


def main() -> None:
    """Measure the three ways and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=48)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args()

    import torch

    torch.set_num_threads(options.threads)
    answerer = answerer_for(options.new_tokens)
    rng = random.Random(0)
    reports = [" ".join(rng.choice(SENTENCES) for _ in range(rng.randint(4, 60))) for _ in range(options.prompts)]
    prompts = [prompt_ids(answerer.tokenizer, [{"role": "user", "content": report}]) for report in reports]
    rows = list(range(len(prompts)))
    ways = {
        "alone": [Batch((row,), options.new_tokens) for row in rows],
        "padded": [Batch(tuple(rows[start : start + BATCH_SIZE]), options.new_tokens) for start in range(0, len(rows), BATCH_SIZE)],
        "sorted": plan_batches(list(map(len, prompts)), BATCH_SIZE, options.new_tokens, context_window(answerer.model))[0],
    }
    print(f"{len(prompts)} prompts of {min(map(len, prompts))} to {max(map(len, prompts))} tokens, {options.threads} thread(s)")
    answerer.answer(["warm"], prompts[:1], 4)
    results: dict[str, dict[str, float]] = {}
    alone: dict[int, Answer] = {}
    for name, batches in ways.items():
        answers, figures = measure(answerer, prompts, batches)
        alone = alone or answers
        figures["same"] = sum(answers[row] == alone[row] for row in rows) / len(rows)
        results[name] = figures
        figures["faster"] = figures["rows_per_second"] / results["alone"]["rows_per_second"]
        print(f"{name:<8}" + "  ".join(f"{key} {value:.2f}" for key, value in figures.items()), flush=True)
    if options.json:
        print(json.dumps({f"predict_{name}_{key}": value for name, figures in results.items() for key, value in figures.items()}))


if __name__ == "__main__":
    main()
