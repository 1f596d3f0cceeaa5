"""A chat in the terminal with fake models, and lines to type into it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from fake_backend import FakeBackend
from tiny_model import TINY, sampled

from radgpt.config import Backend, ChatPrompt, Governance, Provider
from radgpt.errors import UserError
from radgpt.inference.backend import NamedModel
from radgpt.inference.chat.session import ChatSession
from radgpt.inference.chat.terminal.conversation import Conversation
from radgpt.inference.chat.terminal.lines import ReadLine
from radgpt.inference.chat.terminal.loop import converse
from radgpt.inference.chat.terminal.screen import Screen
from radgpt.inference.chat.transcript import Transcript


@dataclass
class FakeModels:
    """`this`, over a checkpoint, and `gpt` behind an endpoint; `broken` cannot be opened."""

    backends: dict[str, FakeBackend] = field(default_factory=dict)
    named: dict[str, NamedModel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        served = Backend(provider=Provider.local, model="big-model", base_url="http://127.0.0.1:1/v1")
        self.named["this"] = NamedModel("this", TINY, Backend(), sampled(200), Path("runs/1/checkpoint"))
        self.named["gpt"] = NamedModel("gpt", TINY, served, sampled(300), None)
        self.named["broken"] = NamedModel("broken", TINY, Backend(), sampled(), None)

    def open(self, name: str) -> FakeBackend:
        """Remember what was opened."""
        if name == "broken":
            raise UserError("its weights are gone")
        return self.backends.setdefault(name, FakeBackend(name=name))

    def add_adapter(self, name: str, folder: Path) -> str:
        """Call it as its folder is called."""
        self.named[folder.name] = replace(self.named[name], name=folder.name, checkpoint=folder)
        return folder.name


def lines(*typed: str) -> ReadLine:
    """Gives them one after another, and remembers nothing."""
    left = iter(typed)
    return lambda default="": next(left, None)


def talk(
    folder: Path,
    typed: Iterable[str],
    replies: Iterable[str | UserError] = (),
    prepare: Callable[[Conversation], None] = lambda conversation: None,
    window: int | None = None,
) -> Conversation:
    """The chat after these lines; its transcript stands in `folder`."""
    models = FakeModels()
    models.backends["this"] = FakeBackend(list(replies), window=window)
    prompt = ChatPrompt("You read reports.", "{report} {instruction}")
    transcript = Transcript(folder / "transcript.jsonl", models.named)
    session = ChatSession(models.open("this"), models.named["this"].decoding, prompt, 0, transcript.append)
    conversation = Conversation(session, models, transcript.path, Governance.open, Screen(live=False))
    prepare(conversation)
    converse(conversation, lines(*typed))
    return conversation
