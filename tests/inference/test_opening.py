"""Models are loaded when they are asked for; adapters on one base share its weights and answer as each would alone."""

from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from asked_questions import questions, streamed
from small_training import MODEL
from tiny_model import greedy
from trained_checkpoints import adapter_checkpoint, full_checkpoint, load_trained

from radgpt.config import Backend, Method, Provider, Quantization
from radgpt.errors import UserError
from radgpt.inference import opening
from radgpt.inference.backend import NamedModel
from radgpt.inference.opening import Models, open_models
from radgpt.origin import ORIGIN_FILE, TINY_BASE, Origin

ASKED = questions(1, 0)[0].messages


def named(name: str, checkpoint: Path | None, **backend: Any) -> NamedModel:
    return NamedModel(name, MODEL, Backend(**backend), greedy(), checkpoint)


def second_adapter(first: Path, folder: Path) -> Path:
    """Another adapter on the same base."""
    import torch
    from safetensors.torch import load_file, save_file

    adapter_checkpoint(folder)
    weights = load_file(folder / "adapter_model.safetensors")
    torch.manual_seed(9)
    save_file({key: torch.randn_like(value) * 0.2 for key, value in weights.items()}, folder / "adapter_model.safetensors")
    return folder


def base_checkpoint(first: Path, folder: Path) -> Path:
    """What `tuning=none` leaves: the base as it is."""
    import shutil

    folder.mkdir()
    shutil.copytree(first / TINY_BASE, folder / TINY_BASE)
    Origin.of(MODEL, Method.none).write(folder)
    return folder


def logits(model: Any, tokenizer: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor([tokenizer.encode("There is a small effusion.")])).logits


def logits_of(models: Models, name: str) -> Any:
    """What a model of `models` computes, with its adapter in use."""
    answering: Any = models.open(name)
    with answering._network.turn(answering._adapter):
        return logits(answering._network.core, answering._tokenizer).clone()


def test_adapters_and_their_base_share_weights_and_compute_what_each_does_alone(tmp_path: Path) -> None:
    import torch

    first = adapter_checkpoint(tmp_path / "first")
    folders = {"one": first, "two": second_adapter(first, tmp_path / "second"), "base": base_checkpoint(first, tmp_path / "base")}
    with open_models({name: named(name, folder) for name, folder in folders.items()}, cache=tmp_path) as models:
        assert models.names == ["one", "two", "base"]
        computed = {name: logits_of(models, name) for name in ("one", "base", "two", "one", "two", "base")}
        networks = {id(models.open(name)._network) for name in folders}  # type: ignore[attr-defined]
        assert len(networks) == 1
    for name, folder in folders.items():
        alone = logits(*load_trained(folder, MODEL, tmp_path))
        torch.testing.assert_close(computed[name], alone, rtol=1e-4, atol=1e-4)
    assert (computed["one"] - computed["two"]).abs().max() > 0.1 < (computed["one"] - computed["base"]).abs().max()


def test_streams_of_adapters_on_one_base_do_not_mix(tmp_path: Path) -> None:
    first = adapter_checkpoint(tmp_path / "first")
    folders = {"one": first, "two": second_adapter(first, tmp_path / "second"), "base": base_checkpoint(first, tmp_path / "base")}
    with open_models({name: named(name, folder) for name, folder in folders.items()}, cache=tmp_path) as models:
        alone = {name: streamed(models.open(name), ASKED, greedy(20))[1].text for name in models.names}  # type: ignore[arg-type]
        together: dict[str, str] = {}

        def work(name: str) -> None:
            together[name] = streamed(models.open(name), ASKED, greedy(20))[1].text  # type: ignore[arg-type]

        threads = [Thread(target=work, args=(name,)) for name in models.names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert together == alone
    assert len(set(alone.values())) == 3


def test_an_adapter_alone_is_merged_and_full_weights_are_loaded(tmp_path: Path) -> None:
    import torch

    for folder in (adapter_checkpoint(tmp_path / "adapter"), full_checkpoint(tmp_path / "full")):
        with open_models({"this": named("this", folder)}, cache=tmp_path) as models:
            assert not any("lora" in key for key, _ in models.open("this")._network.core.named_parameters())  # type: ignore[attr-defined]
            assert torch.equal(logits_of(models, "this"), logits(*load_trained(folder, MODEL, tmp_path)))


def test_nothing_is_loaded_before_it_is_asked_for(tmp_path: Path) -> None:
    folder = adapter_checkpoint(tmp_path / "adapter")
    with open_models({"this": named("this", folder), "gone": named("gone", tmp_path / "gone")}, cache=tmp_path) as models:
        assert models.open("this") is models.open("this")
        assert models.open("this").name == "this"
        with pytest.raises(UserError, match=f"inputs.checkpoint={tmp_path / 'gone'} is no checkpoint"):
            models.open("gone")
        with pytest.raises(UserError, match="other is no model here; there are this, gone"):
            models.open("other")


def test_an_adapter_is_added_by_its_folder(tmp_path: Path) -> None:
    import torch

    first = adapter_checkpoint(tmp_path / "first")
    second = second_adapter(first, tmp_path / "second")
    with open_models({"first": named("first", first)}, cache=tmp_path) as models:
        models.open("first")
        assert models.add_adapter("first", second) == "second"
        assert models.add_adapter("second", first) == "first-2"
        assert models.names == ["first", "second", "first-2"]
        torch.testing.assert_close(logits_of(models, "second"), logits(*load_trained(second, MODEL, tmp_path)), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(logits_of(models, "first-2"), logits_of(models, "first"), rtol=1e-4, atol=1e-4)


def test_what_is_no_adapter_of_the_base_is_refused(tmp_path: Path) -> None:
    first = adapter_checkpoint(tmp_path / "first")
    other = adapter_checkpoint(tmp_path / "other")
    text = (other / ORIGIN_FILE).read_text().replace('"tiny"', '"other"')
    (other / ORIGIN_FILE).write_text(text)
    remote = named("far", None, provider=Provider.local, model="served", base_url="http://127.0.0.1:9/v1")
    with open_models({"this": named("this", first), "far": remote}, cache=tmp_path) as models:
        with pytest.raises(UserError, match=f"{other} was trained on other"):
            models.add_adapter("this", other)
        with pytest.raises(UserError, match=r"no readable radgpt\.json"):
            models.add_adapter("this", tmp_path / "nothing")
        with pytest.raises(UserError, match="far is a model behind an endpoint, where no adapter can be loaded"):
            models.add_adapter("far", first)
        assert models.names == ["this", "far"]


def test_a_base_is_opened_as_it_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    published = adapter_checkpoint(tmp_path / "adapter") / TINY_BASE
    hub = replace(MODEL, source=opening.ModelSource.hub, name_or_path=str(published))
    this = replace(named("this", None), model=hub)
    with open_models({"this": this}, cache=tmp_path) as models:
        base = base_checkpoint(tmp_path / "adapter", tmp_path / "base")
        assert torch.equal(logits_of(models, "this"), logits(*load_trained(base, MODEL, tmp_path)))
    with open_models({"this": named("this", None)}, cache=tmp_path) as models, pytest.raises(UserError, match="give a checkpoint"):
        models.open("this")


@pytest.mark.parametrize("trained_over", [Quantization.none, Quantization.nf4])
def test_a_base_is_held_in_fewer_bits(trained_over: Quantization, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    folder = adapter_checkpoint(tmp_path / "adapter", trained_over)
    asked = Quantization.nf4 if trained_over is Quantization.none else Quantization.none
    with open_models({"this": named("this", folder, quantization=asked)}, cache=tmp_path) as models:
        kinds = {type(module).__name__ for module in models.open("this")._network.core.modules()}  # type: ignore[attr-defined]
        assert "Linear4bit" in kinds
        assert streamed(models.open("this"), ASKED, greedy(5))[1].new_tokens > 0  # type: ignore[arg-type]


def test_a_missing_package_names_the_backends_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = full_checkpoint(tmp_path / "full")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with (
        open_models({"this": named("this", folder, quantization=Quantization.int8)}, cache=tmp_path) as models,
        pytest.raises(UserError, match=r"backend\.quantization=int8 needs bitsandbytes"),
    ):
        models.open("this")
