"""Import the libraries that train, without what they do at once and nobody needs yet."""

import gc
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

from radgpt.models import quieten_loggers


def import_libraries() -> None:
    """Import transformers' Trainer and all that it imports, in about two thirds of the processor time.

    Call it before anything else imports torch. It is for speed alone: without it the same is imported later.
    """
    quieten_loggers()
    if "transformers.trainer" in sys.modules:
        return
    collects = gc.isenabled()
    # The objects that modules are made of stay; looking through them again and again takes a fifth of the time.
    gc.disable()
    try:
        with compiled_when_called():
            if importlib.util.find_spec("bitsandbytes") is not None:
                # Where it is installed, peft imports it, whatever is trained.
                importlib.import_module("bitsandbytes")
            importlib.import_module("transformers.trainer")
        without_deepspeed_unless_imported()
        # Later collections, which transformers asks for as well, pass over what is here now.
        gc.freeze()
    finally:
        if collects:
            gc.enable()


@contextmanager
def compiled_when_called() -> Iterator[None]:
    """Let what is wrapped by torch.compile in the block be compiled by its first call, as torch's compiler itself takes long to import."""
    import torch

    compile_now: Any = torch.compile

    def compile_later(function: Callable[..., Any] | None = None, **settings: Any) -> Any:
        if function is None:
            return partial(compile_later, **settings)
        compiled: list[Callable[..., Any]] = []

        @wraps(function)
        def call(*given: Any, **named: Any) -> Any:
            if not compiled:
                compiled.append(compile_now(function, **settings))
            return compiled[0](*given, **named)

        return call

    torch.compile = compile_later  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compile = compile_now


def without_deepspeed_unless_imported() -> None:
    """Keep accelerate from importing DeepSpeed to ask whether a model is wrapped by it: no model is, while nothing has imported it."""
    from accelerate.utils import other

    installed = other.is_deepspeed_available
    other.is_deepspeed_available = lambda: "deepspeed" in sys.modules and installed()
