"""Write a model as the folder that transformers, vLLM and llama.cpp's converter read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from radgpt.chat_format import TEMPLATE_SETTINGS
from radgpt.config import Decoding, Export
from radgpt.inference.local.decoding import ends_of
from radgpt.inference.local.transformers_generate import settings_for

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def write_model(network: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", decoding: Decoding, export: Export, folder: Path) -> None:
    """Fill an empty folder with weights in shards of safetensors, config, generation config, tokenizer and chat template.

    The generation config holds what `stage=predict` and `stage=chat` draw answers with, and every token that ends one, so that a
    model that others serve answers and stops as it does here.
    """
    network.config.use_cache = True
    start = network.generation_config.bos_token_id
    ends = ends_of(network, tokenizer)
    network.generation_config = settings_for(decoding, ends, tokenizer.pad_token_id, decoding.max_new_tokens)
    network.generation_config.bos_token_id = start
    network.save_pretrained(folder, max_shard_size=export.max_shard_size)
    tokenizer.chat_template = pinned(str(tokenizer.chat_template))
    # Prompts of a batch end together, so that generation goes on behind each.
    tokenizer.padding_side = "left"
    tokenizer.save_pretrained(folder)
    for name in ("config.json", "tokenizer_config.json"):
        tidy(folder / name)


def pinned(template: str) -> str:
    """A chat template that renders without any settings as it did in training with ours (the date that it writes, whether it asks
    for thoughts); who serves the model can still give others."""
    lines = [
        f"{{%- set {name} = {name} if {name} is defined else {json.dumps(value)} -%}}\n"
        for name, value in TEMPLATE_SETTINGS.items()
        if name in template
    ]
    return "".join(lines) + template


def tidy(file: Path) -> None:
    """Take out of a JSON file what says nothing of the model: private names that a conversion left, and where it was loaded from."""
    told = json.loads(file.read_text(encoding="utf-8"))
    kept = {name: value for name, value in told.items() if not name.startswith("_") and name not in ("is_local", "local_files_only")}
    file.write_text(json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
