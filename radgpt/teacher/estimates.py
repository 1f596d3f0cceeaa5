"""Estimate how many tokens a prompt holds, without any download, and learn from what the endpoint counts."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from radgpt.config import Provider, Service

CHARACTERS_PER_TOKEN = 4.0
"""OpenAI's rule of thumb for English, by which its and Azure's limits are charged before a prompt is read."""

TOKENS_PER_MESSAGE = 3
"""What a message's role and borders take, in OpenAI's chat format."""

ENCODINGS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
"""Where tiktoken has its files from; it keeps them under the SHA-1 of this address."""

REMEMBERED = 20
"""Prompts that the running mean looks back over."""

Messages = Iterable[Mapping[str, str]]


class TokenEstimate:
    """Tokens of a prompt: as counted here at first, then scaled to how the endpoint counts."""

    def __init__(self, count: Callable[[str], float] | None = None) -> None:
        """`count` gives the tokens of a text; None: four characters are one."""
        self.scale = 1.0
        """Tokens that the endpoint counts for one of ours."""
        self._count = count
        self._seen = 0

    @property
    def learned(self) -> bool:
        """Whether the endpoint has counted a prompt."""
        return self._seen > 0

    def size(self, messages: Messages) -> float:
        """Tokens by our own count."""
        if self._count is None:
            return sum(len(message["content"]) for message in messages) / CHARACTERS_PER_TOKEN
        return sum(self._count(message["content"]) + TOKENS_PER_MESSAGE for message in messages)

    def tokens(self, size: float) -> float:
        """Tokens as the endpoint is likely to count a prompt of this size."""
        return size * self.scale

    def learn(self, size: float, tokens: int) -> None:
        """Take in what a prompt of this size really held: the mean at first, then over about REMEMBERED prompts."""
        self._seen = min(self._seen + 1, REMEMBERED)
        self.scale += (tokens / max(size, 1.0) - self.scale) / self._seen


def estimate_for(service: Service) -> TokenEstimate:
    """The best estimate at hand: tiktoken's for OpenAI's models, where it is installed and keeps their encoding already."""
    return TokenEstimate(cached_tokenizer(service.model) if service.provider in (Provider.openai, Provider.azure) else None)


def cached_tokenizer(model: str) -> Callable[[str], float] | None:
    """Count with tiktoken, if nothing needs to be downloaded for it."""
    try:
        import tiktoken
        import tiktoken.load
    except ImportError:
        return None
    try:
        name = tiktoken.encoding_name_for_model(model)
    except KeyError:  # a deployment's own name
        return None
    folder = next((os.environ[variable] for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR") if variable in os.environ), None)
    file = Path(folder or Path(tempfile.gettempdir(), "data-gym-cache")) / hashlib.sha1(ENCODINGS.format(name).encode()).hexdigest()
    if not file.is_file():
        return None
    download = tiktoken.load.read_file
    tiktoken.load.read_file = refuse_download  # a damaged file would be fetched anew
    try:
        encoding = tiktoken.get_encoding(name)
    except OSError:
        return None
    finally:
        tiktoken.load.read_file = download
    return lambda text: len(encoding.encode_ordinary(text))


def refuse_download(address: str) -> bytes:
    """Stand in for what fetches a file."""
    raise OSError(f"{address} is not fetched")
