"""Train with LLaMA-Factory, whose own settings stand in the file.

    python run_llamafactory.py SETTINGS.json

It imports torchaudio for text alone; PyPI's wheel of that wants CUDA, so an empty module stands in.
"""

import json
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

sys.modules["torchaudio"] = module_from_spec(ModuleSpec("torchaudio", None))

import stopwatch  # noqa: E402, F401
from llamafactory.train.tuner import run_exp  # noqa: E402

run_exp(json.loads(Path(sys.argv[1]).read_text()))
