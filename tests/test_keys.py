"""What a stage's key depends on, where a setting decides what the stage reads, or is another stage's."""

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import composed

from radgpt import manifest, stages
from radgpt.config import Config, Tuning
from radgpt.errors import UserError
from radgpt.keys import key
from radgpt.lookup import Lookup

LINE = ("model=tiny", "data.synthetic_reports=20")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return composed(*LINE, f"outputs={tmp_path}")


def after_pretraining(config: Config) -> Config:
    return replace(config, tuning=Tuning(**vars(config.tuning) | {"after_pretraining": True}))


def slower(config: Config) -> Config:
    return replace(config, pretraining=replace(config.pretraining, learning_rate=1e-6))


def test_an_optional_artifact_is_read_where_its_setting_says_so(config: Config) -> None:
    assert stages.reads("finetune", config) == ("dataset",)
    assert stages.reads("finetune", after_pretraining(config)) == ("dataset", "pretrained")
    assert "pretrained" not in stages.load("finetune").settings
    assert stages.in_order().index("pretrain") < stages.in_order().index("finetune")
    assert stages.in_order().index("predict") < stages.in_order().index("compare") < stages.in_order().index("rate")


def test_the_key_holds_the_optional_stage_only_where_it_is_read(config: Config) -> None:
    assert key(slower(config), "finetune") == key(config, "finetune")
    assert key(slower(config), "pretrain") != key(config, "pretrain")
    read = after_pretraining(config)
    assert key(read, "finetune") != key(config, "finetune")
    assert key(slower(read), "finetune") != key(read, "finetune")
    # What stands below the setting is finetune's alone: the same pre-training serves both.
    assert key(read, "pretrain") == key(config, "pretrain")


def test_pretraining_asks_the_dataset_only_how_patients_are_split(config: Config) -> None:
    def changed(**settings: float) -> Config:
        return replace(config, dataset=replace(config.dataset, **settings))

    stricter = changed(min_faithfulness=0.5, max_answer_words=10)
    assert key(stricter, "pretrain") == key(config, "pretrain")
    assert key(stricter, "postprocess_answers") != key(config, "postprocess_answers")
    assert key(changed(test_fraction=0.2), "pretrain") != key(config, "pretrain")


def test_a_missing_optional_artifact_names_the_stage_that_makes_it(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_for(self: Lookup, name: str) -> tuple[Path, manifest.Manifest] | None:
        return None if name == "pretrain" else (Path(), FOUND)

    monkeypatch.setattr(Lookup, "done", looked_for)
    assert set(Lookup(config).reads("finetune")) == {"dataset"}
    with pytest.raises(UserError, match=r"stage=finetune reads pretrained, which stage=pretrain makes, and there is none"):
        Lookup(after_pretraining(config)).reads("finetune")


FOUND = manifest.Manifest(
    "1", "postprocess_answers", "key", "demo", "done", "synthetic", [], "", {}, "", writes={"dataset": {"path": "dataset", "sha256": "0"}}
)


@pytest.mark.parametrize(("artifact", "stage", "given"), [("dataset", "finetune", "a file"), ("predictions", "evaluate", "a folder")])
def test_a_file_for_a_folder_and_a_folder_for_a_file_are_refused(tmp_path, artifact, stage, given):
    place = tmp_path / "given"
    if given == "a file":
        place.write_text("{}\n")
    else:
        place.mkdir()
    with pytest.raises(UserError, match=rf"inputs\.{artifact}={place} is {given}, and a (folder|file) such as {artifact}"):
        Lookup(composed(f"inputs.{artifact}={place}")).reads(stage)
