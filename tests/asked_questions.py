"""Questions of very different length, some of which share a report, and what the tiny model answers to them one by one."""

import random
from pathlib import Path
from threading import Event
from typing import Any

from tiny_model import WORDS, tiny_model

from radgpt.chat_format import prompt_ids
from radgpt.config import Decoding
from radgpt.inference.backend import Answer, Message, Question, Reply
from radgpt.inference.local.in_process import InProcess
from radgpt.inference.local.network import Network
from radgpt.inference.local.streamed_text import text_of


def questions(alone: int = 9, shared: int = 5) -> list[Question]:
    """`alone` questions of their own, then `shared` ones about one report, all with one system message."""
    rng = random.Random(0)
    texts = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 9))) for _ in range(alone)]
    report = " ".join(WORDS * 3)
    texts += [f"{report} {rng.choice(WORDS) * rng.randint(1, 3)}" for _ in range(shared)]
    system = {"role": "system", "content": "You read reports."}
    return [Question(str(number), [system, {"role": "user", "content": text}]) for number, text in enumerate(texts)]


def backend(batch_size: int = 4, model: Any = None, **settings: Any) -> InProcess:
    """A backend on the tiny model, or on another with its tokenizer."""
    return InProcess("this", Network(model or tiny_model()[0]), tiny_model()[1], batch_size=batch_size, **settings)


def answered(
    asked: list[Question], decoding: Decoding, journal: Path, batch_size: int = 4, model: Any = None, seed: int = 0
) -> list[Answer]:
    """What a backend answers to a file."""
    return list(backend(batch_size, model).answer(asked, decoding, seed, journal, lambda answer: None))


def generated(model: Any, messages: list[Message], **settings: Any) -> tuple[str, int]:
    """(text, new tokens) of transformers' own `generate`, for one prompt."""
    import torch

    tokenizer = tiny_model()[1]
    ids = torch.tensor([prompt_ids(tokenizer, messages)])
    output = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), pad_token_id=tokenizer.pad_token_id, **settings)
    new = output[0, ids.shape[1] :].tolist()
    return text_of(tokenizer, new), len(new)


def streamed(answering: InProcess, messages: list[Message], decoding: Decoding, seed: int = 0) -> tuple[list[str], Reply]:
    """(pieces, reply) of a stream that nobody stops."""
    stream = answering.stream(messages, decoding, seed, Event())
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value
