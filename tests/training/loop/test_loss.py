"""The loss is that of each example alone, whatever shares its micro-batch, and so are the gradients."""

import os
import subprocess
import sys

import pytest
import torch
from torch.nn.functional import cross_entropy

from radgpt.config import Batching, Model, Training
from radgpt.training.data.batching import MicroBatches
from radgpt.training.data.collation import Flat, Padded, collator
from radgpt.training.loop import loss
from radgpt.training.loop.loss import selects_logits, summed_cross_entropy, summed_loss
from radgpt.training.tuning.attention import use_segment_attention

SIZES = (13, 5, 29, 2, 18, 24, 9)
WINDOW = 8
SMALL = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
}


def make(kind="Llama", **settings):
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**(SMALL | settings))
    return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)


ARCHITECTURES = {
    "llama": {},
    "mistral": {"kind": "Mistral", "sliding_window": WINDOW},
    "gemma3": {"kind": "Gemma3Text", "sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]},
}


def examples():
    """Each with a prompt that is not learned, an answer that is, and after it an unlearned token."""
    source = torch.Generator().manual_seed(0)
    ids = [torch.randint(3, 96, (size,), generator=source).tolist() for size in SIZES]
    return [{"input_ids": row, "mask": [int(len(row) // 2 <= at < len(row) - 1) for at in range(len(row))]} for row in ids]


LEARNED = sum(sum(row["mask"]) for row in examples())


def gradients(network):
    return torch.cat([weights.grad.flatten() for weights in network.parameters() if weights.requires_grad])


def one_by_one(network):
    """(loss of each example, gradient of their sum), by plain transformers and torch."""
    losses = []
    for row in examples():
        ids, mask = torch.tensor([row["input_ids"]]), torch.tensor(row["mask"], dtype=torch.bool)
        logits = network(ids, use_cache=False).logits[0]
        losses.append(cross_entropy(logits[:-1][mask[1:]], ids[0, 1:][mask[1:]], reduction="sum"))
    sum(losses).backward()
    return [float(value.detach()) for value in losses], gradients(network)


@pytest.mark.parametrize("batching", list(Batching), ids=lambda mode: mode.value)
@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_every_mode_gives_the_loss_and_gradients_of_each_example_alone(architecture, batching):
    settings = ARCHITECTURES[architecture]
    alone, expected = one_by_one(make(**settings))
    training = Training(batching=batching, per_device_train_batch_size=2, gradient_accumulation_steps=2, model_max_length=48)
    network, collate, rows = make(**settings), collator(training, 0), examples()
    use_segment_attention(network, training, Model())
    total = count = 0
    for batch in MicroBatches(SIZES, training, 1, 0, seed=0):
        value, learned = summed_loss(network, collate([rows[row] for row in batch]), selects_logits(network))
        value.backward()
        total, count = total + float(value.detach()), count + int(learned)
    assert count == LEARNED
    assert total == pytest.approx(sum(alone), rel=1e-5)
    assert (gradients(network) - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
@pytest.mark.parametrize("kind", [Padded, Flat])
def test_each_example_of_a_batch_has_the_loss_it_has_alone(architecture, kind):
    settings = ARCHITECTURES[architecture]
    alone, _ = one_by_one(make(**settings))
    network, rows = make(**settings), examples()
    use_segment_attention(network, Training(batching=Batching.packed if kind is Flat else Batching.padded), Model())
    for number, expected in enumerate(alone):
        chosen = [row if at == number else row | {"mask": [0] * len(row["mask"])} for at, row in enumerate(rows)]
        value, learned = summed_loss(network, kind(0)(chosen), True)
        assert float(value.detach()) == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert int(learned) == sum(rows[number]["mask"])


@pytest.mark.parametrize("batching", list(Batching), ids=lambda mode: mode.value)
def test_a_step_is_a_mean_over_all_its_tokens_on_all_ranks(batching):
    """Not a mean of the micro-batches' means, nor of the ranks'."""
    alone, summed = one_by_one(make())
    ranks = 2
    training = Training(batching=batching, per_device_train_batch_size=1, gradient_accumulation_steps=4, model_max_length=48)
    network, collate, rows = make(), collator(training, 0), examples()
    use_segment_attention(network, training, Model())
    total = 0.0
    for rank in range(ranks):
        for batch in MicroBatches(SIZES, training, ranks, rank, seed=0):
            value, _ = summed_loss(network, collate([rows[row] for row in batch]), True)
            (value / LEARNED).backward()
            total += float(value.detach()) / LEARNED
    assert total == pytest.approx(sum(alone) / LEARNED, rel=1e-5)
    assert (gradients(network) - summed / LEARNED).norm() < 1e-4 * (summed / LEARNED).norm()


def test_recomputed_blocks_keep_segments_apart():
    _, expected = one_by_one(make())
    network = make()
    use_segment_attention(network, Training(), Model())
    network.activation_checkpointing_enable({"use_reentrant": False})
    network.train()
    summed_loss(network, Flat(0)(examples()), True)[0].backward()
    assert (gradients(network) - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("recompute", [False, True])
def test_adapters_learn_the_same_from_a_flat_row(recompute):
    from peft import LoraConfig, get_peft_model

    def tuned(flat):
        network = make()
        if flat:
            use_segment_attention(network, Training(), Model())
        torch.manual_seed(1)
        adapter = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
        network = get_peft_model(network, adapter).train()
        if recompute and flat:
            network.activation_checkpointing_enable({"use_reentrant": False})
            network.enable_input_require_grads()
        return network

    _, expected = one_by_one(tuned(flat=False))
    network = tuned(flat=True)
    assert selects_logits(network.get_base_model())
    summed_loss(network, Flat(0)(examples()), True)[0].backward()
    assert (gradients(network) - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("kind", [Padded, Flat])
def test_a_model_that_cannot_select_logits_gives_the_same(kind):
    network = make()
    use_segment_attention(network, Training(), Model())
    batch = kind(0)(examples())
    assert float(summed_loss(network, batch, False)[0].detach()) == pytest.approx(float(summed_loss(network, batch, True)[0].detach()))


@pytest.mark.parametrize("kind", [Padded, Flat])
def test_a_rank_without_examples_adds_nothing_but_takes_part(kind):
    network = make()
    use_segment_attention(network, Training(), Model())
    value, learned = summed_loss(network, kind(0)([]), True)
    value.backward()
    assert float(value.detach()) == 0 and int(learned) == 0
    # DDP waits for every gradient.
    assert all(weights.grad is not None and not weights.grad.any() for weights in network.parameters())


def test_the_originals_hidden_tokens_give_finite_losses_and_gradients():
    network = make()
    rows = [row | {"input_ids": [1, *row["input_ids"][1:]]} for row in examples()]
    batch = collator(Training(faithful=True, batching=Batching.padded), 0, bos_token_id=1)(rows)
    value, _ = summed_loss(network, batch, True)
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(gradients(network)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_cross_entropy_is_torchs_with_its_gradient(monkeypatch, dtype):
    # Three rows at a time, and a last chunk of one.
    monkeypatch.setattr(loss, "CHUNK", 3 * 11)
    torch.manual_seed(0)
    ours = (torch.randn(7, 11) * 4).to(dtype).requires_grad_()
    torchs = ours.detach().clone().requires_grad_()
    targets = torch.tensor([3, -100, 0, 10, -100, 5, 5])
    value, expected = summed_cross_entropy()(ours, targets), cross_entropy(torchs.float(), targets, reduction="sum")
    torch.testing.assert_close(value, expected)
    # A gradient far from 1, as loss scaling in float16 has it.
    (value * 300).backward()
    (expected * 300).backward()
    torch.testing.assert_close(ours.grad, torchs.grad, rtol=0.01 if dtype is torch.bfloat16 else 2e-3, atol=1e-4)
    assert not ours.grad[1].any() and not ours.grad[4].any()


def test_cross_entropy_refuses_a_second_backward():
    logits = torch.randn(2, 5, requires_grad=True)
    value = summed_cross_entropy()(logits, torch.tensor([1, 2]))
    value.backward(retain_graph=True)
    with pytest.raises(RuntimeError):
        value.backward()


TWO_RANKS = """
import os, sys, torch
from torch import distributed
sys.path.insert(0, {tests!r})
import test_loss as case
from radgpt.config import Model, Training
from radgpt.training.data.batching import MicroBatches
from radgpt.training.data.collation import Flat
torch.set_num_threads(1)
distributed.init_process_group("gloo")
rank = distributed.get_rank()
training = Training(per_device_train_batch_size=1, gradient_accumulation_steps=3)
network = case.make()
case.use_segment_attention(network, training, Model())
wrapped = torch.nn.parallel.DistributedDataParallel(network)
rows, sizes = case.examples()[:5], case.SIZES[:5]
# Five examples for two ranks of three micro-batches: the second rank runs out.
batches = list(MicroBatches(sizes, training, 2, rank, seed=0))
assert len(batches) == 3 and (batches[2] == []) == (rank == 1)
for batch in batches:
    value, _ = case.summed_loss(wrapped, Flat(0)([rows[row] for row in batch]), True)
    (value * 2).backward()
torch.save(case.gradients(network), f"gradients{{rank}}.pt")
"""


@pytest.mark.slow
def test_two_ranks_share_the_gradients_of_one(tmp_path):
    script = tmp_path / "two_ranks.py"
    script.write_text(TWO_RANKS.format(tests=os.path.dirname(__file__)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    ended = subprocess.run(command, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr[-2000:]
    network = make()
    use_segment_attention(network, Training(), Model())
    summed_loss(network, Flat(0)(examples()[:5]), True)[0].backward()
    expected = gradients(network)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"gradients{rank}.pt")
        assert (found - expected).norm() < 1e-4 * expected.norm()
