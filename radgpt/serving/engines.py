"""How each existing server of OpenAI's API is started on an exported model, and what it does otherwise than radgpt."""

import importlib.util
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radgpt.config import ApiEngine
from radgpt.errors import UserError

ADDRESS = "127.0.0.1"
"""Whoever may ask the model may see what it learned from reports: this machine alone."""

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
"""Environment of a server that asks nobody anything: transformers' command looks for a newer version of itself even offline."""

CPU_PAGE, CPU_PAGES, CPU_STEP = 32, 512, 512
"""Tokens of a page of keys and values, pages at most, and tokens read in one step: without a GPU, transformers does not find its own."""
SHARE_OF_MEMORY = 0.25
"""Of the memory that is free, for keys and values on a CPU."""


@dataclass(frozen=True)
class Engine:
    """One server, as it is to be started."""

    command: list[str]
    warm_up: bool
    """Whether the first request settles how all others are sampled, so that a first one with the exported settings has to be ours."""
    notes: tuple[str, ...]
    """What a user should know of it."""


def engine_for(kind: ApiEngine, folder: Path, port: int) -> Engine:
    """The server to start; requests call the model by its folder.

    Raises:
        UserError: the server is not installed.
    """
    return vllm(folder, port) if kind is ApiEngine.vllm else transformers(folder, port)


def vllm(folder: Path, port: int) -> Engine:
    """vLLM's own command, which stands in an environment of its own: it pins other versions of torch and transformers."""
    program = shutil.which("vllm")
    if program is None:
        raise UserError(
            "serve.api_engine=vllm: there is no command vllm on PATH; install it in an environment of its own and put that one's bin "
            "folder on PATH, or choose serve.api_engine=transformers"
        )
    return Engine([program, "serve", str(folder), "--host", ADDRESS, "--port", str(port)], warm_up=False, notes=())


def transformers(folder: Path, port: int) -> Engine:
    """`transformers serve` of this environment, which answers many requests together."""
    missing = [name for name in ("fastapi", "uvicorn", "openai", "pydantic", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"serve.api_engine=transformers needs {', '.join(missing)}: pip install 'radgpt[api]', or choose serve.api_engine=vllm"
        )
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    command += ["--host", ADDRESS, "--port", str(port), "--continuous-batching", *device_flags(folder)]
    return Engine(command, warm_up=True, notes=tuple(notes_of(folder)))


def device_flags(folder: Path) -> list[str]:
    """On a GPU transformers sizes its batches itself; a CPU reads bfloat16 slowly and has no memory that it could measure."""
    import torch

    if torch.accelerator.is_available():
        return []
    pages = str(cpu_pages(json.loads((folder / "config.json").read_text(encoding="utf-8")), free_memory()))
    sizes = ["--cb-block-size", str(CPU_PAGE), "--cb-num-blocks", pages, "--cb-max-batch-tokens", str(CPU_STEP)]
    return ["--device", "cpu", "--dtype", "float32", *sizes]


def cpu_pages(config: dict[str, Any], free: int) -> int:
    """How many pages of keys and values fit into a share of the free memory (bytes), in float32; at least 16, at most CPU_PAGES."""
    heads = config.get("num_attention_heads", 1)
    width = config.get("head_dim") or config.get("hidden_size", 0) // heads
    token = 2 * 4 * config.get("num_hidden_layers", 1) * (config.get("num_key_value_heads") or heads) * width
    return max(16, min(CPU_PAGES, int(free * SHARE_OF_MEMORY) // max(1, token * CPU_PAGE)))


def free_memory() -> int:
    """Bytes that the system could give."""
    import psutil

    return psutil.virtual_memory().available


def notes_of(folder: Path) -> list[str]:
    """Where transformers' server differs from what `stage=chat` does with the same model."""
    notes = ["temperature and top_p of a request are not heeded: all are sampled as the exported generation_config.json says"]
    penalty = exported_settings(folder).get("repetition_penalty") or 1.0
    if penalty != 1.0:
        notes.append(f"it leaves repetition_penalty={penalty} out when it answers many requests together; vLLM honours it")
    return notes


def exported_settings(folder: Path) -> dict[str, Any]:
    """The exported generation settings; raises UserError where the folder is no exported model."""
    try:
        return json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(f"{folder} is no exported model: it has no generation_config.json; run stage=export") from None
