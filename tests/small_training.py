"""A tiny model, settings of a training of six steps, and the stage that runs it, for tests of training."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from radgpt.config import DeepSpeed, Method, Model, ModelSource, Preflight, Training, Tuning
from radgpt.run import NoTracker, Run, Tracker
from radgpt.stages import finetune

MODEL = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=32, tiny_layers=1, tiny_vocab_size=320)
LORA = Tuning(method=Method.lora, r=4, lora_alpha=8, lora_dropout=0.1)
FULL = Tuning(method=Method.full)
TRAINING = Training(
    model_max_length=256,
    num_train_epochs=2,
    per_device_train_batch_size=2,
    gradient_accumulation_steps=4,
    learning_rate=1e-2,
    gradient_checkpointing=False,
    save_strategy="steps",
    save_steps=1,
)


def tuned(
    folder: Path,
    dataset: Path,
    tuning: Tuning = LORA,
    training: Training = TRAINING,
    deepspeed: DeepSpeed | None = None,
    model: Model = MODEL,
    *,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    tracker: Tracker | None = None,
) -> Run:
    """Run the stage in a folder."""
    folder.mkdir(exist_ok=True)
    run = Run(
        directory=folder,
        writes=finetune.WRITES,
        cache=folder / "cache",
        tracker=tracker or NoTracker(),
        rank=rank,
        world_size=world_size,
    )
    finetune.run(run, dataset, model, tuning, training, deepspeed or DeepSpeed(), Preflight(), seed)
    return run


def run_ranks(script: str, world_size: int, *arguments: str) -> list[str]:
    """Run a script in processes that are ranks of one training; give what each printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tests = Path(__file__).parent
    path = os.pathsep.join(map(str, (tests, tests / "stages", tests.parent)))
    shared = {
        "PYTHONPATH": path,
        "WORLD_SIZE": str(world_size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world_size)
    ]
    try:
        told = [rank.communicate(timeout=300) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    for rank, (_, error) in zip(ranks, told, strict=True):
        assert rank.returncode == 0, error
    return [output for output, _ in told]
