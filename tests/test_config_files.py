"""Every file of conf/ and experiments/ composes, passes the rules, and is told apart from one with a mistake."""

from collections import Counter
from operator import attrgetter
from pathlib import Path

import pytest
import yaml
from conftest import composed
from omegaconf import OmegaConf

from radgpt import stages
from radgpt.config import Config
from radgpt.errors import UserError
from radgpt.mistakes import explain
from radgpt.validation import settings

CONF = Path(__file__).parent.parent / "conf"
GROUPS = sorted(folder for folder in CONF.iterdir() if folder.is_dir() and folder.name not in ("experiment", "hydra"))
OPTIONS = sorted(f"{group.name}={file.stem}" for group in GROUPS for file in group.glob("*.yaml"))
EXPERIMENTS = sorted(str(file.relative_to(CONF / "experiment").with_suffix("")) for file in (CONF / "experiment").glob("*/*.yaml"))

COMPANIONS = {
    "deepspeed=zero3_nvme": [f"deepspeed.zero_optimization.{part}.nvme_path=/nvme" for part in ("offload_optimizer", "offload_param")],
    "data=openi": ["data.path=reports.tgz"],
    "data=mimic_cxr": ["data.path=mimic"],
    "data=jsonl": ["data.path=reports.jsonl"],
    "data=csv": ["data.path=reports.csv"],
    "data=parquet": ["data.path=reports.parquet"],
    "data=clin_summ": ["data.path=opi"],
    "data=huggingface": ["data.path=hub:owner/name"],
    "instructions=asclepius": ["prompt=asclepius", "teacher=local"],
    "instructions=impression": ["prompt=impression"],
    "instructions=self_instruct": ["prompt=self_instruct", "teacher=local"],
    "teacher=azure": ["teacher.base_url=https://example.openai.azure.com"],
    "teacher=vertex": ["teacher.project=radiology-123456"],
    "judge=azure": ["judge.base_url=https://example.openai.azure.com"],
    "judge=vertex": ["judge.project=radiology-123456"],
    "backend=local": ["backend.model=Qwen/Qwen2.5-7B-Instruct"],
    "backend=azure": ["backend.base_url=https://example.openai.azure.com"],
    "backend=vertex": ["backend.project=radiology-123456"],
}
"""What an option asks the user for."""


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes(option: str) -> None:
    assert composed(option, *COMPANIONS.get(option, []))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes(experiment: str) -> None:
    made_up = experiment == "demo/synthetic"
    assert composed(f"experiment={experiment}", *([] if made_up else ["data.path=anything"])).name != "default"


def test_without_an_experiment_the_settings_are_the_original_ones() -> None:
    config = composed("experiment=none", "data.path=mimic")
    training = config.training
    assert config.model.name_or_path == "meta-llama/Llama-2-7b-chat-hf"
    assert (training.num_train_epochs, training.per_device_train_batch_size, training.gradient_accumulation_steps) == (3, 4, 8)
    assert (training.learning_rate, training.weight_decay, training.warmup_ratio, training.lr_scheduler_type) == (2e-4, 0, 0.03, "cosine")
    assert (training.model_max_length, training.gradient_checkpointing, training.save_strategy) == (4096, True, "epoch")
    assert (training.logging_steps, training.ddp_timeout) == (1, 18000)
    decoding = config.decoding
    assert (decoding.temperature, decoding.top_p, decoding.top_k, decoding.repetition_penalty) == (0.75, 0.9, 100, 1.2)
    assert decoding.max_new_tokens == 1024


@pytest.mark.parametrize("option", OPTIONS)
def test_every_file_says_what_it_is(option: str) -> None:
    group, name = option.split("=")
    text = (CONF / group / f"{name}.yaml").read_text()
    assert text.startswith("#")


@pytest.mark.parametrize("group", sorted(file.parent.name for file in CONF.glob("*/default.yaml")))
def test_a_default_shows_every_setting_of_its_group(group: str) -> None:
    def shown(node: object, prefix: str) -> set[str]:
        return {
            path
            for name, value in (node.items() if isinstance(node, dict) else ())
            for path in ({f"{prefix}{name}"} | shown(value, f"{prefix}{name}."))
        }

    def written(folder: str) -> set[str]:
        """In the default of a group, and in those of other groups that it is made of (`/GROUP@_here_: default`)."""
        node = yaml.safe_load((CONF / folder / "default.yaml").read_text())
        parts = [name for part in node.pop("defaults", []) if isinstance(part, dict) for name in part]
        assert all(name.startswith("/") and name.endswith("@_here_") for name in parts)
        return shown(node, f"{group}.").union(*(written(name[1:].partition("@")[0]) for name in parts))

    assert {path for path in settings() if path.startswith(f"{group}.")} <= written(group)


def test_every_stage_has_a_file_and_every_file_a_stage() -> None:
    assert {file.stem for file in (CONF / "stage").glob("*.yaml")} == {*stages.names(), "pipeline"}


def test_every_parameter_of_a_stage_is_found_in_the_config() -> None:
    config = composed()
    inputs = {path.split(".")[1] for path in settings() if path.startswith("inputs.")}
    for name in stages.names():
        stage = stages.load(name)
        reads = {*stage.reads, *stage.optional}
        assert {stages.producer(artifact) for artifact in reads} <= set(stages.names())
        assert reads <= inputs
        assert all(isinstance(attrgetter(setting)(config), bool) for setting in stage.optional.values())
        for kind in stage.sections.values():
            assert stages.section_path(config, kind)
        for setting in stage.settings:
            assert hasattr(config, setting)


def test_each_section_that_a_stage_takes_stands_once_in_the_config() -> None:
    kinds = Counter(type(node) for _, node in stages.walk_sections(Config()))
    assert {kinds[kind] for name in stages.names() for kind in stages.load(name).sections.values()} == {1}


def told(*overrides: str) -> str | None:
    """The line that a user sees for these overrides."""
    with pytest.raises(Exception) as raised:
        composed(*overrides)
    return explain(raised.value)


def test_a_misspelt_setting_is_named_with_the_nearest_one() -> None:
    assert told("tuning.lora_alhpa=4") == "tuning.lora_alhpa is no setting; did you mean tuning.lora_alpha?"


def test_plus_lets_no_stranger_in() -> None:
    assert told("+tuning.lora_alhpa=4") == "tuning.lora_alhpa is no setting; did you mean tuning.lora_alpha?"
    assert told("+trainng.x=4") == "trainng is no setting; did you mean training?"


def test_a_wrong_type_names_the_setting() -> None:
    line = told("training.learning_rate=fast")
    assert line is not None and line.startswith("training.learning_rate: Value 'fast' of type 'str' could not be converted to Float")


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("teacher.budget=3", "teacher.budget cannot take that value; --cfg job without it shows one that it can"),
        ("teacher=3", "a group takes the name of one of its options, such as teacher=local; see --help for the groups and their options"),
        (
            "instructions.task_weights={a: 1}",
            "instructions.task_weights has no such entry; to add one, write '+instructions.task_weights.NAME=VALUE'",
        ),
    ],
)
def test_a_value_in_the_wrong_place_is_told_without_a_traceback(override: str, line: str) -> None:
    assert told(override) == line


def test_an_unknown_option_lists_the_others() -> None:
    line = told("model=tinny")
    assert line is not None and line.startswith("model=tinny is no option; did you mean model=tiny?; there are ")


def test_models_that_cannot_be_read_are_told_how_they_are_written() -> None:
    line = told("models={base: tuning=none}")
    assert line is not None and line.endswith("write 'models={NAME: \"tuning=none\"}': names bare, the settings of each in double quotes")


def test_an_unknown_stage_lists_the_stages() -> None:
    line = told("stage=finetine")
    assert line is not None and line.startswith("stage=finetine is no option; did you mean stage=finetune?; there are chat, compare, ")


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["launch.processes=2"], "launch.processes=2 needs launch=torchrun"),
        (["seed=-1"], "seed=-1 must lie between 0 and 2**32 - 1"),
        ([f"prediction.limit={2**63}"], f"prediction.limit={2**63} must be at least 1 and below 2**63; null answers all"),
        (
            ["evaluation.weights={bertscor: x}"],
            "evaluation.weights.bertscor: bertscor is none of bertscore, chexbert, radgraph, ratescore, radcliq, green",
        ),
        (["tuning=full", "tuning.r=8"], "tuning.r=8 has no meaning with tuning=full; leave it out or choose tuning=lora"),
        (
            ["decoding=default", "decoding.temperature=0"],
            "decoding.temperature=0.0 must be above 0; for greedy decoding choose decoding=greedy",
        ),
        (["data=jsonl"], "data.path is not set: give the file or folder with the reports"),
        (["data=jsonl", "data.path="], "data.path is not set: give the file or folder with the reports"),
        (
            ["data=synthetic", "data.path=mimic"],
            "data.path=mimic has no meaning with data=synthetic, which makes reports up; say what is there, such as data=mimic_cxr",
        ),
        (
            ["data=openi", "data.path=x", "data.jpg_path=y"],
            "data.jpg_path has no meaning with data.source=openi, only with mimic_cxr; leave it out",
        ),
        (
            ["data=mimic_cxr", "data.path=x", "+data.section_fields={findings: seen}"],
            "data.section_fields has no meaning with data.source=mimic_cxr, only with table and huggingface; leave it out",
        ),
        (
            ["data.split_field=part"],
            "data.split_field has no meaning with data.source=synthetic, only with table and huggingface; leave it out",
        ),
        (
            ["data=csv", "data.path=x", "data.hf_split=a"],
            "data.hf_split has no meaning with data.source=table, only with huggingface; leave it out",
        ),
        (
            ["data=csv", "data.path=x", "data.hf_revision=a"],
            "data.hf_revision has no meaning with data.source=table, only with huggingface; leave it out",
        ),
        (["prompt.instruction.examples=-1"], "prompt.instruction.examples=-1 must be 0 or above"),
        (["instructions.turns=0"], "instructions.turns=0 must lie between 1 and 100"),
        (["instructions.per_report=0"], "instructions.per_report=0 must lie between 1 and 1000"),
        (["instructions.pool_epoch=0"], "instructions.pool_epoch=0 must be at least 1"),
        (["instructions.min_words=61"], "instructions.min_words=61 must lie between 1 and instructions.max_words=60"),
        (
            ["dataset.test_fraction=nan"],
            "dataset.validation_fraction=0.1 and dataset.test_fraction=nan must not be negative and must leave patients to train on",
        ),
        (["dataset.min_faithfulness=90"], "dataset.min_faithfulness=90.0 must lie in [0, 1]"),
        (["review.port=65536"], "review.port=65536 must lie between 0 and 65535"),
        (["name=../x"], "name=../x names a folder: use letters, digits, '-', '_' and '.' only"),
    ],
)
def test_a_broken_rule_names_the_setting_and_the_mend(overrides: list[str], line: str) -> None:
    assert told(*overrides) == line


def test_a_task_of_ones_own_needs_templates_only() -> None:
    mine = "{report} {examples} {instruction}"
    templates = [f"+prompt.{place}.templates.mine='{mine}'" for place in ("instruction", "answer")]
    config = composed("+instructions.task_weights.mine=2", *templates, "+prompt.instruction.seeds.mine=[Ask.]", "teacher=local")
    assert config.instructions.task_weights["mine"] == 2
    line = told("+instructions.task_weights.mine=2", "teacher=local")
    assert line == "instructions.task_weights.mine=2 needs prompt.instruction.templates.mine: write it, or set the weight to 0"


def test_a_mistake_inside_an_experiment_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "experiment" / "own").mkdir(parents=True)
    (tmp_path / "experiment" / "own" / "typo.yaml").write_text("# @package _global_\ntraining:\n  epohcs: 2\n")
    line = told(f"hydra.searchpath=[file://{tmp_path}]", "experiment=own/typo")
    assert line is not None and line.startswith("training.epohcs is no setting") and "experiment/own/typo" in line


def test_rules_raise_user_errors() -> None:
    with pytest.raises(UserError):
        OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Config), {"data": {"limit": 0}}))
