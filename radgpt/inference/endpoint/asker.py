"""Turn who answers (section `backend`) and how (section `decoding`) into what an endpoint is asked with."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from radgpt.config import Backend, Decoding, Provider, Service, Teacher
from radgpt.errors import UserError, settings_of

OF_DECODING = {"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_new_tokens"}
"""Settings that a teacher has beyond a service's, to those of `decoding`."""

WHOLE_CONTEXT = 1 << 16
"""llama.cpp's `repeat_last_n` for a penalty over all of the context, as transformers and vLLM have it; its own default is 64 tokens. It
has -1 for that, which its newer versions refuse."""


@dataclass
class Asker(Teacher):
    """A model behind an endpoint, under a teacher's names."""

    def __post_init__(self) -> None:
        with named():
            super().__post_init__()

    @property
    def section(self) -> str:
        """See `Service`."""
        return "backend"


def asker_of(backend: Backend, decoding: Decoding) -> Asker:
    """What a backend's endpoint is asked with under this decoding.

    Raises:
        UserError: beams are asked for, which no endpoint decodes with, or a value is beyond what endpoints take.
    """
    if decoding.num_beams > 1:
        raise UserError(
            f"decoding.num_beams={decoding.num_beams} has no meaning with backend={backend.provider.value}: endpoints sample or decode "
            "greedily; set decoding.num_beams=1"
        )
    return Asker(
        **{field.name: getattr(backend, field.name) for field in fields(Service)},
        temperature=decoding.temperature if decoding.do_sample else 0.0,
        top_p=decoding.top_p if decoding.do_sample else 1.0,
        max_tokens=decoding.max_new_tokens,
    )


def own_fields(backend: Backend, decoding: Decoding) -> dict[str, Any]:
    """Fields of a request's body that OpenAI's protocol does not have, for what of the decoding differs from leaving logits as they are.

    vLLM reads `repetition_penalty`, llama.cpp `repeat_penalty`; both pass over the other name. Providers' own services take neither.
    """
    if backend.provider is not Provider.local:
        return {}
    body: dict[str, Any] = {}
    if decoding.do_sample and decoding.top_k > 0:
        body["top_k"] = decoding.top_k
    if (penalty := decoding.repetition_penalty) != 1:
        body |= {"repetition_penalty": penalty, "repeat_penalty": penalty, "repeat_last_n": WHOLE_CONTEXT}
    return body


def unsaid(backend: Backend, decoding: Decoding) -> list[str]:
    """Settings of the decoding that the endpoint is not told of, as typed."""
    if backend.provider is Provider.local:
        return []
    top_k = [f"decoding.top_k={decoding.top_k}"] if decoding.do_sample and decoding.top_k else []
    return top_k + ([f"decoding.repetition_penalty={decoding.repetition_penalty}"] if decoding.repetition_penalty != 1 else [])


@contextmanager
def named() -> Iterator[None]:
    """Let a UserError of the block name settings of `backend` and `decoding` where it says a teacher's."""
    try:
        with settings_of("backend", written="teacher"):
            yield
    except UserError as error:
        settings = "|".join(OF_DECODING)
        text = re.sub(rf"\bbackend\.({settings})\b", lambda found: f"decoding.{OF_DECODING[found[1]]}", str(error))
        error.args = (text, *error.args[1:])
        raise
