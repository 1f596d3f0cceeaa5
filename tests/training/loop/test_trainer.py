"""One optimizer step: the loss is a mean over all its answer tokens, however it is cut into micro-batches."""

import json
import math
from itertools import pairwise

import pytest
import torch
from pairs_dataset import effusion_pair, write_dataset

from radgpt.config import Batching, DeepSpeed, Model, ModelSource, Preflight, Training, Tuning
from radgpt.errors import UserError
from radgpt.models import load_base, load_tokenizer
from radgpt.run import Run
from radgpt.training.data import collation
from radgpt.training.data.tokens import read_tokens, write_tokens
from radgpt.training.loop.arguments import training_arguments
from radgpt.training.loop.resume import Resume
from radgpt.training.loop.trainer import mean_loss, out_of_memory, train
from radgpt.training.recipe import Recipe
from radgpt.training.tiny import make_tiny
from radgpt.training.tuning.attention import use_segment_attention

MODEL = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=32, tiny_layers=1, tiny_vocab_size=320)

STEP_CURVES = {
    "train/loss",
    "train/learning_rate",
    "train/grad_norm",
    "train/epoch",
    "train/tokens_per_second",
    "train/tokens_seen",
    "train/pad_waste",
    "train/peak_memory_gib",
}
EVALUATION_CURVES = {
    "eval/loss",
    "eval/perplexity",
    "eval/loss/question_answering",
    "eval/sample_tokens",
    "eval/sample_ended",
    "eval/sample_rougeL",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    dataset = write_dataset(folder / "dataset", train=12, other=5)
    make_tiny(
        MODEL, [message["content"] for number in range(12) for message in effusion_pair(number, "train").messages], 0, folder / "base"
    )
    tokenizer = load_tokenizer(MODEL, str(folder / "base"))
    write_tokens(dataset, Training(), 0, tokenizer, folder / "tokens")
    return folder, tokenizer, read_tokens(folder / "tokens")


class Recorder:
    """A tracker that keeps what it is sent."""

    def __init__(self):
        self.points = []

    def log(self, metrics, step_name, step):
        self.points.append((step_name, step, dict(metrics)))


def trained(prepared, tmp_path, **settings):
    folder, tokenizer, tokens = prepared
    training = Training(**{"gradient_checkpointing": False, "save_strategy": "no", "sample_generations": 0} | settings)
    network = load_base(MODEL, str(folder / "base"), torch.float32)
    use_segment_attention(network, training, MODEL)
    run = Run(directory=tmp_path, writes={}, tracker=Recorder())
    arguments = training_arguments(training, DeepSpeed(), MODEL, 0, output=tmp_path / "out", evaluate=True, resumed=False)
    recipe = Recipe(MODEL, Tuning(), training, DeepSpeed(), Preflight(), 0)
    _, outcome = train(run, "finetune", network, arguments, tokens, tokenizer, recipe, Resume(None, training, universal=False))
    return network, outcome, run.tracker.points


def losses(points):
    return [metrics["train/loss"] for _, _, metrics in points if "train/loss" in metrics]


def reference_loss(network, tokens):
    """Mean negative log-likelihood of the learned tokens, pair by pair, by the model's own loss."""
    total = count = 0
    network.eval()
    for row in tokens:
        ids = torch.tensor([row["input_ids"]])
        labels = torch.where(torch.tensor([row["mask"]]) == 1, ids, -100)
        learned = sum(row["mask"])
        with torch.no_grad():
            total += network(input_ids=ids, labels=labels).loss.item() * learned
        count += learned
    return total / count


@pytest.mark.parametrize("batching", list(Batching), ids=lambda mode: mode.value)
def test_accumulated_micro_batches_step_as_one_big_batch(prepared, tmp_path, batching):
    # Rows of 600 tokens hold all twelve examples, so that every mode takes the same two steps.
    settings = {"max_steps": 2, "learning_rate": 1e-2, "warmup_ratio": 0.0, "model_max_length": 600, "eval_strategy": "no"}
    big, _, points = trained(prepared, tmp_path / "big", per_device_train_batch_size=12, gradient_accumulation_steps=1, **settings)
    small, _, again = trained(
        prepared, tmp_path / "small", batching=batching, per_device_train_batch_size=2, gradient_accumulation_steps=6, **settings
    )
    for one, other in zip(big.parameters(), small.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    assert losses(points) == pytest.approx(losses(again), rel=1e-5)


@pytest.mark.parametrize("batching", [Batching.padding_free, Batching.grouped], ids=lambda mode: mode.value)
def test_losses_are_those_of_the_answer_tokens(prepared, tmp_path, batching):
    folder, _, tokens = prepared
    base = load_base(MODEL, str(folder / "base"), torch.float32)
    settings = {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 4, "per_device_eval_batch_size": 2}
    settings |= {"batching": batching, "max_steps": 1, "learning_rate": 1e-2, "warmup_ratio": 0.0, "sample_generations": 2}
    network, outcome, points = trained(prepared, tmp_path, **settings)
    assert outcome.eval_loss_before == pytest.approx(reference_loss(base, tokens.validation), rel=1e-5)
    assert outcome.eval_loss == pytest.approx(reference_loss(network, tokens.validation), rel=1e-5)
    assert outcome.train_loss == pytest.approx(reference_loss(base, tokens.train), rel=1e-5)
    assert outcome.eval_loss < outcome.eval_loss_before
    assert outcome.perplexity == pytest.approx(math.exp(outcome.eval_loss))
    assert (outcome.steps, outcome.engine, outcome.tokens_seen) == (1, "single", tokens.counts.train.tokens)
    assert (outcome.pad_waste == 0) == (batching is Batching.padding_free)
    assert set().union(*(metrics for _, _, metrics in points)) == STEP_CURVES | EVALUATION_CURVES
    assert {axis for axis, _, _ in points} == {"train/step"}


def test_each_task_has_a_curve(prepared, tmp_path):
    folder, tokenizer, tokens = prepared
    tasks = ["summarization", "summarization", "question_answering", "question_answering", "question_answering"]
    rows = tokens.validation.remove_columns("task").add_column("task", tasks)
    mixed = type(tokens)(tokens.train, rows, tokens.counts)
    network, outcome, points = trained((folder, tokenizer, mixed), tmp_path, max_steps=1)
    last = [metrics for _, _, metrics in points if "eval/loss" in metrics][-1]
    for task, part in {"summarization": range(2), "question_answering": range(2, 5)}.items():
        assert last[f"eval/loss/{task}"] == pytest.approx(reference_loss(network, rows.select(part)), rel=1e-5)
    assert last["eval/loss/summarization"] != pytest.approx(outcome.eval_loss, rel=1e-5)


def test_every_pair_is_trained_on_once_an_epoch(prepared, tmp_path, monkeypatch):
    seen = []
    original = collation.Padded.__call__

    def spy(self, rows):
        seen.extend(tuple(row["input_ids"]) for row in rows)
        return original(self, rows)

    monkeypatch.setattr(collation.Padded, "__call__", spy)
    settings = {"batching": Batching.grouped, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "eval_strategy": "no"}
    trained(prepared, tmp_path, num_train_epochs=1.0, **settings)
    assert sorted(seen) == sorted(tuple(row["input_ids"]) for row in prepared[2].train)
    first = list(seen)
    seen.clear()
    trained(prepared, tmp_path / "two", num_train_epochs=2.0, **settings)
    assert seen[:12] == first
    assert seen[12:] != first
    assert sorted(seen[12:]) == sorted(first)


def test_a_gradient_that_is_no_number_ends_the_training_though_seldom_logged(prepared, tmp_path):
    with pytest.raises(UserError, match=r"became (nan|inf) at step \d, with the examples train\d+/0, .*training\.learning_rate=1e\+30"):
        trained(
            prepared,
            tmp_path,
            max_steps=9,
            learning_rate=1e30,
            warmup_ratio=0.0,
            logging_steps=100,
            eval_strategy="no",
            per_device_train_batch_size=2,
            gradient_accumulation_steps=2,
        )


STEPS = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "eval_strategy": "steps", "eval_steps": 1}


def test_training_stops_where_nothing_gets_better(prepared, tmp_path):
    # So large a rate makes each step worse than the one before.
    settings = STEPS | {"max_steps": 20, "learning_rate": 0.5, "warmup_ratio": 0.0, "lr_scheduler_type": "constant", "max_loss_spike": None}
    _, outcome, points = trained(prepared, tmp_path, early_stopping_patience=2, **settings)
    values = [metrics["eval/loss"] for _, step, metrics in points if "eval/loss" in metrics and step > 0]
    assert outcome.steps == len(values) < 20
    assert values.index(min(values)) == len(values) - 3


def test_the_best_checkpoint_is_kept(prepared, tmp_path):
    settings = STEPS | {"max_steps": 3, "learning_rate": 0.3, "warmup_ratio": 0.0, "lr_scheduler_type": "constant", "max_loss_spike": None}
    network, outcome, points = trained(
        prepared, tmp_path, save_strategy="steps", save_steps=1, save_total_limit=1, load_best_model_at_end=True, **settings
    )
    values = {step: metrics["eval/loss"] for _, step, metrics in points if "eval/loss" in metrics and step > 0}
    best = min(values, key=values.__getitem__)
    assert best < 3, "the test needs a training that gets worse at its end"
    assert (outcome.best_step, outcome.eval_loss, outcome.steps) == (best, values[best], 3)
    assert reference_loss(network, prepared[2].validation) == pytest.approx(values[best], rel=1e-5)


def test_an_unknown_metric_is_refused_at_the_first_evaluation(prepared, tmp_path):
    with pytest.raises(UserError, match=r"training\.metric_for_best_model=bleu is none of eval_loss, eval_perplexity, eval_loss/question"):
        trained(prepared, tmp_path, max_steps=2, early_stopping_patience=1, metric_for_best_model="bleu")


def test_samples_are_written_and_their_numbers_drawn(prepared, tmp_path):
    _, _, points = trained(prepared, tmp_path, max_steps=2, sample_generations=3, **STEPS)
    lines = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0] * 3 + [1] * 3 + [2] * 3
    assert len({line["id"] for line in lines}) == 3
    drawn = [metrics for _, _, metrics in points if "eval/sample_tokens" in metrics]
    assert len(drawn) == 3
    assert all(0 < metrics["eval/sample_tokens"] <= 128 and 0 <= metrics["eval/sample_rougeL"] <= 1 for metrics in drawn)


def test_samples_change_nothing_that_is_trained(prepared, tmp_path):
    settings = STEPS | {"max_steps": 3}
    with_samples, _, points = trained(prepared, tmp_path / "with", sample_generations=2, **settings)
    without, _, again = trained(prepared, tmp_path / "without", **settings)
    assert losses(points) == losses(again)
    assert all(torch.equal(one, other) for one, other in zip(with_samples.parameters(), without.parameters(), strict=True))


def test_tokens_are_counted_on(prepared, tmp_path):
    _, _, points = trained(prepared, tmp_path, num_train_epochs=2.0, per_device_train_batch_size=4, gradient_accumulation_steps=1)
    seen = [metrics["train/tokens_seen"] for _, _, metrics in points if "train/tokens_seen" in metrics]
    assert len(seen) == 6 and all(one < other for one, other in pairwise(seen))
    assert seen[2] == prepared[2].counts.train.tokens and seen[5] == 2 * seen[2]


def test_what_to_do_where_the_memory_is_full():
    assert "training.per_device_train_batch_size=4: lower it" in out_of_memory(Training())
    assert "(rows of training.model_max_length=4096 tokens): lower it" in out_of_memory(Training(batching=Batching.packed))


def test_the_mean_loss_weighs_entries_by_their_steps():
    log = [{"eval_loss": 9.0, "step": 0}, {"loss": 4.0, "step": 2}, {"loss": 1.0, "step": 3}, {"eval_loss": 0.5, "step": 3}]
    assert mean_loss(log) == 3.0
    assert mean_loss([]) is None
