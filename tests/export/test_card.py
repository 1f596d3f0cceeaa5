"""What a card says on top, what the hub reads, and that it quotes no report."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pairs_dataset import effusion_pair

from radgpt.config import Governance, Method, Model, ModelSource, Quantization
from radgpt.export.card import Facts, write
from radgpt.export.provenance import Scores, Source
from radgpt.instructions.card import Card
from radgpt.manifest import Manifest
from radgpt.origin import Origin
from radgpt.records import Generation

LLAMA = Model(source=ModelSource.hub, name_or_path="meta-llama/Llama-3.1-8B-Instruct", revision="abc123")


def manifest(stage: str, **told: object) -> Manifest:
    values = {"id": "0a1b2c3d", "stage": stage, "key": "k", "experiment": "hippo", "status": "done", "governance": "open", "argv": []}
    return Manifest(**values | {"started": "2026-11-24T10:00:00+00:00", "reads": {}, "source_sha256": ""} | told)


def training(folder: Path, **settings: object) -> Source:
    metrics = {"steps": 48, "eval_loss_before": 2.0, "eval_loss": 1.0, "trainable_parameters": 1843200, "engine": "single", "device": "cpu"}
    told = {"seed": 3, "tuning": {"method": "lora", "r": 16, "lora_alpha": 32}, "training": {"learning_rate": 0.0002, "logging_steps": 1}}
    reads = {"dataset": {"sha256": "d" * 64}}
    return Source(
        folder / "outputs" / "hippo" / "finetune" / "t",
        manifest("finetune", metrics=metrics, reads=reads, git={"commit": "f00", "dirty": True}, packages={"peft": "0.21"}),
        told | {"deepspeed": {"enabled": False}, "wandb": {"project": "radgpt", "entity": None}} | settings,
    )


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    data = Card()
    for number in range(3):
        data.add_pair(effusion_pair(number, "train" if number else "test"))
    data.add_answer(Generation("r/0", "r", "p", "question_answering", "ok", "Yes.", "", "", "local_model|x"))
    data.scores.update({("all of it", True): 3, ("half and more", True): 1, ("none of it", False): 9})
    return Facts(
        name="Llama-3.1-8B-Instruct-hippo",
        governance=Governance.credentialed,
        model=LLAMA,
        origin=Origin.of(LLAMA, Method.lora),
        dtype="bfloat16",
        weights=8_030_261_248,
        tolerance=0.05,
        example=[{"role": "user", "content": "{report}\n\n{instruction}"}],
        gguf=None,
        training=training(tmp_path),
        data=data,
        dataset=None,
        scores=None,
    )


def test_the_recipe_is_that_of_the_stage_that_trained(facts: Facts, tmp_path: Path) -> None:
    assert "  learning_rate: 0.0002" in write(facts)
    run = training(tmp_path, pretraining={"learning_rate": 0.00003})
    pretrained = write(replace(facts, training=replace(run, manifest=replace(run.manifest, stage="pretrain"))))
    assert "pretraining:\n  learning_rate: 3.0e-05" in pretrained
    assert "0.0002" not in pretrained


def front_matter(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_the_hub_reads_the_front_matter(facts: Facts) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard(write(facts))
    assert card.data.base_model == "meta-llama/Llama-3.1-8B-Instruct"
    assert (card.data.library_name, card.data.pipeline_tag, card.data.license) == ("transformers", "text-generation", "other")
    assert card.data.license_name == "llama-3.1-community-license-and-terms-of-the-source-reports"
    assert card.data.tags == ["radgpt", "medical", "radiology", "instruction-tuning", "lora", "governance-credentialed"]


@pytest.mark.parametrize(
    ("governance", "says"),
    [
        (Governance.credentialed, "**do not publish it on an open model hub.**"),
        (Governance.restricted, "only where that licence lets you pass on the reports"),
        (Governance.open, "Their licence, and the terms of the teacher's provider, may bind the model too"),
        (Governance.synthetic, "Trained on made-up reports"),
    ],
)
def test_the_class_of_the_data_stands_on_top(facts: Facts, governance: Governance, says: str) -> None:
    body = write(replace(facts, governance=governance)).split("---\n", 2)[2]
    assert body.split("\n\n")[1].startswith(f"> **{governance.name.capitalize()}.** ") and says in body.split("\n\n")[1]


def test_of_made_up_data_the_bases_licence_is_the_models(facts: Facts) -> None:
    told = front_matter(write(replace(facts, governance=Governance.synthetic)))
    assert told["license"] == "llama3.1" and "license_name" not in told


def test_a_licence_that_the_hub_does_not_know_is_named_and_linked(facts: Facts) -> None:
    medgemma = Model(source=ModelSource.hub, name_or_path="google/medgemma-4b-it")
    told = front_matter(write(replace(facts, governance=Governance.synthetic, model=medgemma)))
    assert (told["license"], told["license_name"]) == ("other", "health-ai-developer-foundations-terms-of-use")
    assert told["license_link"].startswith("https://developers.google.com/")


def test_an_unknown_base_of_a_local_folder_is_claimed_to_be_nothing(facts: Facts) -> None:
    own = Model(source=ModelSource.hub, name_or_path="/home/anna/models/own-7b")
    card = write(replace(facts, model=own))
    assert "base_model" not in front_matter(card) and "anna" not in card
    assert "| Base | own-7b |" in card and "licence is not known to radgpt" in card


def test_the_licence_says_what_it_asks_for(facts: Facts) -> None:
    card = write(facts)
    assert "[Llama 3.1 Community License](https://www.llama.com/llama3_1/license/)" in card
    assert "Show “Built with Llama” prominently, begin the model's name with “Llama”" in card
    assert "| Base | meta-llama/Llama-3.1-8B-Instruct at revision abc123 |" in card
    assert "| Weights | 8,030,261,248 in bfloat16 |" in card
    assert "within\n5 % of the largest one" in card


def test_data_training_and_where_they_come_from(facts: Facts) -> None:
    card = write(facts)
    assert "| question\\_answering | 2 | 0 | 1 | 3 |" in card
    assert "Answers were written by local\\_model\\|x (1)." in card
    assert "| all of it | 3 | 75.0\N{NO-BREAK SPACE}% |" in card and "none of it" not in card
    assert "| Validation loss before training | 2.0000 | 7.389 |\n| Validation loss | 1.0000 | 2.718 |" in card
    assert "optimizer steps: 48; weights trained: 1,843,200; engine: single; device: cpu." in card
    assert "```yaml\nseed: 3\ntuning:\n  method: lora\n  r: 16\n  lora_alpha: 32\ntraining:\n  learning_rate: 0.0002\n```" in card
    assert "| finetune | run 0a1b2c3d of hippo, 2026-11-24T10:00:00+00:00 |" in card
    assert f"| read: dataset | sha256:{'d' * 64} |" in card
    assert "| commit | f00 with changes |" in card
    assert "Not evaluated when it was exported." in card


def test_no_text_of_a_report_or_answer_is_told(facts: Facts) -> None:
    card = write(facts)
    for pair in (effusion_pair(number, "train") for number in range(3)):
        assert pair.reference not in card and "pleural" not in card


def test_an_adapter_of_a_quantised_base_is_told(facts: Facts) -> None:
    card = write(replace(facts, origin=Origin.of(LLAMA, Method.lora, Quantization.nf4)))
    assert "The adapter was trained over a base held in nf4." in card
    assert "trained over a base" not in write(facts)


def test_what_is_not_known_is_said_to_be_unknown(facts: Facts) -> None:
    card = write(replace(facts, training=None, data=Card(), example=[]))
    for told in (
        "Who wrote the answers is not known.",
        "How faithful the answers are",
        "Not known: the checkpoint stood in no run's folder.",
    ):
        assert told in card
    assert "```python" not in card


def test_scores_with_intervals_beside_floors(facts: Facts) -> None:
    estimate = {"value": 0.5, "low": 0.25, "high": 0.75}
    scores = Scores(
        evaluation=Source(Path(), manifest("evaluate", metrics={"rows": 1234, "patients": 99, "beats_floors": 1})),
        prediction=Source(Path(), manifest("predict"), {"prediction": {"split": "test"}}),
        means={"model": {"rougeL": estimate}, "lead": {"rougeL": {"value": None, "low": None, "high": None}}},
    )
    card = write(replace(facts, scores=scores))
    assert "1,234 answers about 99 patients of the test split, beside floors" in card
    assert "| Metric | model | lead |\n|---|---:|---:|\n| rougeL | 0.500 [0.250, 0.750] | – |\n" in card
    assert "It beats the floors in ROUGE-L." in card


def test_the_log_is_linked_where_it_is_online_and_else_the_way_to_upload_it(facts: Facts, tmp_path: Path) -> None:
    assert "The training was not logged there." in write(facts)
    log = facts.training.directory / "wandb"
    (log / "run-20261124_100000-0a1b2c3d").mkdir(parents=True)
    assert "Run 0a1b2c3d of the project radgpt." in write(facts)
    known = training(tmp_path, wandb={"project": "radgpt", "entity": "lab"})
    assert "https://wandb.ai/lab/radgpt/runs/0a1b2c3d" in write(replace(facts, training=known))
    (log / "offline-run-20261124_100000-0a1b2c3d").mkdir()
    card = write(facts)
    assert "`wandb sync outputs/hippo/finetune/t/wandb/offline-run-*` uploads it" in card and "yours to decide" in card
    assert "yours to decide" not in write(replace(facts, governance=Governance.open))


def test_how_to_serve_and_ask_it(facts: Facts) -> None:
    card = write(replace(facts, gguf="q8_0"))
    name = "Llama-3.1-8B-Instruct-hippo"
    assert f"- vLLM: `vllm serve FOLDER --served-model-name {name} --host 127.0.0.1 --port 8000`" in card
    assert f"- llama.cpp: `llama-server --model model.gguf --alias {name} --jinja --host 127.0.0.1 --port 8000`" in card
    assert f"`teacher=local teacher.model={name} teacher.base_url=http://127.0.0.1:8000/v1`" in card
    code = card.split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")
    assert '"content": "{report}\\n\\n{instruction}"' in code


def test_markup_in_names_stays_text(facts: Facts) -> None:
    data = Card()
    data.add_answer(Generation("r/0", "r", "p", "t", "ok", "", "", "", "<b>teacher</b>\n# Heading"))
    assert "&lt;b&gt;teacher&lt;/b&gt;\N{REPLACEMENT CHARACTER}# Heading" in write(replace(facts, data=data))
