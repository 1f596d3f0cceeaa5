"""What is done with a trained model."""

import re
from dataclasses import dataclass

from radgpt.config.markers import operational, refuse

EXPORT_DTYPES = ("float32", "bfloat16", "float16")


GGUF_TYPES = ("f32", "f16", "bf16", "q8_0", "auto")
"""As llama.cpp's converter names them; smaller types are made from these by llama.cpp's `llama-quantize`."""


SHARD_SIZE = re.compile(r"\d+(\.\d+)?(KB|MB|GB|TB)")


@dataclass
class Export:
    """`stage=export`."""

    dtype: str = "bfloat16"
    """Number format of the exported weights."""
    max_shard_size: str = "5GB"
    gguf: str | None = None
    """Type of a GGUF file to make as well (`f16`, `q8_0`, ...), by llama.cpp's converter where it is installed; null: none."""
    gguf_converter: str | None = operational()
    """llama.cpp's convert_hf_to_gguf.py; null: the one on PATH."""

    def __post_init__(self) -> None:
        refuse(self.dtype not in EXPORT_DTYPES, f"export.dtype={self.dtype} is none of {', '.join(EXPORT_DTYPES)}")
        refuse(
            not SHARD_SIZE.fullmatch(self.max_shard_size),
            f"export.max_shard_size={self.max_shard_size} is no size; give a number with its unit, such as 5GB or 500MB",
        )
        refuse(self.gguf is not None and self.gguf not in GGUF_TYPES, f"export.gguf={self.gguf} is none of {', '.join(GGUF_TYPES)}")
        refuse(
            self.gguf is None and self.gguf_converter is not None,
            "export.gguf_converter has no meaning without export.gguf; say which type to make, such as export.gguf=q8_0",
        )


@dataclass
class Decoding:
    """How replies are drawn, named as in transformers' GenerationConfig."""

    max_new_tokens: int = 1024
    do_sample: bool = True
    temperature: float = 0.75
    top_p: float = 0.9
    top_k: int = 100
    repetition_penalty: float = 1.2
    num_beams: int = 1

    def __post_init__(self) -> None:
        refuse(self.max_new_tokens < 1, f"decoding.max_new_tokens={self.max_new_tokens} must be at least 1")
        refuse(
            self.do_sample and self.temperature <= 0,
            f"decoding.temperature={self.temperature} must be above 0; for greedy decoding choose decoding=greedy",
        )
        refuse(not 0 < self.top_p <= 1, f"decoding.top_p={self.top_p} must lie in (0, 1]")


@dataclass
class Prediction:
    """What `stage=predict` answers."""

    split: str = "test"
    limit: int | None = None
    """Answer only the first so many pairs of the split."""
    batch_size: int = 8
    """Prompts decoded together."""

    def __post_init__(self) -> None:
        refuse(self.split not in ("train", "validation", "test"), f"prediction.split={self.split} must be train, validation or test")
        refuse(self.limit is not None and self.limit < 1, f"prediction.limit={self.limit} must be at least 1")
        refuse(self.batch_size < 1, f"prediction.batch_size={self.batch_size} must be at least 1")


@dataclass
class Evaluation:
    """How predictions are scored."""

    bootstrap_samples: int = 1000
    """Resamples of patients for each interval."""
    confidence: float = 0.95

    def __post_init__(self) -> None:
        refuse(self.bootstrap_samples < 100, f"evaluation.bootstrap_samples={self.bootstrap_samples} must be at least 100")
        refuse(not 0 < self.confidence < 1, f"evaluation.confidence={self.confidence} must lie in (0, 1)")


@dataclass
class Chat:
    """`stage=chat`."""

    message: str | None = None
    """Answer this once and exit; null opens a conversation."""
    report: str | None = None
    """File with the report to talk about; the literal `sample` takes one of the test split."""
