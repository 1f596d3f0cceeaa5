"""What a trained model is exported as."""

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
