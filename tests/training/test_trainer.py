"""One optimizer step: the loss is a mean over all its answer tokens, however it is cut into micro-batches."""

import math

import pytest
import torch
from pairs_dataset import effusion_pair, write_dataset

from radgpt.config import DeepSpeed, Model, ModelSource, Training
from radgpt.errors import UserError
from radgpt.models import load_base, load_tokenizer
from radgpt.run import Run
from radgpt.training.arguments import training_arguments
from radgpt.training.loss import selects_logits, summed_loss
from radgpt.training.tiny import make_tiny
from radgpt.training.tokens import Collator, read_tokens, write_tokens
from radgpt.training.trainer import eval_loss_at, mean_loss, train
from radgpt.training.watch import Curves

MODEL = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=32, tiny_layers=1, tiny_vocab_size=320)


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
    training = Training(gradient_checkpointing=False, save_strategy="no", **settings)
    network = load_base(MODEL, str(folder / "base"), torch.float32)
    run = Run(directory=tmp_path, writes={}, tracker=Recorder())
    arguments = training_arguments(training, DeepSpeed(), MODEL, 0, output=tmp_path / "out", evaluate=True, resumed=False)
    _, outcome = train(run, network, arguments, tokens, tokenizer.pad_token_id, training, DeepSpeed(), None)
    return network, outcome, run.tracker.points


def reference_loss(network, tokens, tokenizer):
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


def test_accumulated_micro_batches_step_as_one_big_batch(prepared, tmp_path):
    settings = {"max_steps": 2, "learning_rate": 1e-2, "warmup_ratio": 0.0}
    big, _, points = trained(prepared, tmp_path / "big", per_device_train_batch_size=12, gradient_accumulation_steps=1, **settings)
    small, _, again = trained(prepared, tmp_path / "small", per_device_train_batch_size=2, gradient_accumulation_steps=6, **settings)
    for one, other in zip(big.parameters(), small.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    losses = [[m["train/loss"] for _, _, m in run if "train/loss" in m] for run in (points, again)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_losses_are_those_of_the_answer_tokens(prepared, tmp_path):
    folder, tokenizer, tokens = prepared
    base = load_base(MODEL, str(folder / "base"), torch.float32)
    settings = {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 4, "per_device_eval_batch_size": 2}
    network, outcome, points = trained(prepared, tmp_path, max_steps=1, learning_rate=1e-2, warmup_ratio=0.0, **settings)
    assert outcome.eval_loss_before == pytest.approx(reference_loss(base, tokens.validation, tokenizer), rel=1e-5)
    assert outcome.eval_loss == pytest.approx(reference_loss(network, tokens.validation, tokenizer), rel=1e-5)
    assert outcome.train_loss == pytest.approx(reference_loss(base, tokens.train, tokenizer), rel=1e-5)
    assert outcome.eval_loss < outcome.eval_loss_before
    assert (outcome.steps, outcome.engine) == (1, "single")
    names = set().union(*(metrics for _, _, metrics in points))
    assert names == {"train/loss", "train/learning_rate", "train/grad_norm", "train/epoch", "eval/loss"}
    assert {axis for axis, _, _ in points} == {"train/step"}


def test_every_pair_is_trained_on_once_an_epoch(prepared, tmp_path, monkeypatch):
    seen = []
    original = Collator.__call__

    def spy(self, rows):
        seen.extend(tuple(row["input_ids"]) for row in rows)
        return original(self, rows)

    monkeypatch.setattr(Collator, "__call__", spy)
    settings = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "eval_strategy": "no"}
    trained(prepared, tmp_path, num_train_epochs=1.0, **settings)
    assert sorted(seen) == sorted(tuple(row["input_ids"]) for row in prepared[2].train)
    first = list(seen)
    seen.clear()
    trained(prepared, tmp_path / "two", num_train_epochs=2.0, **settings)
    assert seen[:12] == first
    assert seen[12:] != first
    assert sorted(seen[12:]) == sorted(first)


def test_logits_of_answers_give_the_loss_of_all_logits(prepared):
    folder, _, tokens = prepared
    network = load_base(MODEL, str(folder / "base"), torch.float32)
    batch = Collator(pad_token_id=0)([tokens.train[number] for number in range(4)])
    assert selects_logits(network)
    total, count = summed_loss(network, batch, selects=True)
    assert (total / count).item() == pytest.approx(network(**batch).loss.item(), rel=1e-5)
    assert summed_loss(network, batch, selects=False)[0].item() == pytest.approx(total.item(), rel=1e-5)
    assert count == sum(sum(tokens.train[number]["mask"]) for number in range(4))


def test_a_loss_that_is_no_number_ends_the_training(tmp_path):
    class State:
        global_step, max_steps = 4, 9

    class Arguments:
        learning_rate = 0.5

    curves = Curves(Run(directory=tmp_path, writes={}))
    with pytest.raises(UserError, match=r"became nan by step 4; lower training\.learning_rate=0\.5"):
        curves.on_log(Arguments(), State(), None, {"loss": math.nan})


def test_the_mean_loss_weighs_entries_by_their_steps():
    log = [{"eval_loss": 9.0, "step": 0}, {"loss": 4.0, "step": 2}, {"loss": 1.0, "step": 3}, {"eval_loss": 0.5, "step": 3}]
    assert mean_loss(log) == 3.0
    assert mean_loss([]) is None
    assert eval_loss_at(log, 0) == 9.0
    assert eval_loss_at(log, 2) is None
