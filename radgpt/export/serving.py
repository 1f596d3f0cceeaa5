"""The commands that serve an exported model, and those that ask it."""

import shlex
from pathlib import Path

ADDRESS = ("--host", "127.0.0.1", "--port", "8000")
"""Served to this machine alone: whoever may ask the model may see what it learned from reports."""


def serve_commands(folder: str, name: str, gguf: str | None) -> dict[str, str]:
    """Server to the command that starts it; each speaks the protocol of OpenAI's API at http://127.0.0.1:8000/v1.

    Args:
        folder: the exported folder, as it is typed.
        name: what requests call the model, where the server lets one choose.
        gguf: the GGUF file, if one was made.
    """
    commands = {
        "vLLM": shlex.join(["vllm", "serve", folder, "--served-model-name", name, *ADDRESS]),
        "transformers": shlex.join(["transformers", "serve", folder, *ADDRESS]),
    }
    if gguf is not None:
        commands["llama.cpp"] = shlex.join(["llama-server", "--model", gguf, "--alias", name, "--jinja", *ADDRESS])
    return commands


def client_settings(name: str) -> str:
    """How radgpt asks a server that was started so."""
    return shlex.join(["teacher=local", f"teacher.model={name}", "teacher.base_url=http://127.0.0.1:8000/v1"])


def announcement(folder: Path, name: str, gguf: Path | None) -> str:
    """What is printed once a model is exported."""
    commands = serve_commands(str(folder), name, str(gguf) if gguf else None)
    width = max(map(len, commands))
    lines = [f"  {server:<{width}}  {command}" for server, command in commands.items()]
    ask = f"and to ask it in place of a teacher: {client_settings(name)}; transformers calls it {shlex.quote(str(folder))}"
    return "\n".join(["export: to serve it, on this machine alone:", *lines, ask])
