"""Where training starts after an earlier one: at its weights, or on with its adapter, on the base that it stands on."""

import json
import shutil

import pytest

from radgpt.artifacts import digest
from radgpt.config import Method, Model, ModelSource, Tuning
from radgpt.errors import UserError
from radgpt.models import base_of
from radgpt.origin import Origin
from radgpt.run import Run
from radgpt.training.tuning.start import Start, start_of
from radgpt.training.tuning.trained_folder import origin_of, tidy_adapter_config

LORA = {"method": Method.lora, "r": 4, "lora_alpha": 8, "lora_dropout": 0.0}


@pytest.fixture
def model(tmp_path):
    """A base model that is a local folder."""
    (tmp_path / "Llama").mkdir()
    return Model(name_or_path=str(tmp_path / "Llama"))


def checkpoint(folder, origin):
    folder.mkdir(parents=True)
    origin.write(folder)
    (folder / "weights").write_text(folder.name)
    return folder


def started(tmp_path, model, tuning, pretrained=None):
    return start_of(Run(directory=tmp_path, writes={}), model, tuning, pretrained)


def test_without_an_earlier_training_the_base_model_is_the_start(tmp_path, model):
    assert started(tmp_path, model, Tuning()) == Start(model.name_or_path, tokenizer=model.name_or_path)
    tiny = Model(source=ModelSource.tiny, name_or_path="tiny")
    assert started(tmp_path, tiny, Tuning()) == Start(str(tmp_path / "base"), tokenizer=str(tmp_path / "base"))


@pytest.mark.parametrize("method", [Tuning(), Tuning(**LORA)], ids=["full", "lora"])
def test_full_weights_of_an_earlier_training_are_the_base(tmp_path, model, method):
    folder = checkpoint(tmp_path / "pretrained", Origin.of(model, Method.full))
    expected = Start(str(folder), tokenizer=str(folder), earlier_weights=folder)
    assert started(tmp_path, model, method, pretrained=folder) == expected
    assert started(tmp_path, model, Tuning(**vars(method) | {"init_from": str(folder)})) == expected


def test_an_earlier_adapter_is_gone_on_with_on_its_base(tmp_path, model):
    folder = checkpoint(tmp_path / "checkpoint", Origin.of(model, Method.lora))
    start = started(tmp_path, model, Tuning(**LORA, init_from=str(folder)))
    assert start == Start(model.name_or_path, tokenizer=str(folder), adapter=folder)


def test_an_adapter_on_pretrained_weights_says_where_they_are(tmp_path, model):
    pretrained = checkpoint(tmp_path / "pretrain" / "pretrained", Origin.of(model, Method.full))
    tuning = Tuning(**LORA)
    start = started(tmp_path, model, tuning, pretrained)
    place = tmp_path / "finetune" / "checkpoint"
    folder = checkpoint(place, origin_of(model, tuning, start, place))
    told = json.loads((folder / "radgpt.json").read_text())
    assert told["base_places"] == ["../../pretrain/pretrained", str(pretrained)]
    assert told["base_sha256"] == digest(pretrained)
    assert base_of(folder, Origin.read(folder), model, tmp_path) == str(pretrained)
    again = started(tmp_path, model, Tuning(**LORA, init_from=str(folder)))
    assert again == Start(str(pretrained), tokenizer=str(folder), adapter=folder, earlier_weights=pretrained)
    assert origin_of(model, tuning, again, place) == Origin.read(folder)
    (folder / "adapter_config.json").write_text('{"target_modules": ["v_proj", "q_proj"]}')
    tidy_adapter_config(folder / "adapter_config.json", model, again)
    assert json.loads((folder / "adapter_config.json").read_text()) == {
        "base_model_name_or_path": str(pretrained),
        "target_modules": ["q_proj", "v_proj"],
    }


def test_the_weights_below_an_adapter_are_found_after_a_move_and_known_by_their_digest(tmp_path, model):
    outputs = tmp_path / "outputs"
    pretrained = checkpoint(outputs / "pretrain" / "pretrained", Origin.of(model, Method.full))
    folder = outputs / "finetune" / "checkpoint"
    origin = Origin.of(model, Method.lora).on(pretrained, folder)
    checkpoint(folder, origin)
    # The checkpoint alone goes elsewhere; then all of `outputs`; then the weights are gone, and a copy is put beside the adapter.
    shutil.copytree(folder, tmp_path / "far" / "checkpoint")
    assert base_of(tmp_path / "far" / "checkpoint", origin, model, tmp_path) == str(pretrained)
    outputs.rename(tmp_path / "moved")
    folder = tmp_path / "moved" / "finetune" / "checkpoint"
    assert base_of(folder, origin, model, tmp_path) == str(tmp_path / "moved" / "pretrain" / "pretrained")
    (tmp_path / "moved" / "pretrain" / "pretrained").rename(folder / "base")
    assert base_of(folder, origin, model, tmp_path) == str(folder / "base")
    (folder / "base" / "weights").write_text("others")
    with pytest.raises(
        UserError, match=r"is an adapter on the weights that an earlier training left in .*, and those are gone or have chang"
    ):
        base_of(folder, origin, model, tmp_path)


def test_full_training_does_not_start_from_an_adapter(tmp_path, model):
    folder = checkpoint(tmp_path / "checkpoint", Origin.of(model, Method.lora))
    with pytest.raises(UserError, match=r"tuning=full cannot start from the adapter tuning\.init_from=.*; choose tuning=lora"):
        started(tmp_path, model, Tuning(init_from=str(folder)))


def test_what_cannot_be_gone_on_with(tmp_path, model):
    with pytest.raises(UserError, match=r"tuning\.init_from=.* is no checkpoint of stage=finetune or stage=pretrain"):
        started(tmp_path, model, Tuning(init_from=str(tmp_path)))
    none = checkpoint(tmp_path / "none", Origin.of(model, Method.none))
    with pytest.raises(UserError, match=r"inputs\.pretrained=.* was made by tuning=none and holds no weights"):
        started(tmp_path, model, Tuning(), pretrained=none)
    other = checkpoint(tmp_path / "other", Origin.of(Model(name_or_path="Qwen/Q"), Method.full))
    with pytest.raises(UserError, match=r"was trained on Qwen/Q; choose that model, or another checkpoint with tuning\.init_from=FOLDER"):
        started(tmp_path, model, Tuning(init_from=str(other)))


def test_settings_that_exclude_each_other():
    with pytest.raises(UserError, match=r"tuning\.init_from=x and tuning\.after_pretraining=true are two places to start from"):
        Tuning(init_from="x", after_pretraining=True)
    with pytest.raises(UserError, match=r"tuning\.after_pretraining has no meaning with tuning=none"):
        Tuning(method=Method.none, after_pretraining=True)
