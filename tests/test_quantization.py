"""A base in 8 or 4 bits computes nearly what it did, adapters learn on it, and what cannot be is refused before weights are read."""

import importlib.util

import pytest
import torch
from conftest import composed
from trained_checkpoints import load_trained

from radgpt.config import DeepSpeed, Method, Model, ModelSource, Quantization, Training, Tuning
from radgpt.errors import UserError
from radgpt.models import load_base, load_tokenizer
from radgpt.origin import Origin
from radgpt.quantization import quantization_config, refuse_dora, refuse_missing, refuse_sharded
from radgpt.training.tiny import make_tiny
from radgpt.training.tuning.adapters import prepare_for_tuning

TINY = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=64, tiny_layers=2, tiny_vocab_size=320)
IDS = torch.arange(4, 244).reshape(2, 120)
KINDS = [Quantization.int8, Quantization.nf4]

needs_bitsandbytes = pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint") / "base"
    make_tiny(TINY, ["Heart size is normal."], 0, folder)
    return folder


def logits(network):
    with torch.no_grad():
        return network(IDS.to(network.device)).logits.float().cpu()


@needs_bitsandbytes
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_linear_layers_are_held_in_few_bits(base, kind):
    plain, network = load_base(TINY, str(base), torch.float32), load_base(TINY, str(base), torch.float32, kind)
    formats = {name.rpartition(".")[0]: weight.dtype for name, weight in network.named_parameters()}
    assert formats["model.layers.0.self_attn.q_proj"] == {Quantization.int8: torch.int8, Quantization.nf4: torch.uint8}[kind]
    assert formats["model.layers.0.input_layernorm"] == formats["model.embed_tokens"] == torch.float32
    difference = (logits(network.eval()) - logits(plain.eval())).abs().max()
    assert 0 < difference < {Quantization.int8: 0.05, Quantization.nf4: 0.3}[kind]


@needs_bitsandbytes
@pytest.mark.parametrize(
    ("kind", "use_dora"), [(Quantization.int8, False), (Quantization.nf4, False), (Quantization.nf4, True)], ids=["int8", "nf4", "nf4-dora"]
)
@pytest.mark.filterwarnings("error:.*an autograd kernel was not registered")
def test_adapters_learn_on_a_quantised_base(base, tmp_path, kind, use_dora):
    """Evaluated before and in between, as the Trainer does, they learn as on plain weights; loaded again, they compute the same."""
    tuning = Tuning(
        method=Method.lora, r=8, lora_alpha=16, lora_dropout=0.0, target_modules=["all-linear"], quantization=kind, use_dora=use_dora
    )

    def trained(quantization):
        network = load_base(TINY, str(base), torch.float32, quantization)
        torch.manual_seed(0)
        tuned = prepare_for_tuning(network, tuning, Training(gradient_checkpointing=True))
        tuned.base_model.model.activation_checkpointing_enable({"use_reentrant": False})
        optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=1e-2)
        ids = IDS.to(network.device)
        losses = []
        for _ in range(6):
            logits(tuned.eval())
            tuned.train()
            loss = tuned(input_ids=ids, labels=ids).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        return tuned, losses

    tuned, losses = trained(kind)
    assert losses[-1] < losses[0] - 0.25
    assert losses == pytest.approx(trained(Quantization.none)[1], abs=0.03)

    checkpoint = base.parent
    tuned.eval().save_pretrained(checkpoint)
    load_tokenizer(TINY, str(base)).save_pretrained(checkpoint)
    Origin.of(TINY, Method.lora, kind).write(checkpoint)
    again, _ = load_trained(checkpoint, TINY, tmp_path)
    assert any(weight.dtype in (torch.int8, torch.uint8) for weight in again.parameters())
    torch.testing.assert_close(logits(again), logits(tuned), rtol=1e-3, atol=1e-3)


@needs_bitsandbytes
def test_settings_are_those_of_the_papers():
    eight, four = (quantization_config(kind, torch.bfloat16) for kind in KINDS)
    assert (eight.load_in_8bit, eight.llm_int8_threshold) == (True, 6.0)
    assert (four.bnb_4bit_quant_type, four.bnb_4bit_use_double_quant, four.bnb_4bit_compute_dtype) == ("nf4", True, torch.bfloat16)
    assert quantization_config(Quantization.none, torch.float32) is None


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"tuning\.quantization=nf4 needs bitsandbytes: pip install 'radgpt\[quantization\]'"):
        refuse_missing(Quantization.nf4)


@needs_bitsandbytes
def test_devices_that_cannot(monkeypatch):
    import transformers.integrations.bitsandbytes as integration

    def none_found(raise_exception):
        raise RuntimeError("None of the available devices is supported.\nMore.")

    with monkeypatch.context() as patched:
        patched.setattr(integration, "validate_bnb_backend_availability", none_found)
        with pytest.raises(UserError, match=r"tuning\.quantization=nf4 cannot be had on this device: None of the available devices is"):
            refuse_missing(Quantization.nf4)
    with monkeypatch.context() as patched:
        patched.setattr(torch.cuda, "is_available", lambda: True)
        patched.setattr(torch.version, "hip", None)
        patched.setattr(torch.cuda, "get_device_capability", lambda: (7, 0))
        with pytest.raises(UserError, match=r"int8 needs a GPU of compute capability 7\.5 or above, and this one has 7\.0"):
            refuse_missing(Quantization.int8)
        refuse_missing(Quantization.nf4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="tells what happens on a CPU")
def test_dora_over_8_bits_is_refused_on_a_cpu():
    with pytest.raises(UserError, match=r"tuning\.use_dora=true cannot stand on tuning\.quantization=int8 on a CPU"):
        refuse_dora(Quantization.int8, True)
    refuse_dora(Quantization.nf4, True)
    refuse_dora(Quantization.int8, False)


def test_a_quantised_base_is_not_sharded():
    tuning = Tuning(method=Method.lora, r=4, lora_alpha=8, lora_dropout=0.0, quantization=Quantization.nf4)
    refuse_sharded(tuning, Training(), DeepSpeed())
    with pytest.raises(UserError, match=r"tuning\.quantization=nf4 cannot be sharded by training\.fsdp=true"):
        refuse_sharded(tuning, Training(fsdp=True), DeepSpeed())
    composed("tuning=qlora", "deepspeed=zero2")
    with pytest.raises(UserError, match=r"tuning\.quantization=nf4 cannot be sharded by ZeRO-3; choose deepspeed=zero2"):
        composed("tuning=qlora", "deepspeed=zero3")
    with pytest.raises(UserError, match=r"cannot be sharded by pretraining\.fsdp=true"):
        composed("tuning=qlora", "pretraining.fsdp=true")


def test_a_quantised_base_is_not_trained_itself():
    with pytest.raises(UserError, match=r"tuning\.quantization=int8 holds weights that stay as they are, and tuning=full trains them"):
        Tuning(method=Method.full, quantization=Quantization.int8)
