"""What of a model is trained, that nothing else changes, and how an earlier adapter is gone on with."""

import json

import pytest
import torch

from radgpt.config import Method, Training, Tuning
from radgpt.errors import UserError
from radgpt.training.tuning.adapters import prepare_for_tuning

IDS = torch.arange(3, 43).reshape(2, 20)


def network():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2))


def lora(**settings):
    return Tuning(**{"method": Method.lora, "r": 4, "lora_alpha": 8, "lora_dropout": 0.0, **settings})


def losses(tuned, steps=12):
    """Losses on the same two rows, before each step."""
    optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=3e-2)
    tuned.train()
    found = []
    for _ in range(steps):
        loss = tuned(input_ids=IDS, labels=IDS).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(loss.item())
    return found


@pytest.mark.parametrize(
    ("targets", "weights"),
    [
        (None, 2 * 4 * (16 + 16)),  # peft's choice for Llama: q_proj and v_proj
        (["o_proj"], 4 * (16 + 16)),
        (["all-linear"], 4 * 4 * (16 + 16) + 3 * 4 * (16 + 32)),
    ],
)
def test_adapters_stand_where_they_are_asked_for(targets, weights):
    tuned = prepare_for_tuning(network(), lora(lora_dropout=0.1, target_modules=targets), Training())
    assert sum(p.numel() for p in tuned.parameters() if p.requires_grad) == weights
    adapter = tuned.peft_config["default"]
    assert (adapter.r, adapter.lora_alpha, adapter.lora_dropout) == (4, 8, 0.1)


def test_modules_that_the_model_has_not():
    with pytest.raises(UserError, match=r"tuning\.target_modules=\['query'\]"):
        prepare_for_tuning(network(), lora(target_modules=["query"]), Training())


def test_full_tuning_trains_all_weights():
    tuned = prepare_for_tuning(network(), Tuning(method=Method.full), Training())
    assert all(p.requires_grad for p in tuned.parameters())
    found = losses(tuned)
    assert found[-1] < found[0] - 0.05


@pytest.mark.parametrize("variant", [{}, {"use_dora": True}, {"use_rslora": True}], ids=["lora", "dora", "rslora"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_adapters_learn_and_the_base_stays(variant, checkpointing):
    tuned = prepare_for_tuning(network(), lora(target_modules=["all-linear"], **variant), Training(gradient_checkpointing=checkpointing))
    if checkpointing:
        tuned.base_model.model.activation_checkpointing_enable({"use_reentrant": False})
    before = {name: p.detach().clone() for name, p in tuned.named_parameters()}
    found = losses(tuned)
    assert found[-1] < found[0] - 0.05
    changed = {name for name, p in tuned.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {name for name in before if "lora_" in name}


def test_dora_adds_a_magnitude_for_each_output(tmp_path):
    tuned = prepare_for_tuning(network(), lora(target_modules=["q_proj"], use_dora=True), Training())
    assert sum(p.numel() for p in tuned.parameters() if p.requires_grad) == 4 * (16 + 16) + 16
    tuned.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["use_dora"]


def test_rslora_scales_by_the_root_of_the_rank(tmp_path):
    tuned = prepare_for_tuning(network(), lora(target_modules=["q_proj"], use_rslora=True), Training())
    assert [m.scaling["default"] for m in tuned.modules() if isinstance(getattr(m, "scaling", None), dict)] == [8 / 4**0.5]
    tuned.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["use_rslora"]


def test_adapters_are_float32_and_the_base_keeps_its_format():
    tuned = prepare_for_tuning(network().bfloat16(), lora(), Training())
    formats = {"lora" if "lora_" in name else "base": p.dtype for name, p in tuned.named_parameters()}
    assert formats == {"lora": torch.float32, "base": torch.bfloat16}


@pytest.mark.parametrize("variant", [{}, {"use_dora": True}], ids=["lora", "dora"])
def test_an_earlier_adapter_is_gone_on_with(tmp_path, variant):
    tuned = prepare_for_tuning(network(), lora(**variant), Training())
    losses(tuned)
    tuned.eval().save_pretrained(tmp_path)
    again = prepare_for_tuning(network(), lora(lora_dropout=0.2, **variant), Training(), tmp_path).eval()
    torch.testing.assert_close(again(IDS).logits, tuned(IDS).logits, rtol=0, atol=0)
    assert all(p.requires_grad == ("lora_" in name) for name, p in again.named_parameters())
    assert losses(again)[-1] < losses(tuned, steps=1)[0] + 0.1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"r": 2}, "tuning.r=2: the adapter in {} has r 4, and training can only go on with that; set tuning.r=4"),
        ({"lora_alpha": 4}, "tuning.lora_alpha=4: the adapter in {} has lora_alpha 8, and training can only go on with that; set"),
        ({"use_rslora": True}, "tuning.use_rslora=true: the adapter in {} has use_rslora false"),
        ({"target_modules": ["q_proj"]}, "tuning.target_modules=['q_proj']: the adapter in {} stands on other modules; set"),
    ],
)
def test_an_earlier_adapter_of_another_shape_is_refused(tmp_path, settings, told):
    prepare_for_tuning(network(), lora(), Training()).save_pretrained(tmp_path)
    with pytest.raises(UserError) as refused:
        prepare_for_tuning(network(), lora(**settings), Training(), tmp_path)
    assert str(refused.value).startswith(told.format(tmp_path))
    if "target_modules" in settings:
        assert str(refused.value).endswith("set tuning.target_modules=[q_proj,v_proj]")
