"""Talk with a model in the terminal, with or without a report."""

from collections.abc import Iterator
from pathlib import Path

from radgpt.config import SAMPLE, Backend, Chat, ChatPrompt, Data, DataUse, Decoding, Model
from radgpt.errors import UserError
from radgpt.inference.backend import INTERRUPTED
from radgpt.inference.chat.session import ChatSession
from radgpt.inference.chat.terminal.about_models import opened
from radgpt.inference.chat.terminal.completion import completer
from radgpt.inference.chat.terminal.conversation import BANNER, Conversation
from radgpt.inference.chat.terminal.files import read_report
from radgpt.inference.chat.terminal.lines import ReadLine, is_terminal, plain_lines, typed_lines
from radgpt.inference.chat.terminal.loop import converse
from radgpt.inference.chat.terminal.screen import Screen
from radgpt.inference.chat.terminal.sections import outline
from radgpt.inference.chat.transcript import Transcript
from radgpt.records import Pair, Report, read_records
from radgpt.run import Run

WRITES = {"transcript": "transcript.jsonl"}

OPTIONAL = {"checkpoint": "needs_checkpoint", "dataset": "chat.wants_sample", "reports": "chat.wants_sample"}

CACHED = False
"""A finished chat never stands for a new one."""


def run(
    run: Run,
    checkpoint: Path | None,
    dataset: Path | None,
    reports: Path | None,
    prompt: ChatPrompt,
    model: Model,
    backend: Backend,
    decoding: Decoding,
    data: Data,
    governance: DataUse,
    chat: Chat,
    seed: int,
) -> None:
    """Answer `chat.message` once, or converse until the user leaves; the transcript grows with every answer.

    Who answers is the run's own model, which `checkpoint`, `model`, `backend` and `decoding` describe; `/model` opens the others.
    """
    samples = sample_reports(dataset, reports) if dataset is not None and reports is not None else None
    report = None if chat.report is None else first_sample(samples) if chat.report == SAMPLE else configured_report(chat.report)

    from radgpt.inference.opening import open_models

    screen = Screen()
    screen.say(BANNER)
    name, own = next(iter(run.models.items()))
    with (
        open_models(run.models, cache=run.cache, governance=data.governance, attestation=governance.attestation) as models,
        Transcript(run.path("transcript"), models.named) as transcript,
    ):
        session = ChatSession(opened(screen, models, name), own.decoding, prompt, seed, transcript.append)
        if chat.system is not None:
            session.set_system(chat.system)
        talk = Conversation(session, models, transcript.path, data.governance, screen, samples, interactive=is_terminal())
        if report is not None:
            session.open_report(report)
            if chat.report == SAMPLE:
                talk.screen.say(f"\nReport:\n{report.strip()}")
        if chat.message is not None:
            talk.screen.say(f"\nQuestion: {chat.message}\nAnswer:")
            if talk.ask(chat.message).finish_reason == INTERRUPTED:
                raise KeyboardInterrupt
        else:
            if report is not None and chat.report != SAMPLE:
                talk.screen.remark(f"about this report: {outline(report)}")
            talk.screen.say("Type a message, or /help.")
            converse(talk, lines_for(talk) if talk.interactive else plain_lines())
    run.summarise(
        turns=len(talk.told),
        conversations=len({turn.conversation for turn in talk.told}),
        new_tokens=sum(turn.new_tokens for turn in talk.told),
    )


def lines_for(talk: Conversation) -> ReadLine:
    """Lines typed at a prompt that completes what this chat knows and shows how it stands."""
    return typed_lines(completer(talk.models.named), talk.toolbar, hint=lambda: talk.screen.remark("Ctrl-D or /exit ends the chat"))


def configured_report(name: str) -> str:
    """The report of `chat.report`; raises UserError naming the setting."""
    try:
        return read_report(name)
    except UserError as error:
        raise UserError(f"chat.report={name}: {error}") from None


def sample_reports(dataset: Path, reports: Path) -> Iterator[str]:
    """The texts of the reports that the test split is about, each once, in the split's order.

    Raises:
        UserError: the file of reports lacks one of them.
    """
    seen: set[str] = set()
    for pair in read_records(dataset / "test.jsonl", Pair):
        if pair.report_id in seen:
            continue
        seen.add(pair.report_id)
        report = next((report for report in read_records(reports, Report) if report.report_id == pair.report_id), None)
        if report is None:
            raise UserError(f"chat.report={SAMPLE}: the file of reports lacks one that the test split is about; check inputs.reports")
        yield report.text


def first_sample(samples: Iterator[str] | None) -> str:
    """The first of them; raises UserError where there is none."""
    found = next(samples or iter(()), None)
    if found is None:
        raise UserError(f"chat.report={SAMPLE} takes a report of the test split, which holds none; give a file instead")
    return found
