"""Commands about what has been said: /retry, /edit, /undo, /reset, /why, /stats, /save."""

import statistics

from radgpt.errors import UserError
from radgpt.inference.backend import INTERRUPTED
from radgpt.inference.chat.grounding import grounding
from radgpt.inference.chat.terminal import sections
from radgpt.inference.chat.terminal.conversation import Conversation
from radgpt.inference.chat.terminal.files import save_new
from radgpt.inference.chat.terminal.screen import BOLD, DIM, GREEN, RED
from radgpt.wording import counted, share

STYLES = {"answer": BOLD, "support": GREEN, "problem": RED, "nothing": DIM}
"""Of the lines that `sections.explained` gives."""


def retry(talk: Conversation, _: str) -> None:
    """Answer the last message again: the one that came to no answer, or else the last turn's."""
    if talk.failed is not None:
        talk.ask(talk.failed)
    else:
        talk.show(talk.session.retry)


def edit(talk: Conversation, message: str) -> None:
    """Replace the last message and answer it, or put it back into the line."""
    if message:
        talk.show(lambda stop, notice: talk.session.edit(message, stop, notice))
    elif not talk.interactive:
        raise UserError("/edit needs the new text of your last message")
    elif not talk.session.turns:
        raise UserError("nothing has been said yet in this conversation")
    else:
        talk.line = f"/edit {talk.session.turns[-1].user}"


def undo(talk: Conversation, _: str) -> None:
    """Take the last turn back."""
    talk.session.undo()
    talk.screen.remark(f"taken back; {counted(len(talk.session.turns), 'turn')} left")


def reset(talk: Conversation, _: str) -> None:
    """Start a new conversation about the same report."""
    talk.session.reset()
    talk.failed = None
    talk.screen.remark("a new conversation")


def why(talk: Conversation, _: str) -> None:
    """What in the report speaks for the last answer, and what in the answer does not stand there."""
    report = talk.session.report
    if report is None or not talk.session.turns:
        raise UserError("there is no answer about a report yet")
    last = talk.session.turns[-1]
    for grounded in grounding(report, last.user, last.assistant):
        for kind, line in sections.explained(grounded, report, last.assistant):
            talk.screen.say(line, STYLES[kind])
    talk.screen.remark("found by rules for reports of chest radiographs, which miss things and err")


def save(talk: Conversation, name: str) -> None:
    """Write the conversation to a file, or say where the transcript is."""
    if name:
        talk.screen.remark(f"saved to {save_new(name, talk.session.turns, talk.transcript)}")
    else:
        talk.screen.remark(f"the transcript is kept in {talk.transcript}")


def stats(talk: Conversation, _: str) -> None:
    """Figures of all answers so far."""
    prompt, cached = sum(turn.prompt_tokens for turn in talk.told), sum(turn.cached_tokens for turn in talk.told)
    first = [turn.seconds_to_first_token for turn in talk.told if turn.seconds_to_first_token is not None]
    rates = [turn.tokens_per_second for turn in talk.told if turn.tokens_per_second is not None]
    window = talk.session.backend.window
    for line in (
        f"answers        {len(talk.told)}, of which {sum(turn.finish_reason == INTERRUPTED for turn in talk.told)} stopped",
        f"new tokens     {sum(turn.new_tokens for turn in talk.told):,}",
        f"prompt tokens  {prompt:,}, of which {cached:,} reused ({share(cached, prompt)})",
        f"first token    {f'after {statistics.median(first):.2f} s (median)' if first else '–'}",
        f"speed          {f'{statistics.median(rates):.1f} tokens/s (median)' if rates else '–'}",
        f"conversation   {talk.session.used:,} tokens{f' of {window:,}' if window else ''}",
    ):
        talk.screen.say(line)
