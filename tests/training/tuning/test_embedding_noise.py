"""NEFTune's noise: as strong as each example's own length says, in training alone, and nowhere in what is saved."""

import pytest
import torch

from radgpt.config import Method, Training, Tuning
from radgpt.errors import UserError
from radgpt.training.tuning.adapters import prepare_for_tuning
from radgpt.training.tuning.embedding_noise import add_noise, example_lengths

WIDTH = 16
ALPHA = 5.0


def network():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(vocab_size=50, hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2))


def moved(model, **batch):
    """How far each embedding is moved at most in the model's own forward pass, as a multiple of alpha / sqrt(width)."""
    seen = []
    layer = model.get_decoder().layers[0]
    handle = layer.register_forward_pre_hook(
        lambda module, args, given: seen.append(args[0] if args else given["hidden_states"]), with_kwargs=True
    )
    with torch.no_grad():
        model(**batch)
    handle.remove()
    plain = torch.nn.functional.embedding(batch["input_ids"], model.get_input_embeddings().weight)
    return (seen[0] - plain).abs().amax(-1) / (ALPHA / WIDTH**0.5)


def test_noise_goes_by_the_length_of_the_example():
    model = network().train()
    add_noise(model, ALPHA)
    ids = torch.full((2, 400), 3)
    mask = torch.ones_like(ids)
    mask[1, 100:] = 0
    most = moved(model, input_ids=ids, attention_mask=mask)
    # Uniform up to 1 / sqrt(length); the largest of many draws comes close to it.
    assert 0.98 / 20 < most[0].max() <= 1 / 20 + 1e-4
    assert 0.98 / 10 < most[1, :100].max() <= 1 / 10 + 1e-4
    bounds = torch.tensor([0, 100, 400], dtype=torch.int32)
    flat = moved(model, input_ids=ids[:1], cu_seq_lens_q=bounds, cu_seq_lens_k=bounds)[0]
    assert 0.98 / 10 < flat[:100].max() <= 1 / 10 + 1e-4
    assert 0.98 / 300**0.5 < flat[100:].max() <= 1 / 300**0.5 + 1e-4


def test_evaluation_has_none():
    model = network().eval()
    add_noise(model, ALPHA)
    assert moved(model, input_ids=torch.full((1, 9), 3)).max() == 0


@pytest.mark.parametrize("method", ["lora", "full"])
def test_noise_is_drawn_under_adapters_and_saved_by_none(tmp_path, method):
    tuning = Tuning(method=Method.lora, r=2, lora_alpha=4, lora_dropout=0.0) if method == "lora" else Tuning()
    tuned = prepare_for_tuning(network(), tuning, Training(neftune_noise_alpha=ALPHA))
    names = {name for name, _ in network().named_parameters()}
    ids = torch.full((1, 9), 3)
    tuned.train()
    one, other = tuned(input_ids=ids, labels=ids).loss, tuned(input_ids=ids, labels=ids).loss
    assert one != other
    one.backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in tuned.parameters())
    tuned.eval()
    assert torch.equal(tuned(input_ids=ids).logits, tuned(input_ids=ids).logits)
    saved = {name.replace(".base_layer", "").removeprefix("base_model.model.") for name in tuned.state_dict() if "lora_" not in name}
    assert saved == names


def test_noise_of_no_strength_is_refused():
    with pytest.raises(UserError, match=r"training\.neftune_noise_alpha=0 must be above 0; null adds no noise"):
        Training(neftune_noise_alpha=0)


def test_lengths_of_examples():
    assert example_lengths(torch.tensor([[1, 1, 0], [1, 1, 1]]), None, None).tolist() == [[2], [3]]
    bounds = torch.tensor([0, 2, 3])
    assert example_lengths(None, bounds, bounds).tolist() == [[2, 2, 1]]
    # The second example takes two tokens from the first.
    assert example_lengths(None, bounds, torch.tensor([0, 2, 5])).tolist() == [[2, 2, 3]]
    assert example_lengths(None, None, None) is None
