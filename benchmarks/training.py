"""How many tokens a second radgpt trains, how soon it starts and how well it learns, beside other libraries in one run.

    python benchmarks/training.py [--dataset FOLDER] [--pairs 320] [--rounds 3] [--only radgpt_packed …] [--json]
        [--trl-python PYTHON] [--llamafactory-python PYTHON] [--axolotl-python PYTHON]
    python benchmarks/training.py --quality --trl-python PYTHON [--dataset FOLDER] [--json]

A tiny Llama (hidden size 256, 4 layers, 4,096 tokens) learns chats in float32 on one thread of the CPU, all its weights, one epoch.
The chats are the first ones of a dataset's train.jsonl, or made-up ones whose lengths follow those of pairs on Open-i reports. Each
way runs in a process of its own, with the python that has the library, and the rounds take turns, since other work disturbs all alike:

    alpaca                 the original's recipe: transformers' Trainer, random order, padded to the longest of 8
    radgpt_…               `stage=finetune` from the command line, by `training.batching`: 8 chats a step, or 2 packed rows of 1,024 tokens
    radgpt_shared          packed, with `training.share_prefixes=true`
    trl, trl_packed        SFTTrainer, 8 chats a step or the same rows
    llamafactory, axolotl  their packing without attention across chats, the same rows

`tok/cpu s` counts the chats' tokens, without padding, for each second of processor time from the first step to the last; `useful` is
their share of all that went through the model, above 100 % where chats share some. `first step` is what passes from the start of the
process until it trains (and processor time of that). `x peer` compares with the best of the other libraries. `--quality` trains 8 chats
a step for one epoch on the same order with TRL and radgpt, and compares the losses of the steps and the loss on the validation chats,
which one function takes of both models.
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.artifacts import write_records
from radgpt.config import Model, ModelSource
from radgpt.records import SPLITS, Pair, read_records

RUNNERS = Path(__file__).parent / "training_peers"
BATCH_SIZE, ROWS, ROW_LENGTH = 8, 2, 1024
SEED, LEARNING_RATE, WARMUP_STEPS = 7, 1e-3, 2
VALIDATION_PAIRS = 128
PROMPT_WORDS = (53, 89, 97, 103, 108, 113, 119, 127, 137, 154, 356)
ANSWER_WORDS = (4, 7, 9, 11, 12, 13, 15, 18, 21, 28, 82)
"""Deciles, least and greatest included, of what the rules teacher's pairs on Open-i reports hold, in tokens of the tiny model."""
SYSTEM_WORDS, QUESTION_WORDS = 18, 10
PAIRS_ON_THE_REPORT_BEFORE = 0.38
"""Share of pairs that are about the same report as the pair before: 5,074 pairs are about 3,137 reports."""

QUIET = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "WANDB_MODE": "disabled",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "DISABLE_VERSION_CHECK": "1",  # of LLaMA-Factory, which wants an older torch
}
COMMON = {
    "num_train_epochs": 1,
    "gradient_accumulation_steps": 1,
    "learning_rate": LEARNING_RATE,
    "lr_scheduler_type": "cosine",
    "warmup_steps": WARMUP_STEPS,
    "logging_steps": 1,
    "save_strategy": "no",
    "gradient_checkpointing": False,
    "seed": SEED,
}
"""What all libraries are told, in transformers' names."""


@dataclass(frozen=True)
class Bench:
    """Where the inputs of all ways lie."""

    folder: Path
    """Holds `dataset/` (as radgpt takes it), `chats.jsonl` and `dataset_info.json` (LLaMA-Factory's list)."""
    pad_token_id: int

    @property
    def model(self) -> Path:
        """Weights and tokenizer."""
        return self.folder / "model"


@dataclass(frozen=True)
class Way:
    """One library with one way to batch."""

    name: str
    python: str
    runner: str
    """File name in RUNNERS."""
    arguments: Callable[[Bench, Path], list[str]]
    """From the inputs and an empty folder to the command line's rest."""


def made_up_chats(count: int, split: str) -> Iterator[Pair]:
    """Chats of made-up words, as long as those on Open-i reports and, as those, often two about one report."""
    rng = random.Random(f"{SEED}/{split}")
    syllables = [first + second for first in "bdfgklmnprstvz" for second in ("a", "e", "i", "o", "u", "al", "en", "or")]
    words = ["".join(random.Random(word).choices(syllables, k=2)) for word in range(1500)]

    def length(deciles: tuple[int, ...]) -> int:
        place = rng.random() * (len(deciles) - 1)
        low, high = deciles[int(place)], deciles[int(place) + 1]
        return round(low + (high - low) * (place % 1))

    def text(count: int) -> str:
        return " ".join(rng.choices(words, k=count))

    system = text(SYSTEM_WORDS)
    report = ""
    for number in range(count):
        if not report or rng.random() > PAIRS_ON_THE_REPORT_BEFORE:
            report = text(length(PROMPT_WORDS) - SYSTEM_WORDS - QUESTION_WORDS)
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": f"{report}\n\n{text(QUESTION_WORDS)}"},
            {"role": "assistant", "content": text(length(ANSWER_WORDS))},
        ]
        yield Pair(f"{split}{number}/0", f"{split}{number}", f"{split}{number}", "question_answering", split, messages, "", "", "")


def prepare(folder: Path, dataset: Path | None, pairs: int, validation: int) -> Bench:
    """Write the chats as each library reads them, and the model."""
    from transformers import AutoTokenizer

    from radgpt.training.tiny import make_tiny

    counts = {"train": pairs, "validation": validation, "test": 1}
    (folder / "dataset").mkdir()
    for split in SPLITS:
        chosen = made_up_chats(counts[split], split) if dataset is None else read_records(dataset / f"{split}.jsonl", Pair)
        with write_records(folder / "dataset" / f"{split}.jsonl") as write:
            for pair in islice(chosen, counts[split]):
                write(pair)
    train = list(read_records(folder / "dataset" / "train.jsonl", Pair))
    with write_records(folder / "chats.jsonl") as write:
        for pair in train:
            write({"messages": pair.messages})
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant", "system_tag": "system"}
    listed = {"file_name": "chats.jsonl", "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags}
    (folder / "dataset_info.json").write_text(json.dumps({"chats": listed}))
    shape = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=256, tiny_layers=4, tiny_vocab_size=4096)
    make_tiny(shape, (message["content"] for pair in train for message in pair.messages), SEED, folder / "model")
    return Bench(folder, AutoTokenizer.from_pretrained(folder / "model").pad_token_id)


def radgpt(batching: str, *more: str) -> Callable[[Bench, Path], list[str]]:
    """The command line of `stage=finetune`."""
    settings = {
        "model_max_length": ROW_LENGTH,
        "batching": batching,
        "per_device_train_batch_size": ROWS if batching == "packed" else BATCH_SIZE,
        "optim": "adamw_torch_fused",
        "eval_strategy": "no",
        "sample_generations": 0,
    }

    def arguments(bench: Bench, output: Path) -> list[str]:
        return [
            *("experiment=none", "stage=finetune", "data=synthetic", f"inputs.dataset={bench.folder / 'dataset'}", f"seed={SEED}"),
            *("model.source=hub", f"model.name_or_path={bench.model}", "model.dtype=float32", "tuning=full"),
            *("wandb=disabled", f"outputs={output}", f"cache={output / 'cache'}"),
            *(f"training.{name}={value}" for name, value in (COMMON | settings).items() if name != "seed"),
            *more,
        ]

    return arguments


def settings_file(settings: dict[str, Any], output: Path) -> list[str]:
    """Settings as JSON, which YAML readers take too, as the only argument."""
    file = output / "settings.yaml"
    file.write_text(json.dumps(settings, indent=1))
    return [str(file)]


def plain(packed: bool = False, keep: bool = False) -> Callable[[Bench, Path], list[str]]:
    """For `run_alpaca.py` and `run_trl.py`."""

    def arguments(bench: Bench, output: Path) -> list[str]:
        settings = {"common": COMMON, "batch_size": BATCH_SIZE, "rows": ROWS, "row_length": ROW_LENGTH, "packed": packed, "keep": keep}
        places = {"model": bench.model, "chats": bench.folder / "chats.jsonl", "output": output / "trained"}
        return settings_file(settings | {name: str(place) for name, place in places.items()}, output)

    return arguments


def llamafactory(bench: Bench, output: Path) -> list[str]:
    """Its own settings, by its own names."""
    own = {
        "model_name_or_path": str(bench.model),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "dataset_dir": str(bench.folder),
        "dataset": "chats",
        "cutoff_len": ROW_LENGTH,
        "packing": True,
        "neat_packing": True,
        "flash_attn": "sdpa",
        "disable_gradient_checkpointing": True,
        "overwrite_cache": True,
        "preprocessing_num_workers": 1,
        "output_dir": str(output / "trained"),
        "per_device_train_batch_size": ROWS,
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
    }
    return settings_file({name: value for name, value in COMMON.items() if name != "gradient_checkpointing"} | own, output)


def axolotl(bench: Bench, output: Path) -> list[str]:
    """Its own settings, by its own names."""
    own = {
        "base_model": str(bench.model),
        "datasets": [
            {
                "path": str(bench.folder / "chats.jsonl"),
                "ds_type": "json",
                "type": "chat_template",
                "field_messages": "messages",
                "roles_to_train": ["assistant"],
            }
        ],
        "chat_template": "tokenizer_default",
        "dataset_prepared_path": str(output / "prepared"),
        "dataset_num_proc": 1,
        "output_dir": str(output / "trained"),
        "sequence_len": ROW_LENGTH,
        "sample_packing": True,
        "pad_to_sequence_len": False,
        "sdp_attention": True,
        "micro_batch_size": ROWS,
        "num_epochs": 1,
        "optimizer": "adamw_torch_fused",
        "lr_scheduler": "cosine",
        "bf16": False,
        "fp16": False,
        "tf32": False,
        "val_set_size": 0,
        "special_tokens": {"pad_token": "<|pad|>"},
    }
    return settings_file({name: value for name, value in COMMON.items() if not name.startswith(("num_train", "lr_"))} | own, output)


def ways(options: argparse.Namespace) -> list[Way]:
    """All that can run with the pythons given."""
    here = [
        Way("alpaca", sys.executable, "run_alpaca.py", plain()),
        *(Way(f"radgpt_{mode}", sys.executable, "run_radgpt.py", radgpt(mode)) for mode in ("padded", "grouped", "padding_free", "packed")),
        Way("radgpt_shared", sys.executable, "run_radgpt.py", radgpt("packed", "training.share_prefixes=true")),
    ]
    peers = [
        Way("trl", options.trl_python, "run_trl.py", plain()),
        Way("trl_packed", options.trl_python, "run_trl.py", plain(packed=True)),
        Way("llamafactory", options.llamafactory_python, "run_llamafactory.py", llamafactory),
        Way("axolotl", options.axolotl_python, "run_axolotl.py", axolotl),
    ]
    return [way for way in here + peers if way.python and (not options.only or way.name in options.only)]


def run(way: Way, bench: Bench, output: Path) -> dict[str, Any]:
    """The figures of one training, with its folder empty before."""
    result = output / "result.json"
    arguments = way.arguments(bench, output)
    told = {"started": time.time(), "pad_token_id": bench.pad_token_id, "result": str(result)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RANK", "WORLD_SIZE", "MASTER_"))}
    environment |= QUIET | {"TRAINING_STOPWATCH": json.dumps(told)}
    done = subprocess.run(
        [way.python, str(RUNNERS / way.runner), *arguments], cwd=output, env=environment, capture_output=True, text=True, timeout=600
    )
    if done.returncode or not result.exists():
        raise SystemExit(f"{way.name} failed ({done.returncode}):\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(result.read_text())
    return figures


def derived(figures: dict[str, Any]) -> dict[str, float]:
    """What the table shows of one training."""
    return {
        "tokens_per_cpu_second": figures["tokens"] / figures["cpu_s"],
        "tokens_per_second": figures["tokens"] / figures["wall_s"],
        "useful": figures["tokens"] / figures["slots"],
        "first_step_seconds": figures["first_step_s"],
        "first_step_cpu_seconds": figures["first_step_cpu_s"],
        "rss_mib": figures["rss_mib"],
    }


def medians_of(trainings: list[dict[str, Any]]) -> dict[str, float]:
    """Column by column."""
    columns = [derived(training) for training in trainings]
    return {name: statistics.median(values[name] for values in columns) for name in columns[0]}


def compare_speed(chosen: list[Way], bench: Bench, rounds: int, workplace: Path) -> dict[str, float]:
    """Run all ways in turn, print one table, and give medians and ratios by name."""
    seen: dict[str, list[dict[str, Any]]] = {way.name: [] for way in chosen}
    for number in range(rounds):
        for way in chosen:
            output = workplace / f"{way.name}-{number}"
            output.mkdir()
            seen[way.name].append(run(way, bench, output))
            print(f"round {number + 1}  {way.name:20} {derived(seen[way.name][-1])}", file=sys.stderr)
    medians = {name: medians_of(trainings) for name, trainings in seen.items()}
    speeds = {name: values["tokens_per_cpu_second"] for name, values in medians.items()}
    peers = [speed for name, speed in speeds.items() if not name.startswith(("radgpt", "alpaca"))]
    against = {"over_alpaca": speeds.get("alpaca"), "over_best_peer": max(peers, default=None)}
    print(f"{'':20} tok/cpu s  least–most  x alpaca  x peer  tok/s  useful  RSS MiB  first step s (cpu)  tokens  steps  last loss")
    report: dict[str, float] = {}
    for name, values in medians.items():
        ratios = {ratio: speeds[name] / speed for ratio, speed in against.items() if speed}
        spread = [derived(training)["tokens_per_cpu_second"] for training in seen[name]]
        last = seen[name][-1]
        cells = (
            f"{name:20} {speeds[name]:9,.0f}  {min(spread):,.0f}–{max(spread):,.0f}",
            f"{ratios.get('over_alpaca', math.nan):8.2f}  {ratios.get('over_best_peer', math.nan):6.2f}",
            f"{values['tokens_per_second']:5,.0f}  {values['useful']:6.0%}  {values['rss_mib']:7,.0f}",
            f"{values['first_step_seconds']:12.1f} ({values['first_step_cpu_seconds']:.1f})",
            f"{last['tokens']:8,}  {last['steps']:5}  {last['losses'][-1]:9.3f}",
        )
        print("  ".join(cells))
        report |= {f"training_{name}_{column}": value for column, value in (values | ratios).items()}
    return report


def compare_quality(trl_python: str, bench: Bench, workplace: Path) -> dict[str, float]:
    """Train with TRL and with radgpt on the same order, print how far losses are apart, and give the figures by name."""
    ours = Way("radgpt", sys.executable, "run_radgpt.py", radgpt("padding_free"))
    theirs = Way("trl", trl_python, "run_trl.py", plain(keep=True))
    steps: dict[str, list[float]] = {}
    losses = {"untrained": validation_loss(bench.model, bench)}
    for way, trained in ((ours, "default/finetune/*/checkpoint"), (theirs, "trained")):
        output = workplace / way.name
        output.mkdir()
        steps[way.name] = run(way, bench, output)["losses"]
        losses[way.name] = validation_loss(next(output.glob(trained)), bench)
    if len(steps["radgpt"]) != len(steps["trl"]):
        raise SystemExit(f"radgpt made {len(steps['radgpt'])} steps, trl {len(steps['trl'])}")
    apart = [abs(mine - other) for mine, other in zip(steps["radgpt"], steps["trl"], strict=True)]
    figures = {f"eval_loss_{name}": loss for name, loss in losses.items()}
    figures |= {"steps": len(apart), "step_losses_apart": max(apart), "eval_losses_apart": abs(losses["radgpt"] - losses["trl"])}
    print("\n".join(f"{name:20} {value:.6g}" for name, value in figures.items()))
    return {f"training_quality_{name}": value for name, value in figures.items()}


def validation_loss(model: Path, bench: Bench) -> float:
    """The mean negative log-likelihood of all answer tokens of the validation chats, in nats, by plain transformers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    network, tokenizer = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(bench.model)
    total, count = 0.0, 0
    for pair in read_records(bench.folder / "dataset" / "validation.jsonl", Pair):
        chat = tokenizer.apply_chat_template(pair.messages, return_dict=True, return_assistant_tokens_mask=True)
        ids, learned = torch.tensor([chat["input_ids"]]), torch.tensor([chat["assistant_masks"]])[0, 1:].bool()
        with torch.inference_mode():
            scores = network(input_ids=ids).logits[0, :-1].log_softmax(-1)
        total -= float(scores.gather(1, ids[0, 1:, None])[learned].double().sum())
        count += int(learned.sum())
    return total / count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, help="folder with train.jsonl and validation.jsonl, as stage=postprocess_answers writes it")
    parser.add_argument("--pairs", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="names of ways")
    for peer in ("trl", "llamafactory", "axolotl"):
        parser.add_argument(f"--{peer}-python", help=f"python of an environment with {peer}")
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args()
    if options.quality and not options.trl_python:
        parser.error("--quality needs --trl-python")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "inputs").mkdir()
        bench = prepare(Path(folder) / "inputs", options.dataset, options.pairs, VALIDATION_PAIRS if options.quality else 1)
        if options.quality:
            report = compare_quality(options.trl_python, bench, Path(folder))
        else:
            report = compare_speed(ways(options), bench, options.rounds, Path(folder))
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
