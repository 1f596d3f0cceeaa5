"""Train with LLaMA-Factory, whose own settings stand in the file.

    python run_llamafactory.py SETTINGS.json

It imports torchaudio for text alone; PyPI's wheel of that wants CUDA, so an empty module stands in.
"""

import importlib
import json
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

sys.modules["torchaudio"] = module_from_spec(ModuleSpec("torchaudio", None))

stopwatch = importlib.import_module("stopwatch")
tuner = importlib.import_module("llamafactory.train.tuner")

stopwatch.start()
tuner.run_exp(json.loads(Path(sys.argv[1]).read_text()))
