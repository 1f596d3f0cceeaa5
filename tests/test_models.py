"""Which base a checkpoint needs, and what is said where a model cannot be had."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from trained_checkpoints import load_trained

from radgpt.chat_format import prompt_ids
from radgpt.config import Dtype, Method, Model, ModelSource
from radgpt.errors import UserError
from radgpt.models import (
    explained,
    load_base,
    load_tokenizer,
    number_format,
    prepare_base,
)
from radgpt.origin import Origin
from radgpt.training.tiny import make_tiny

TINY = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=16, tiny_layers=1, tiny_vocab_size=280)
LLAMA = Model(name_or_path="meta-llama/Llama-2-7b-chat-hf")


def test_a_folder_that_is_no_checkpoint(tmp_path):
    with pytest.raises(UserError, match=r"inputs\.checkpoint=.* is no checkpoint of stage=finetune"):
        load_trained(tmp_path, TINY, tmp_path)


def test_a_missing_folder_is_not_looked_for_on_the_hub(tmp_path):
    with pytest.raises(UserError, match=r"model\.name_or_path=/nowhere/model does not exist"):
        prepare_base(Model(name_or_path="/nowhere/model"), tmp_path)


def test_a_local_folder_is_taken_as_it_is(tmp_path):
    make_tiny(TINY, ["Heart size is normal."], 0, tmp_path / "base")
    model = Model(name_or_path=str(tmp_path / "base"))
    assert prepare_base(model, tmp_path / "cache") == str(tmp_path / "base")
    assert not (tmp_path / "cache").exists()


def hub_error(kind):
    return kind("refused", response=SimpleNamespace(headers={}, request=None, status_code=403))


def test_no_access_names_the_page_and_the_token():
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    told = {}
    for kind in (GatedRepoError, RepositoryNotFoundError):
        with pytest.raises(UserError) as caught, explained(LLAMA):
            raise OSError("wrapped") from hub_error(kind)
        told[kind] = str(caught.value)
    with pytest.raises(UserError) as caught, explained(LLAMA):
        raise OSError("wrapped") from LocalEntryNotFoundError("no network")
    told[LocalEntryNotFoundError] = str(caught.value)
    for message in told.values():
        assert message.startswith("model.name_or_path=meta-llama/Llama-2-7b-chat-hf")
        assert "https://huggingface.co/meta-llama/Llama-2-7b-chat-hf" in message
        assert "HF_TOKEN" in message
        assert "\n" not in message
    assert "is gated" in told[GatedRepoError]
    assert "neither a folder nor a model" in told[RepositoryNotFoundError]
    assert "cannot be reached" in told[LocalEntryNotFoundError]


def test_without_network_the_hub_is_explained(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="cannot be reached"):
        prepare_base(Model(name_or_path="nobody/no-such-model"), tmp_path)


def test_number_formats(monkeypatch):
    assert number_format(Model(name_or_path="m", dtype=Dtype.float16)) is torch.float16
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert number_format(Model(name_or_path="m")) is torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert number_format(Model(name_or_path="m")) is torch.float32


def test_a_base_without_template_and_padding_gets_both(tmp_path):
    make_tiny(TINY, ["Heart size is normal."], 0, tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    settings = tmp_path / "tokenizer_config.json"
    settings.write_text(settings.read_text().replace('"pad_token": "<|pad|>",', ""))
    tokenizer = load_tokenizer(TINY, str(tmp_path))
    assert tokenizer.pad_token == "<|end|>"
    assert tokenizer.decode(prompt_ids(tokenizer, [{"role": "user", "content": "Effusion?"}])) == "User: Effusion?\n\nAssistant:"


def test_attention_that_cannot_be_had_is_named(tmp_path):
    make_tiny(TINY, ["Heart size is normal."], 0, tmp_path)
    with pytest.raises(UserError, match=r"model\.attn_implementation=fastest cannot be used here .*; choose sdpa or eager"):
        load_base(replace(TINY, attn_implementation="fastest"), str(tmp_path), torch.float32)


def test_a_generation_config_that_cannot_be_saved_is_mended(tmp_path):
    make_tiny(TINY, ["Heart size is normal."], 0, tmp_path)
    settings = tmp_path / "generation_config.json"
    settings.write_text(settings.read_text().replace("{", '{"temperature": 0.6,', 1))
    load_base(TINY, str(tmp_path), torch.float32).save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "model.safetensors").is_file()


def test_an_adapter_changes_the_base_the_same_merged_or_beside_it(tmp_path):
    from peft import LoraConfig, get_peft_model

    make_tiny(TINY, ["Heart size is normal."], 0, tmp_path / "base")
    torch.manual_seed(0)
    adapted = get_peft_model(
        load_base(TINY, str(tmp_path / "base"), torch.float32), LoraConfig(r=4, lora_alpha=16, init_lora_weights=False)
    ).eval()
    adapted.save_pretrained(tmp_path)
    load_tokenizer(TINY, str(tmp_path / "base")).save_pretrained(tmp_path)
    Origin.of(TINY, Method.lora).write(tmp_path)
    network, _ = load_trained(tmp_path, TINY, tmp_path / "cache")
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        plain = load_base(TINY, str(tmp_path / "base"), torch.float32)(ids).logits
        torch.testing.assert_close(network(ids).logits, adapted(ids).logits, rtol=1e-4, atol=1e-4)
        assert (network(ids).logits - plain).abs().max() > 1e-3
