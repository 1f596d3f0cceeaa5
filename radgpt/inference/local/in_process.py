"""A model in this process that answers: streamed conversations beside each other, and files of questions in batches."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

from radgpt.chat_format import prompt_ids
from radgpt.config import Decoding
from radgpt.draws import derived_seed
from radgpt.errors import UserError
from radgpt.inference.backend import INTERRUPTED, OVERLONG, Answer, Message, Question, Reply
from radgpt.inference.local.batches import Batch
from radgpt.inference.local.decoding import Draws, Row, ends_of
from radgpt.inference.local.network import Network
from radgpt.inference.local.prefix_caches import PrefixCaches
from radgpt.inference.local.reading import advance
from radgpt.inference.local.references import reference_ids
from radgpt.inference.local.streamed_text import StreamedText, text_of
from radgpt.inference.local.transformers_generate import generate, generate_all
from radgpt.records import canonical_digest
from radgpt.teacher.journal import Journal

WINDOW = 4096
"""Questions that are looked at together: sorted by length, and searched for shared beginnings."""


class InProcess:
    """`Backend` over transformers: one model, alone on its network or one of several adapters there."""

    def __init__(
        self, name: str, network: Network, tokenizer: Any, *, adapter: str | None = None, batch_size: int = 16, kept_conversations: int = 4
    ) -> None:
        """Answer with `adapter` of the network (None: as the network stands), `batch_size` rows of a file together."""
        self._name = name
        self._network = network
        self._tokenizer = tokenizer
        self._adapter = adapter
        self._batch_size = batch_size
        self._conversations = PrefixCaches(network, kept_conversations)

    @property
    def name(self) -> str:
        """As `models` calls it."""
        return self._name

    @property
    def window(self) -> int | None:
        """Tokens that prompt and reply may have together; None where nobody says."""
        return self._network.window

    @cached_property
    def ends(self) -> frozenset[int]:
        """Ids that end an answer."""
        return frozenset(ends_of(self._network.core, self._tokenizer))

    def count(self, messages: list[Message]) -> int:
        """Tokens of a prompt."""
        return len(prompt_ids(self._tokenizer, messages))

    def close(self) -> None:
        """Forget the conversations; whoever opened the network frees it."""
        self._conversations.clear()

    def stream(self, messages: list[Message], decoding: Decoding, seed: int, stop: Event) -> Generator[str, None, Reply]:
        """Yield a reply piece by piece; see `Backend.stream`."""
        ids = prompt_ids(self._tokenizer, messages)
        limit = self._room(len(ids), decoding)
        if limit < 1:
            raise UserError(
                f"the prompt takes {len(ids)} tokens and the model's window has {self.window}: shorten the message or the report"
            )
        row = Row(ids, limit, seed, self.ends)
        text = StreamedText(self._tokenizer)
        with out_of_memory(f"a conversation of {len(ids)} tokens does not fit into the device's memory; start a new one"):
            if self._steps(decoding):
                cached = yield from self._continued(row, Draws(decoding), text, stop)
            else:
                cached = yield from self._whole(row, decoding, text, stop)
        if piece := text.end(broken_off=row.finish_reason is None):
            yield piece
        return Reply(text.text, row.finish_reason or INTERRUPTED, len(ids), cached, len(row.new))

    def _steps(self, decoding: Decoding) -> bool:
        """Whether our own loop answers."""
        return decoding.num_beams == 1 and self._network.steps

    def _continued(self, row: Row, draws: Draws, text: StreamedText, stop: Event) -> Generator[str, None, int]:
        """Yield an answer token by token; give how many of the prompt's tokens were read before."""
        conversation = self._conversations.take(row.prompt)
        conversation.asked = len(row.prompt)
        cached = len(conversation.ids)
        try:
            while row.finish_reason is None and not stop.is_set():
                drawn = advance(self._network, self._adapter, conversation, row, draws)
                if drawn and row.new[-1] not in row.ends and (piece := text.add(row.new[-1])):
                    yield piece
        finally:
            self._conversations.put(conversation)
        return cached

    def _whole(self, row: Row, decoding: Decoding, text: StreamedText, stop: Event) -> Generator[str, None, int]:
        """Yield an answer as one piece; nothing was read before."""
        if not stop.is_set():
            generate(self._network, self._adapter, [row], decoding, self._tokenizer.pad_token_id, stop.is_set)
            if piece := "".join(map(text.add, row.text_ids)):
                yield piece
        return 0

    def _room(self, prompt_tokens: int, decoding: Decoding) -> int:
        """Tokens that an answer may get."""
        return decoding.max_new_tokens if self.window is None else min(decoding.max_new_tokens, self.window - prompt_tokens)

    def answer(
        self, questions: Iterable[Question], decoding: Decoding, seed: int, journal: Path, told: Callable[[Answer], None]
    ) -> Iterator[Answer]:
        """Yield an answer to each question, in order; see `Backend.answer`. Of a killed run the rows that were in the making are lost."""
        with Journal(journal) as kept:
            source = iter(questions)
            while asked := list(islice(source, WINDOW)):
                yield from self._answer_window(asked, decoding, seed, kept, told)

    def _answer_window(
        self, questions: Sequence[Question], decoding: Decoding, seed: int, journal: Journal, told: Callable[[Answer], None]
    ) -> Iterator[Answer]:
        """Answers to some questions, in order."""
        answers: dict[int, Answer] = {}
        keys: dict[int, str] = {}
        asked: dict[int, Row] = {}

        def keep(place: int, answer: Answer) -> None:
            journal.put(keys[place], asdict(answer))
            answers[place] = answer
            told(answer)

        for place, question in enumerate(questions):
            row = self._row(question, decoding, seed)
            keys[place] = canonical_digest([question.id, row.prompt, row.reference, row.limit, asdict(decoding), seed])
            if found := journal.get(keys[place]):
                answers[place] = Answer(**{name: value for name, value in found.items() if name != "key"})
            elif row.limit < 1:
                keep(place, Answer("", OVERLONG, 0, len(row.prompt)))
            else:
                asked[place] = row
        places = {id(row): place for place, row in asked.items()}
        with out_of_memory(
            f"prediction.batch_size={self._batch_size}: so many prompts together do not fit into the device's memory; choose a smaller one"
        ):
            for row in self._answered(list(asked.values()), decoding):
                text = text_of(self._tokenizer, row.text_ids)
                ended = str(row.finish_reason)
                # What shares a batch changes the last digits of a sum.
                nll = None if row.reference_nll is None else round(row.reference_nll, 3)
                keep(places[id(row)], Answer(text, ended, len(row.new), len(row.prompt), nll, len(row.reference)))
        journal.sync()
        yield from (answers[place] for place in range(len(questions)))

    def _row(self, question: Question, decoding: Decoding, seed: int) -> Row:
        """What a question's answer grows in."""
        ids = prompt_ids(self._tokenizer, question.messages)
        row = Row(ids, self._room(len(ids), decoding), derived_seed(seed, question.id), self.ends)
        if question.reference is not None and row.limit > 0:
            row.reference = reference_ids(self._tokenizer, question.messages, question.reference, ids, self.window)
        return row

    def _answered(self, rows: Sequence[Row], decoding: Decoding) -> Iterator[Row]:
        """Each row when it has ended."""
        if not self._steps(decoding):
            return generate_all(self._network, self._adapter, rows, decoding, self._tokenizer.pad_token_id, self._batch_size)
        return Batch(self._network, self._adapter, Draws(decoding), self._batch_size, rows).run()


@contextmanager
def out_of_memory(message: str) -> Iterator[None]:
    """Raise UserError with a message where the device has too little memory."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        raise UserError(message) from None
