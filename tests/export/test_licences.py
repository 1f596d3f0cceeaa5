"""Known bases by name, whether from the hub or a local copy; nothing is claimed of others."""

import pytest
from conftest import ROOT
from yaml import safe_load

from radgpt.config import Model, ModelSource
from radgpt.export.licences import hub_name, licence_of


def model(name: str) -> Model:
    return Model(source=ModelSource.hub, name_or_path=name)


@pytest.mark.parametrize(
    ("name", "hub_id", "asks"),
    [
        ("meta-llama/Llama-2-7b-chat-hf", "llama2", "Llama 2 is licensed under the LLAMA 2 Community License"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama3", "Built with Meta Llama 3"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3.1", "“Built with Llama”"),
        ("meta-llama/Llama-3.2-3B-Instruct", "llama3.2", "begin the model's name with “Llama”"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "apache-2.0", "notices"),
        ("Qwen/Qwen2.5-7B-Instruct", "apache-2.0", "notices"),
        ("Qwen/Qwen2.5-3B-Instruct", "other", "not Apache"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0", "notices"),
        ("google/gemma-3-1b-it", "gemma", "Gemma is provided under"),
        ("google/medgemma-4b-it", "other", "use restrictions"),
        ("/models/Llama-2-13b-chat-hf", "llama2", "licence"),
    ],
)
def test_known_families(name: str, hub_id: str, asks: str) -> None:
    licence = licence_of(model(name))
    assert licence is not None and licence.hub_id == hub_id and asks in licence.asks


@pytest.mark.parametrize("name", ["someone/Qwen2.5-7B-Instruct-medical", "mistralai/Mistral-Large-2411", "/models/own", "Qwen/QwQ-32B"])
def test_others_are_unknown(name: str) -> None:
    assert licence_of(model(name)) is None


@pytest.mark.parametrize(
    "file", sorted(file.stem for file in (ROOT / "conf/model").glob("*.yaml") if safe_load(file.read_text())["source"] != "tiny")
)
def test_every_model_that_we_ship_settings_for_is_known(file: str) -> None:
    assert licence_of(model(safe_load((ROOT / f"conf/model/{file}.yaml").read_text())["name_or_path"])) is not None


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"), ("/home/anna/models/Qwen3-8B/", "Qwen3-8B"), ("./Qwen3-8B", "Qwen3-8B"), ("a/b/c", "c")],
)
def test_a_local_folder_gives_its_name_alone(name: str, shown: str) -> None:
    assert hub_name(model(name)) == shown
