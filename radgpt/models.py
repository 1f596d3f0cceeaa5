"""Find, load and check models: base weights from the hub or embedded ones, and what `stage=finetune` leaves."""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt import artifacts
from radgpt.chat_templates import CHAT_TEMPLATES, PLAIN, chat_template
from radgpt.config import Dtype, Method, Model, ModelSource, Quantization
from radgpt.errors import UserError
from radgpt.origin import ORIGIN_FILE, TINY_BASE, Origin
from radgpt.smollm2 import convert_smollm2

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def base_of(checkpoint: Path, origin: Origin, model: Model, cache: Path, *, verify: bool = True) -> str:
    """What `from_pretrained` takes for the weights of a checkpoint, below its adapter if it is one.

    Args:
        verify: whether weights that an earlier training left are compared with their digest (about 20 s for 7 billion in 16 bits).

    Raises:
        UserError: they are gone or have changed, or the base model cannot be had.
    """
    if origin.method == Method.full.name:
        return str(checkpoint)
    own = checkpoint / TINY_BASE
    if model.source is ModelSource.tiny:
        return str(own)
    if not origin.base_places:
        return prepare_base(model, cache)
    for place in (own, *(checkpoint / place for place in origin.base_places)):
        if place.is_dir() and (not verify or artifacts.digest(place.resolve()) == origin.base_sha256):
            return str(place.resolve())
    raise UserError(
        f"{checkpoint} is an adapter on the weights that an earlier training left in {origin.base_places[-1]}, and those are gone or have "
        f"changed; copy or link them to {own}"
    )


def add_adapter(network: "PreTrainedModel", checkpoint: Path, merge: bool) -> "PreTrainedModel":
    """Put a LoRA adapter on its base, merged into the weights or beside them."""
    from peft import PeftModel

    adapted: Any = PeftModel.from_pretrained(network, str(checkpoint))
    return adapted.merge_and_unload() if merge else adapted


def best_device() -> "torch.device":
    """This process's GPU, or the CPU."""
    import torch

    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if torch.cuda.is_available() else torch.device("cpu")


def number_format(model: Model) -> "torch.dtype":
    """`model.dtype`; `auto` is bfloat16 on GPUs that compute in it, else float32: most CPUs emulate bfloat16, at a third of the speed."""
    import torch

    if model.dtype is not Dtype.auto:
        return getattr(torch, model.dtype.name)
    return torch.bfloat16 if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else torch.float32


def quieten_loggers() -> None:
    """The part of `quieten` that imports nothing, for before the libraries are imported."""
    logging.getLogger("accelerate").setLevel("ERROR")
    # transformers and peft import bitsandbytes wherever it is installed, and it tells which of its faster paths a CPU lacks.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel("ERROR")
    # It tells of each 8-bit product that its activations are rounded.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel("ERROR")


def quieten() -> None:
    """Keep transformers and what it imports from the console, but for errors and the progress of downloads."""
    quieten_loggers()
    import torch
    from huggingface_hub.utils import logging as hub_logging
    from huggingface_hub.utils.tqdm import enable_progress_bars
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    # Silences the loading of weights, and downloads with it: those can take an hour and are shown.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    enable_progress_bars()
    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    # Libraries tell each other what their next versions rename.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft|torch")
    if not torch.cuda.is_available():
        # Where DeepSpeed is installed, saving a model imports it, and it would warn that it finds no accelerator.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")


def load_base(model: Model, base: str, dtype: "torch.dtype", quantization: Quantization = Quantization.none) -> "PreTrainedModel":
    """Load the causal language model that stands at `base` (what `prepare_base` gave): on the CPU, or quantised on the best device.

    Raises:
        UserError: the weights cannot be had, or not be quantised here.
    """
    from transformers import AutoModelForCausalLM

    from radgpt.quantization import keep_layout, quantization_config

    quieten()
    quantised: dict[str, Any] = {}
    if settings := quantization_config(quantization, dtype):
        quantised = {"quantization_config": settings, "device_map": {"": best_device()}}
    with explained(model), attention_explained(model):
        network: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            base, dtype=dtype, attn_implementation=model.attn_implementation, **quantised, **hub_options(model, base)
        )
    if quantization is Quantization.nf4:
        keep_layout(network)
    mend_generation_config(network)
    return network


def load_tokenizer(model: Model, base: str) -> "PreTrainedTokenizerBase":
    """Load the tokenizer that stands at `base`, with a chat template and a padding token.

    The template is `model.chat_template`, else its own, else our plain one; a checkpoint of ours keeps what it was trained with.

    Raises:
        UserError: the tokenizer or the template cannot be had.
    """
    from transformers import AutoTokenizer

    quieten()
    with explained(model):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(base, **hub_options(model, base))
    if model.chat_template and not (Path(base) / ORIGIN_FILE).is_file():
        tokenizer.chat_template = chat_template(model.chat_template)
    elif tokenizer.chat_template is None:
        tokenizer.chat_template = CHAT_TEMPLATES[PLAIN]
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def hub_options(model: Model, base: str) -> dict[str, str]:
    """Revision and token, for a base that is fetched from the hub."""
    if Path(base).is_dir():
        return {}
    options = {"revision": model.revision, "token": os.environ.get(model.token_env)}
    return {name: value for name, value in options.items() if value}


def mend_generation_config(network: "PreTrainedModel") -> None:
    """Let a base be saved whose generation config names a temperature without `do_sample`: saving refuses it, after all the training."""
    try:
        network.generation_config.validate(strict=True)
    except ValueError:
        network.generation_config.do_sample = True


def prepare_base(model: Model, cache: Path) -> str:
    """Make the base weights of `source: hub` or `source: smollm2` available; give what `from_pretrained` takes.

    Args:
        model: the base model's settings (`source: tiny` has no base of its own: finetune makes one).
        cache: folder for converted models.

    Raises:
        UserError: no access, no such model or folder, no connection, or the package with the weights is missing.
    """
    if model.source is ModelSource.smollm2:
        quieten()
        return str(convert_smollm2(cache))
    local = Path(model.name_or_path).expanduser()
    if local.is_dir():
        return str(local)
    if model.name_or_path.startswith(("/", "./", "../", "~")):
        raise UserError(
            f"model.name_or_path={model.name_or_path} does not exist; give a folder with weights, or a model id of huggingface.co"
        )
    from transformers import AutoConfig

    quieten()
    # The config is small and gated as the weights are: no access shows before gigabytes are fetched.
    with explained(model):
        AutoConfig.from_pretrained(model.name_or_path, **hub_options(model, model.name_or_path))
    return model.name_or_path


@contextmanager
def explained(model: Model) -> Iterator[None]:
    """Turn a failed download into a UserError that names the setting, the token's variable and the page to ask at."""
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    setting = f"model.name_or_path={model.name_or_path}"
    page = f"https://huggingface.co/{model.name_or_path}"
    access = f"for a gated model request access at {page} and put your token into {model.token_env}"
    try:
        yield
    except OSError as error:
        causes = list(chain(error))
        if any(isinstance(cause, GatedRepoError) for cause in causes) or "gated repo" in str(error):
            raise UserError(
                f"{setting} is gated: request access at {page}, then put the token of that account into {model.token_env}"
            ) from None
        if any(isinstance(cause, RevisionNotFoundError) for cause in causes):
            raise UserError(f"model.revision={model.revision} is no branch, tag or commit of {page}") from None
        if any(isinstance(cause, RepositoryNotFoundError) for cause in causes):
            raise UserError(f"{setting} is neither a folder nor a model that huggingface.co shows you; check the name; {access}") from None
        if any(isinstance(cause, LocalEntryNotFoundError | ConnectionError | TimeoutError) for cause in causes) or "connect" in str(error):
            raise UserError(
                f"{setting} is not on this machine and huggingface.co cannot be reached; give a folder with its weights; {access}"
            ) from None
        raise UserError(f"{setting} cannot be loaded: {str(error).strip().splitlines()[0]}; {access}") from None


@contextmanager
def attention_explained(model: Model) -> Iterator[None]:
    """Turn the refusal of an unknown `model.attn_implementation`, or of one whose package is missing, into a UserError."""
    try:
        yield
    except (ImportError, ValueError) as error:
        if model.attn_implementation is None or not re.search(r"attn_implementation|flash.?att", str(error), re.IGNORECASE):
            raise
        raise UserError(
            f"model.attn_implementation={model.attn_implementation} cannot be used here ({str(error).strip().splitlines()[0]}); "
            "choose sdpa or eager, or leave it out"
        ) from None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
