"""Which base a checkpoint needs."""

import json

import pytest

from radgpt.config import Method, Model, ModelSource, Quantization
from radgpt.errors import UserError
from radgpt.origin import Origin, refuse_other_base

TINY = Model(source=ModelSource.tiny, name_or_path="tiny")
LLAMA = Model(name_or_path="meta-llama/Llama-2-7b-chat-hf")


def origin(model):
    return Origin.of(model, Method.lora)


def test_a_checkpoint_of_another_base_is_refused(tmp_path):
    refuse_other_base(origin(LLAMA), LLAMA, tmp_path)
    with pytest.raises(UserError, match=r"model\.name_or_path=Qwen/Q: .* was trained on meta-llama/Llama-2-7b-chat-hf; choose that model"):
        refuse_other_base(origin(LLAMA), Model(name_or_path="Qwen/Q"), tmp_path)
    with pytest.raises(UserError, match="was trained on meta-llama"):
        refuse_other_base(origin(LLAMA), TINY, tmp_path)


def test_a_copy_in_a_folder_of_the_models_name_is_the_model(tmp_path):
    refuse_other_base(origin(LLAMA), Model(name_or_path="/models/Llama-2-7b-chat-hf"), tmp_path)


def test_another_revision_is_another_base(tmp_path):
    pinned = Model(name_or_path=LLAMA.name_or_path, revision="abc")
    refuse_other_base(origin(LLAMA), pinned, tmp_path)
    with pytest.raises(UserError, match=r"model\.revision=def: .* at revision abc"):
        refuse_other_base(origin(pinned), Model(name_or_path=LLAMA.name_or_path, revision="def"), tmp_path)


def test_the_record_is_read_as_it_was_written(tmp_path):
    written = Origin.of(LLAMA, Method.lora, Quantization.nf4)
    written.write(tmp_path)
    assert Origin.read(tmp_path) == written
    # What says nothing of quantisation and earlier weights has neither.
    (tmp_path / "radgpt.json").write_text(json.dumps({"method": "full", "source": "hub", "name_or_path": "a/b", "revision": None}))
    assert Origin.read(tmp_path) == Origin.of(Model(name_or_path="a/b"), Method.full)
