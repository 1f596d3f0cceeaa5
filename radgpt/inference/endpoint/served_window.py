"""Ask a server how many tokens the model that it serves may hold."""

from typing import Any

from radgpt.inference.endpoint.endpoint_loop import EndpointLoop
from radgpt.teacher.completions import mapping, whole
from radgpt.teacher.transports import LostError

PATIENCE = 5.0
"""Seconds; a conversation waits for the answer, and goes on without one."""


def served_window(loop: EndpointLoop, model: str) -> int | None:
    """Tokens of prompt and reply together; None where the server does not say.

    Raises:
        LostError: it does not answer, or not in time.
    """
    try:
        answer = loop.ask(lambda transport: transport.models(), PATIENCE)
    except Exception:  # whatever is wrong, the first question will tell it better
        raise LostError("no list of models") from None
    return window_in(answer.body, model)


def window_in(told: Any, model: str) -> int | None:
    """The window in a list of models: vLLM's `max_model_len`, or llama.cpp's `meta.n_ctx`; of the one named, else of the only one."""
    models = mapping(told).get("data")
    found = [mapping(one) for one in models] if isinstance(models, list) else []
    chosen = [one for one in found if one.get("id") == model] or (found if len(found) == 1 else [])
    if not chosen:
        return None
    return whole(chosen[0].get("max_model_len")) or whole(mapping(chosen[0].get("meta")).get("n_ctx")) or None
