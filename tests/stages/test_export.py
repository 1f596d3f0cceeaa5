"""What is exported loads in plain transformers, answers as the checkpoint does, and stops; what does not is never left behind."""

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import TINY_LINE, Line
from pairs_dataset import write_dataset
from small_training import LORA, MODEL, tuned
from trained_checkpoints import adapter_checkpoint, full_checkpoint, load_trained
from transformers import AutoModelForCausalLM, AutoTokenizer

from radgpt.artifacts import digest
from radgpt.chat_format import prompt_ids
from radgpt.config import Decoding, Export, Method, Quantization
from radgpt.errors import UserError
from radgpt.export.verification import Agreement
from radgpt.origin import Origin
from radgpt.records import Pair, read_records
from radgpt.run import Run
from radgpt.stages import export

GREEDY = Decoding(max_new_tokens=12, do_sample=False, repetition_penalty=1.0)

CHECKPOINTS = {
    "lora": adapter_checkpoint,
    "rslora": lambda folder: adapter_checkpoint(folder, use_rslora=True),
    "dora": lambda folder: adapter_checkpoint(folder, use_dora=True),
    "full": full_checkpoint,
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "dataset", train=3, other=2)


def exported(folder: Path, checkpoint: Path, dataset: Path, decoding: Decoding = GREEDY, **settings: object) -> Run:
    """Run the stage in the place that it has under `outputs`."""
    directory = folder / "outputs" / "demo" / "export" / "run"
    directory.mkdir(parents=True, exist_ok=True)
    run = Run(directory=directory, writes=export.WRITES, cache=folder / "cache")
    export.run(run, checkpoint, dataset, MODEL, Export(**{"dtype": "float32"} | settings), decoding)
    return run


def prompts(dataset: Path) -> list[Pair]:
    return list(read_records(dataset / "test.jsonl", Pair))


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_plain_transformers_gives_the_checkpoints_logits_and_text(kind: str, dataset: Path, tmp_path: Path) -> None:
    checkpoint = CHECKPOINTS[kind](tmp_path / "checkpoint")
    run = exported(tmp_path, checkpoint, dataset)
    plain, tokenizer = AutoModelForCausalLM.from_pretrained(run.path("exported")), AutoTokenizer.from_pretrained(run.path("exported"))
    trained, its_tokenizer = load_trained(checkpoint, MODEL, tmp_path)
    assert plain.dtype is torch.float32
    for pair in prompts(dataset):
        asked = tokenizer.apply_chat_template(pair.prompt, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        assert asked["input_ids"][0].tolist() == prompt_ids(its_tokenizer, pair.prompt)
        with torch.no_grad():
            assert (plain(**asked).logits - trained(**asked).logits).abs().max() < 1e-4
        # Nothing is said of how to answer: all of it stands in the generation config.
        written = plain.generate(**asked)[0, asked["input_ids"].shape[1] :].tolist()
        expected = trained.generate(**asked, max_new_tokens=12, do_sample=False)[0, asked["input_ids"].shape[1] :].tolist()
        assert written == expected
    assert run.summary["largest_difference"] < 1e-4
    if kind != "full":
        assert run.summary["typical_change_by_adapter"] > 0.01


def test_a_finetuned_adapter_is_exported(dataset: Path, tmp_path: Path) -> None:
    checkpoint = tuned(tmp_path / "finetune", dataset, LORA).path("checkpoint")
    run = exported(tmp_path, checkpoint, dataset, dtype="bfloat16")
    assert {file.name for file in run.path("exported").iterdir()} == {
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert [file.name for file in run.directory.iterdir()] == ["exported"]
    plain = AutoModelForCausalLM.from_pretrained(run.path("exported"))
    trained, _ = load_trained(checkpoint, MODEL, tmp_path)
    for (name, weights), merged in zip(plain.named_parameters(), trained.parameters(), strict=True):
        assert torch.equal(weights, merged.to(torch.bfloat16)), name


def test_the_same_checkpoint_gives_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    checkpoint = adapter_checkpoint(tmp_path / "checkpoint")
    one, other = (exported(tmp_path / name, checkpoint, dataset, dtype="bfloat16") for name in ("one", "other"))
    assert digest(one.path("exported")) == digest(other.path("exported"))


def test_weights_are_cut_into_shards_no_larger_than_wanted(dataset: Path, tmp_path: Path) -> None:
    run = exported(tmp_path, full_checkpoint(tmp_path / "checkpoint"), dataset, max_shard_size="45KB")
    shards = sorted(run.path("exported").glob("*.safetensors"))
    assert len(shards) > 1
    assert all(file.stat().st_size < 50_000 for file in shards)
    index = json.loads((run.path("exported") / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == {file.name for file in shards}
    assert AutoModelForCausalLM.from_pretrained(run.path("exported")).dtype is torch.float32


def test_what_others_read_says_how_to_answer_and_where_to_stop(dataset: Path, tmp_path: Path) -> None:
    decoding = Decoding(max_new_tokens=77, temperature=0.5, top_p=0.8, top_k=30, repetition_penalty=1.1)
    folder = exported(tmp_path, full_checkpoint(tmp_path / "checkpoint"), dataset, decoding, dtype="float16").path("exported")
    generation = json.loads((folder / "generation_config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert generation["eos_token_id"] == [tokenizer.convert_tokens_to_ids("<|end|>")]
    assert generation["pad_token_id"] == tokenizer.convert_tokens_to_ids("<|pad|>")
    assert {name: generation[name] for name in ("max_new_tokens", "do_sample", "temperature", "top_p", "top_k", "repetition_penalty")} == {
        "max_new_tokens": 77,
        "do_sample": True,
        "temperature": 0.5,
        "top_p": 0.8,
        "top_k": 30,
        "repetition_penalty": 1.1,
    }
    config = json.loads((folder / "config.json").read_text())
    assert (config["dtype"], config["use_cache"], config["architectures"]) == ("float16", True, ["LlamaForCausalLM"])
    assert not [name for name in config if name.startswith("_") or name == "quantization_config"]
    assert not {"is_local", "local_files_only"} & json.loads((folder / "tokenizer_config.json").read_text()).keys()
    assert "{% generation %}" in (folder / "chat_template.jinja").read_text()


def test_an_adapter_of_a_quantised_base_is_merged_at_full_precision(dataset: Path, tmp_path: Path) -> None:
    quantised = adapter_checkpoint(tmp_path / "quantised", Quantization.nf4)
    plain = adapter_checkpoint(tmp_path / "plain")
    one, other = (exported(tmp_path / file.name, file, dataset).path("exported") for file in (quantised, plain))
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    assert "trained over a base held in nf4" in (one / "README.md").read_text()
    assert "trained over a base held in" not in (other / "README.md").read_text()


def test_a_merge_that_lost_the_adapter_is_refused_and_leaves_nothing(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radgpt.export.merging.merge", lambda network, dtype: network.unload())
    with pytest.raises(UserError, match=r"export\.dtype=float32: the exported model's logits differ .* nothing was exported"):
        exported(tmp_path, adapter_checkpoint(tmp_path / "checkpoint"), dataset)
    assert not (tmp_path / "outputs/demo/export/run/exported").exists()


def test_another_chat_template_than_in_training_is_refused(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radgpt.export.folder.pinned", lambda template: "Today. " + template)
    with pytest.raises(UserError, match="renders conversations otherwise than they were trained on"):
        exported(tmp_path, full_checkpoint(tmp_path / "checkpoint"), dataset)
    assert not (tmp_path / "outputs/demo/export/run/exported").exists()


@pytest.mark.parametrize(("change", "warns"), [(0.21, False), (0.19, True)])
def test_it_is_told_when_rounding_takes_away_what_was_learned(change: float, warns: bool) -> None:
    found, learned = Agreement(0.3, 0.1, 20.0, 0.99), Agreement(1.0, change, 20.0, 0.5)
    line = export.told(found, learned, "bfloat16")
    assert ("bfloat16 rounds away much of what the adapter changes; export.dtype=float32 keeps it" in line) == warns
    assert line.startswith(
        "export: logits differ by at most 0.3, typically 0.1 (the largest is 20); the likeliest token is the same at 99.0%"
    )
    assert "adapter" not in export.told(found, None, "bfloat16")


def test_an_untrained_checkpoint_is_refused(dataset: Path, tmp_path: Path) -> None:
    Origin.of(MODEL, Method.none).write(tmp_path)
    with pytest.raises(UserError, match="tuning=none: nothing was trained"):
        exported(tmp_path, tmp_path, dataset)


def test_a_folder_that_is_no_checkpoint_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"inputs\.checkpoint=.* is no checkpoint"):
        exported(tmp_path, tmp_path, dataset)


def test_a_dataset_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"inputs\.dataset=.* holds no pair"):
        exported(tmp_path, full_checkpoint(tmp_path / "checkpoint"), write_dataset(tmp_path / "dataset", train=0, other=0))


def test_a_missing_converter_is_told_before_any_work(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radgpt.models.load_base", lambda *arguments: pytest.fail("weights were loaded"))
    with pytest.raises(UserError, match=r"export\.gguf_converter=nowhere\.py does not exist"):
        exported(tmp_path, full_checkpoint(tmp_path / "checkpoint"), dataset, gguf="q8_0", gguf_converter="nowhere.py")


def test_a_gguf_file_stands_beside_the_folder(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    converter = tmp_path / "convert_hf_to_gguf.py"
    converter.write_text(
        "import sys\nprint('converting')\nopen(sys.argv[sys.argv.index('--outfile') + 1], 'w').write(str(sys.argv[1:4]))\n"
    )
    run = exported(tmp_path, full_checkpoint(tmp_path / "checkpoint"), dataset, gguf="q8_0", gguf_converter=str(converter))
    assert run.path("gguf").read_text() == str([str(run.path("exported")), "--outtype", "q8_0"])
    assert (run.directory / "gguf.log").read_text() == "converting\n"
    told = capsys.readouterr().out
    assert f"llama-server --model {run.path('gguf')} --alias tiny-radgpt --jinja --host 127.0.0.1" in told
    assert f"vllm serve {run.path('exported')} --served-model-name tiny-radgpt --host 127.0.0.1" in told
    assert f"transformers serve {run.path('exported')} --host 127.0.0.1" in told
    assert "llama.cpp" in (run.path("exported") / "README.md").read_text()


@pytest.mark.slow
def test_the_command_exports_what_a_line_made_and_keeps_its_class(
    line: Line, radgpt: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    shutil.copytree(line.outputs, tmp_path / "outputs")
    (behind,) = (tmp_path / "outputs/demo/finetune").glob("*/manifest.json")
    behind.write_text(json.dumps(json.loads(behind.read_text()) | {"governance": "credentialed"}))
    done = radgpt(*TINY_LINE, "stage=export", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "treated as credentialed" in done.stdout and "vllm serve" in done.stdout
    (run,) = (tmp_path / "outputs/demo/export").iterdir()
    assert not [path for path in (run, *run.rglob("*")) if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    card = (run / "exported/README.md").read_text()
    assert "> **Credentialed.**" in card and "do not publish it on an open model hub" in card
    assert "# tiny-demo\n" in card
    assert "Answers were written by rules (120)." in card
    assert "| rougeL |" in card and "| all of it |" in card and "| Validation loss |" in card
    assert "kept offline; `wandb sync outputs/demo/finetune/" in card
    assert '"content": "You answer questions about the radiology report you are given, from that report alone."' in card
    told = json.loads((run / "manifest.json").read_text())
    assert told["status"] == "done" and told["metrics"]["largest_difference"] < 0.1
    again = radgpt(*TINY_LINE, "stage=export", cwd=tmp_path)
    assert "export: done already, skipped" in again.stdout


def test_the_stage_is_listed_without_loading_torch() -> None:
    script = "import sys; from radgpt import stages; print(stages.load('export').purpose); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "Merge the adapter, check it, and write a folder that any software loads.\n"
