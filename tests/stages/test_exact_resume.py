"""A training that ends anywhere and is started again takes the very steps that it would have taken."""

import json
from dataclasses import replace

import pytest
from pairs_dataset import write_dataset
from small_training import FULL, LORA, TRAINING, run_ranks, tuned

from radgpt.artifacts import digest
from radgpt.config import Batching, DeepSpeed, Zero
from radgpt.training import fit
from radgpt.training.loop import checkpoints
from radgpt.training.watching.meter import Meter

EVERY_TWO = replace(TRAINING, save_steps=2, eval_strategy="steps", eval_steps=2, sample_generations=0)


def zero(stage):
    return DeepSpeed(enabled=True, zero_optimization=Zero(stage=stage))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "dataset")


class Recorder:
    """A tracker that keeps the curves: name to step to all values that it was sent."""

    def __init__(self):
        self.curves = {}

    def log(self, metrics, step_name, step):
        for name, value in metrics.items():
            self.curves.setdefault(name, {}).setdefault(step, []).append(value)


EXACT = ("train/loss", "train/learning_rate", "train/grad_norm", "train/tokens_seen", "train/epoch", "eval/loss", "eval/sample_tokens")


def start(folder, dataset, tuning, training, recorder=None, **options):
    """Run the stage, and give the curves."""
    recorder = recorder or Recorder()
    run = tuned(folder, dataset, tuning, training, tracker=recorder, **options)
    return run, {name: recorder.curves.get(name, {}) for name in EXACT}


@pytest.fixture(scope="module")
def straight(tmp_path_factory, dataset):
    """Gives a run that nothing ends, and its curves; made once for each settings."""
    made = []

    def run(tuning, training):
        if (found := next((outcome for settings, outcome in made if settings == (tuning, training)), None)) is None:
            found = start(tmp_path_factory.mktemp("straight") / "run", dataset, tuning, training)
            made.append(((tuning, training), found))
        return found

    return run


class Killed(BaseException):
    """Ends the training where it stands, as a kill does: nothing of ours or the Trainer's catches it."""


def begun(monkeypatch, folder, dataset, tuning, training, step, **options):
    """A run that ends in the middle of optimizer step `step`; gives the curves up to there."""
    taken = Meter.on_step_end

    def die(self, args, state, control, **rest):
        if state.global_step == step:
            raise Killed
        return taken(self, args, state, control, **rest)

    recorder = Recorder()
    with monkeypatch.context() as patch:
        patch.setattr(Meter, "on_step_end", die)
        with pytest.raises(Killed):
            start(folder, dataset, tuning, training, recorder, **options)
    return {name: recorder.curves.get(name, {}) for name in EXACT}


def assert_same(whole, *parts):
    """All values of the parts, joined, are those of the whole run."""
    for name, curve in whole.items():
        joined = {}
        for part in parts:
            for step, values in part[name].items():
                joined.setdefault(step, set()).update(values)
        assert joined == {step: set(values) for step, values in curve.items()}, name


PACKED = {"batching": Batching.packed, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 2}


@pytest.mark.parametrize("tuning", [LORA, FULL], ids=["lora", "full"])
@pytest.mark.parametrize("changes", [{}, PACKED, {"batching": Batching.grouped}], ids=["padding_free", "packed", "grouped"])
def test_steps_after_a_kill_are_those_of_a_whole_run(straight, dataset, tmp_path, monkeypatch, tuning, changes):
    # Adapters have dropout, and full weights noise on their input: both draw from a generator that has to go on.
    training = replace(EVERY_TWO, **changes, neftune_noise_alpha=5.0, sample_generations=1)
    complete, whole = straight(tuning, training)
    before = begun(monkeypatch, tmp_path / "run", dataset, tuning, training, step=5)
    assert checkpoints.last_whole(tmp_path / "run" / "checkpoints").name == "checkpoint-4"
    again, after = start(tmp_path / "run", dataset, tuning, training)
    assert min(after["train/loss"]) == 5
    assert_same(whole, before, after)
    assert digest(again.path("checkpoint")) == digest(complete.path("checkpoint"))
    assert (again.directory / "samples.jsonl").read_text() == (complete.directory / "samples.jsonl").read_text()


@pytest.mark.parametrize("step", [1, 2, 3, 4, 6])
def test_wherever_it_ends(straight, dataset, tmp_path, monkeypatch, step):
    training = replace(EVERY_TWO, eval_strategy="epoch")
    complete, whole = straight(LORA, training)
    before = begun(monkeypatch, tmp_path / "run", dataset, LORA, training, step)
    again, after = start(tmp_path / "run", dataset, LORA, training)
    assert_same(whole, before, after)
    assert digest(again.path("checkpoint")) == digest(complete.path("checkpoint"))


def test_with_workers_that_load_the_data_and_losses_that_are_seldom_logged(straight, dataset, tmp_path, monkeypatch):
    training = replace(EVERY_TWO, dataloader_num_workers=2, logging_steps=5)
    _, plain = straight(LORA, EVERY_TWO)
    complete, whole = straight(LORA, training)
    assert list(whole["train/loss"]) == [2, 4, 5, 6]
    assert whole["train/loss"][4][0] == pytest.approx((plain["train/loss"][3][0] + plain["train/loss"][4][0]) / 2, rel=1e-6)
    before = begun(monkeypatch, tmp_path / "run", dataset, LORA, training, step=5)
    again, after = start(tmp_path / "run", dataset, LORA, training)
    assert_same(whole, before, after)
    assert again.summary["train_loss"] == complete.summary["train_loss"]
    assert again.summary["tokens_seen"] == complete.summary["tokens_seen"]


def test_killed_after_the_last_step(straight, dataset, tmp_path, monkeypatch):
    """The last checkpoint is whole, the artifact is not written yet, and the training ends in the middle of an epoch."""
    training = replace(EVERY_TWO, max_steps=4)
    complete, _ = straight(LORA, training)

    def die(*given):
        raise Killed

    recorder = Recorder()
    with monkeypatch.context() as patch:
        patch.setattr(fit, "write_trained", die)
        with pytest.raises(Killed):
            start(tmp_path / "run", dataset, LORA, training, recorder)
    again, after = start(tmp_path / "run", dataset, LORA, training)
    assert after["train/loss"] == {}
    assert again.summary["steps"] == 4
    assert digest(again.path("checkpoint")) == digest(complete.path("checkpoint"))
    assert again.summary["eval_loss"] == complete.summary["eval_loss"]


def test_one_that_is_asked_to_stop_saves_and_goes_on(straight, dataset, tmp_path, monkeypatch):
    """At step 3 there is an evaluation, which the stop leaves no time for: it is made up for."""
    training = replace(EVERY_TWO, save_strategy="no", eval_strategy="epoch")
    complete, whole = straight(LORA, training)
    taken = Meter.on_step_end

    def ask(self, args, state, control, **rest):
        taken(self, args, state, control, **rest)
        self.stops = state.global_step == 3

    recorder = Recorder()
    with monkeypatch.context() as patch:
        patch.setattr(Meter, "on_step_end", ask)
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path / "run", dataset, LORA, training, recorder)
    before = {name: recorder.curves.get(name, {}) for name in EXACT}
    assert list(before["train/loss"]) == [1, 2, 3] and list(before["eval/loss"]) == [0]
    again, after = start(tmp_path / "run", dataset, LORA, training)
    assert list(after["train/loss"]) == [4, 5, 6] and list(after["eval/loss"]) == [3, 6]
    assert_same(whole, before, after)
    assert digest(again.path("checkpoint")) == digest(complete.path("checkpoint"))


def test_samples_that_come_again_stand_once(dataset, tmp_path, monkeypatch):
    training = replace(EVERY_TWO, save_steps=4, sample_generations=2)
    begun(monkeypatch, tmp_path / "run", dataset, LORA, training, step=3)
    again, _ = start(tmp_path / "run", dataset, LORA, training)
    steps = [json.loads(line)["step"] for line in (again.directory / "samples.jsonl").read_text().splitlines()]
    assert steps == [0, 0, 2, 2, 4, 4, 6, 6]


TWO_RANKS = """
import json, os, sys
from pathlib import Path
import pytest
import torch
from test_exact_resume import ENGINES, begun, start

torch.set_num_threads(1)
rank, folder, dataset = int(os.environ["RANK"]), Path(sys.argv[1]), Path(sys.argv[2])
told = {}
for name, (tuning, training, deepspeed) in ENGINES.items():
    options = {"deepspeed": deepspeed, "rank": rank, "world_size": 2}
    complete, whole = start(folder / f"{name}-straight", dataset, tuning, training, **options)
    before = begun(pytest.MonkeyPatch(), folder / name, dataset, tuning, training, 5, **options)
    again, after = start(folder / name, dataset, tuning, training, **options)
    # One that goes on in another number of processes is left for later.
    begun(pytest.MonkeyPatch(), folder / f"{name}-begun", dataset, tuning, training, 5, **options)
    told[name] = [whole, before, after, complete.summary, again.summary]
if rank == 0:
    (folder / "told.json").write_text(json.dumps(told))
"""

HALF = replace(EVERY_TWO, gradient_accumulation_steps=2)
ENGINES = {
    "ddp": (LORA, HALF, DeepSpeed()),
    "deepspeed-zero0": (LORA, replace(HALF, batching=Batching.packed, per_device_train_batch_size=1, num_train_epochs=3), zero(0)),
    "deepspeed-zero2": (FULL, replace(HALF, neftune_noise_alpha=5.0), zero(2)),
}
"""Engine to what two processes train with it."""


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory, dataset):
    """What two processes left, and told."""
    folder = tmp_path_factory.mktemp("two")
    run_ranks(TWO_RANKS, 2, str(folder), str(dataset))
    return folder, json.loads((folder / "told.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_two_processes_take_the_same_steps_after_a_kill(two_ranks, engine):
    folder, told = two_ranks
    whole, before, after, complete, again = told[engine]
    assert len(whole["train/loss"]) == complete["steps"] and min(map(int, after["train/loss"])) == 5
    assert_same(whole, before, after)
    assert complete["engine"] == again["engine"] == engine
    assert digest(folder / engine / "checkpoint") == digest(folder / f"{engine}-straight" / "checkpoint")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_one_process_goes_on_with_what_two_began(two_ranks, dataset, tmp_path, engine, capsys):
    """The steps take the same examples, and but for dropout and noise, which each process draws, have the same losses."""
    folder, told = two_ranks
    tuning, training, deepspeed = ENGINES[engine]
    _, after = start(folder / f"{engine}-begun", dataset, tuning, training, deepspeed=deepspeed)
    assert "saved by 2 processes; 1 take the same examples in each step" in capsys.readouterr().out
    whole = told[engine][0]
    assert list(after["train/loss"]) == [5, 6, *range(7, len(whole["train/loss"]) + 1)]
    assert after["train/tokens_seen"] == {int(step): values for step, values in whole["train/tokens_seen"].items() if int(step) > 4}
    for name, close in {"train/learning_rate": 1e-9, "eval/loss": 1e-3}.items():
        for step, (value,) in after[name].items():
            assert value == pytest.approx(whole[name][str(step)][0], rel=close), (name, step)
