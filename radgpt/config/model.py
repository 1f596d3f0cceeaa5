"""The base model, and what of it is trained."""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from radgpt.chat_templates import CHAT_TEMPLATES
from radgpt.config.markers import external_input, only, operational, refuse


class ModelSource(Enum):
    """Where base weights come from."""

    hub = "hub"
    smollm2 = "smollm2"
    tiny = "tiny"


class Dtype(Enum):
    """Number format of the weights; `auto`: bfloat16 where the device computes in it, else float32."""

    auto = "auto"
    bfloat16 = "bfloat16"
    float16 = "float16"
    float32 = "float32"


@dataclass
class Model:
    """The base model."""

    source: ModelSource = ModelSource.hub
    name_or_path: str = MISSING
    """Hugging Face model id, or a local folder."""
    revision: str | None = None
    token_env: str = operational("HF_TOKEN")
    """Name of the environment variable that holds the Hugging Face token, for gated models."""
    dtype: Dtype = Dtype.auto
    attn_implementation: str | None = None
    """As in transformers' `from_pretrained`; null lets transformers choose."""
    chat_template: str | None = external_input(names=CHAT_TEMPLATES)
    """How a conversation is written down: a name of radgpt/chat_templates.py (`plain`, `alpaca`, `chatml`, `llama2`, ...) or a file in
    Jinja; null: the tokenizer's own, or `plain` where it has none."""
    tiny_hidden_size: int = 128
    tiny_layers: int = 2
    tiny_vocab_size: int = 2048
    """Shape of the Llama that `source: tiny` makes on the spot."""


class Quantization(Enum):
    """What a frozen base is held in: LLM.int8() (arXiv 2208.07339), or 4-bit NormalFloat quantised twice (arXiv 2305.14314)."""

    none = "none"
    int8 = "int8"
    nf4 = "nf4"


class Method(Enum):
    """What is trained; `none` keeps the base model as it is, to measure it with the same line."""

    lora = "lora"
    full = "full"
    none = "none"


@dataclass
class Tuning:
    """What is trained, named as in peft's LoraConfig."""

    method: Method = Method.full
    r: int | None = None
    lora_alpha: int | None = None
    lora_dropout: float | None = None
    target_modules: list[str] | None = None
    """Module names; `[all-linear]` for every linear layer but the head; null for peft's own choice for the model."""
    use_dora: bool = False
    """Weight-decomposed adapters (arXiv 2402.09353)."""
    use_rslora: bool = False
    """Scale adapters by lora_alpha / sqrt(r) instead of lora_alpha / r (arXiv 2312.03732)."""
    quantization: Quantization = Quantization.none
    """Of the frozen base under adapters; nf4 makes it QLoRA."""
    init_from: str | None = external_input()
    """Checkpoint folder of an earlier finetune or pretrain, whose adapter or weights training starts from; null: the base model."""
    after_pretraining: bool = only("finetune", False)
    """Start from what `stage=pretrain` made with the same settings."""

    def __post_init__(self) -> None:
        settings = {"r": self.r, "lora_alpha": self.lora_alpha, "lora_dropout": self.lora_dropout}
        for name, value in settings.items():
            refuse(
                self.method is Method.lora and value is None,
                f"tuning=lora needs tuning.{name}",
            )
            refuse(
                self.method is not Method.lora and value is not None,
                f"tuning.{name}={value} has no meaning with tuning={self.method.value}; leave it out or choose tuning=lora",
            )
        for name, why in {
            "use_dora": self.use_dora,
            "use_rslora": self.use_rslora,
            "target_modules": self.target_modules is not None,
        }.items():
            refuse(
                why and self.method is not Method.lora,
                f"tuning.{name} has no meaning with tuning={self.method.value}; leave it out or choose tuning=lora",
            )
        refuse(
            self.quantization is not Quantization.none and self.method is Method.full,
            f"tuning.quantization={self.quantization.name} holds weights that stay as they are, and tuning=full trains them; choose "
            "tuning=lora, or leave it out",
        )
        for name, given in {"init_from": self.init_from is not None, "after_pretraining": self.after_pretraining}.items():
            refuse(
                given and self.method is Method.none,
                f"tuning.{name} has no meaning with tuning=none, which measures the base model; to measure what an earlier training left, "
                "set inputs.checkpoint to it",
            )
        refuse(
            self.init_from is not None and self.after_pretraining,
            f"tuning.init_from={self.init_from} and tuning.after_pretraining=true are two places to start from; leave one out",
        )
        if self.method is Method.lora:
            refuse(self.target_modules == [], "tuning.target_modules=[] names no module; give names, [all-linear] or null")
            refuse(self.r < 1, f"tuning.r={self.r} must be at least 1")  # type: ignore[operator]
            refuse(not 0 <= self.lora_dropout < 1, f"tuning.lora_dropout={self.lora_dropout} must lie in [0, 1)")  # type: ignore[operator]
