"""The command about what is talked about: /report."""

from radgpt.config import SAMPLE
from radgpt.errors import UserError
from radgpt.inference.chat.terminal import sections
from radgpt.inference.chat.terminal.conversation import Conversation
from radgpt.inference.chat.terminal.files import read_report, refuse_stricter


def report(talk: Conversation, name: str) -> None:
    """Talk about a report, about none (`off`), or show the one that is open."""
    if not name:
        if talk.session.report is None:
            raise UserError("no report is open; /report FILE opens one")
        talk.screen.say(sections.by_section(talk.session.report))
        return
    if name == "off":
        talk.session.open_report(None)
        talk.screen.remark("a new conversation about no report")
    else:
        text = sample(talk) if name == SAMPLE else read(talk, name)
        talk.session.open_report(text)
        if name == SAMPLE:
            talk.screen.say(text)
        talk.screen.remark(f"a new conversation about this report: {sections.outline(text)}")
    talk.failed = None


def read(talk: Conversation, name: str) -> str:
    """The report in a file."""
    refuse_stricter(name, talk.governance, "chat.report")
    return read_report(name)


def sample(talk: Conversation) -> str:
    """The next report of the test split."""
    if talk.samples is None:
        raise UserError(f"start the chat with chat.report={SAMPLE} to have the test split at hand")
    found = next(talk.samples, None)
    if found is None:
        raise UserError("the test split has no further report")
    return found.strip()
