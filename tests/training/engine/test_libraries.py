"""Libraries are imported without what nobody needs yet, and work as ever."""

import subprocess
import sys

import pytest
import torch

from radgpt.training.engine.libraries import compiled_when_called


def test_what_is_compiled_in_the_block_is_compiled_by_its_first_call(monkeypatch):
    compiled = []

    def compile_now(function, **settings):
        compiled.append((function.__name__, settings))
        return function

    monkeypatch.setattr(torch, "compile", compile_now)
    with compiled_when_called():

        @torch.compile
        def double(number):
            return 2 * number

        @torch.compile(dynamic=False)
        def triple(number):
            return 3 * number

    assert torch.compile is compile_now
    assert compiled == []
    assert (double(2), double(3), triple(2)) == (4, 6, 6)
    assert compiled == [("double", {}), ("triple", {"dynamic": False})]


LOADED = """
import gc, sys
from radgpt.training.engine.libraries import import_libraries
import_libraries()
assert gc.isenabled()
from accelerate.utils import extract_model_from_parallel
from transformers import Trainer
import torch
model = torch.nn.Linear(2, 2)
assert extract_model_from_parallel(model) is model
print(*(name for name in ("torch._inductor.compile_fx", "deepspeed", "wandb") if name in sys.modules), "end")
"""


@pytest.mark.slow
def test_compilers_and_engines_stay_out():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout.split()) == (0, ["end"]), done.stderr[-2000:]
