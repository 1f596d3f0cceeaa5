"""Talk with the trained model in the terminal, with or without a report."""

from pathlib import Path

from radgpt.config import Chat, ChatPrompt, Decoding, Model
from radgpt.errors import UserError
from radgpt.inference.generation import Answerer
from radgpt.inference.session import INTERRUPTED, ChatSession
from radgpt.inference.terminal import BANNER, answer, converse, lines_of_terminal, printable, read_report
from radgpt.records import Pair, Report, read_records
from radgpt.run import Run

WRITES = {"transcript": "transcript.jsonl"}

CACHED = False
"""A finished chat never stands for a new one."""

SAMPLE = "sample"


def run(
    run: Run,
    checkpoint: Path,
    dataset: Path,
    reports: Path,
    model: Model,
    prompt: ChatPrompt,
    decoding: Decoding,
    chat: Chat,
    seed: int,
) -> None:
    """Answer `chat.message` once, or converse until the user leaves; the transcript is written after every turn."""
    report = None if chat.report is None else sample_report(dataset, reports) if chat.report == SAMPLE else configured_report(chat.report)

    from radgpt.models import load_trained

    network, tokenizer = load_trained(checkpoint, model, run.cache)
    session = ChatSession(Answerer(network, tokenizer, decoding, seed), prompt)

    def keep() -> Path:
        with run.write("transcript") as write:
            for turn in session.transcript:
                write(turn)
        return run.path("transcript")

    keep()
    run.say(BANNER)
    if report is not None:
        session.open_report(report)
        if chat.report == SAMPLE:
            run.say(f"\nReport:\n{printable(report).strip()}")
    if chat.message is None:
        run.say("Type a message, or /help.")
        converse(session, lines_of_terminal(), keep)
    else:
        run.say(f"\nQuestion: {printable(chat.message)}\nAnswer:")
        turn = answer(session, chat.message)
        keep()
        if turn.finish_reason == INTERRUPTED:
            raise KeyboardInterrupt
    run.summarise(
        turns=len(session.transcript),
        conversations=len({turn.conversation for turn in session.transcript}),
        new_tokens=sum(turn.new_tokens for turn in session.transcript),
    )


def configured_report(name: str) -> str:
    """The report of `chat.report`; raises UserError naming the setting."""
    try:
        return read_report(name)
    except UserError as error:
        raise UserError(f"chat.report={name}: {error}") from None


def sample_report(dataset: Path, reports: Path) -> str:
    """The text of the report that the first pair of the test split is about; raises UserError where there is none."""
    pair = next(read_records(dataset / "test.jsonl", Pair), None)
    if pair is None:
        raise UserError("chat.report=sample takes a report of the test split, which holds none; give a file instead")
    report = next((report for report in read_records(reports, Report) if report.report_id == pair.report_id), None)
    if report is None:
        raise UserError("chat.report=sample: the file of reports lacks the one that the test split begins with; check inputs.reports")
    return report.text
