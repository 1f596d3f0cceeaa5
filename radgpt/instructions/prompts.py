"""Fill prompt templates: what the teacher is sent, and what the student model sees."""

import re
from collections.abc import Sequence

from radgpt.config import AnswerPrompt, ChatPrompt, InstructionPrompt
from radgpt.errors import UserError
from radgpt.instructions.rouge import words
from radgpt.records import FOLLOW_UP, SECTION_ANSWERS, SECTIONS, Report

Messages = list[dict[str, str]]
"""Chat messages `{"role": system|user|assistant, "content": …}`."""

TELLING_WORDS = 4
"""Fewer words, such as «Normal chest», may stand within a longer sentence without giving an answer away."""

_ITEM = re.compile(r"^\s*\d{1,2}[.)]\s", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.;:!?]")


def instruction_messages(prompt: InstructionPrompt, task: str, report: str, examples: Sequence[str], turns: int = 1) -> Messages:
    """What the teacher is sent to write one instruction for a task about a report, or the questions of a conversation.

    Raises:
        UserError: there is no template, or it lacks a placeholder.
    """
    placeholders = {"report": report}
    if prompt.examples:
        placeholders["examples"] = "\n".join(f"- {example}" for example in examples)
    if turns == 1:
        template, setting = template_of(prompt.templates, task, "prompt.instruction"), f"prompt.instruction.templates.{task}"
    else:
        template, setting = prompt.conversation, "prompt.instruction.conversation"
        placeholders["turns"] = str(turns)
    return _messages(prompt.system, fill(template, placeholders, setting))


def answer_messages(prompt: AnswerPrompt, task: str, report: str, instruction: str) -> Messages:
    """What the teacher is sent to answer an instruction; raises UserError as `instruction_messages` does."""
    placeholders = {"report": report, "instruction": instruction}
    return _messages(
        prompt.system, fill(template_of(prompt.templates, task, "prompt.answer"), placeholders, f"prompt.answer.templates.{task}")
    )


def next_turn(prompt: AnswerPrompt, messages: Messages, answer: str, instruction: str) -> Messages:
    """What the teacher is sent to answer a conversation's next turn: all that was said before, then the instruction.

    Raises:
        UserError: `prompt.answer.templates.follow_up` is missing, or lacks its placeholder.
    """
    setting = f"prompt.answer.templates.{FOLLOW_UP}"
    asked = fill(template_of(prompt.templates, FOLLOW_UP, "prompt.answer"), {"instruction": instruction}, setting)
    return [*messages, {"role": "assistant", "content": answer}, {"role": "user", "content": asked.strip()}]


def chat_messages(prompt: ChatPrompt, report: str, instruction: str) -> Messages:
    """What the student model sees of an instruction about a report, up to its own turn.

    Raises:
        UserError: `prompt.chat.first_turn` lacks a placeholder.
    """
    return _messages(
        prompt.system, fill(prompt.first_turn, {"report": report.strip(), "instruction": instruction}, "prompt.chat.first_turn")
    )


def bare_messages(prompt: ChatPrompt, instruction: str) -> Messages:
    """What the student model sees of an instruction that comes without a report."""
    return _messages(prompt.system, instruction)


def report_span(prompt: ChatPrompt, report: str, instruction: str) -> list[int]:
    """[start, end): where the report stands in the user's message of `chat_messages`, in characters."""
    before = prompt.first_turn.partition("{report}")[0].replace("{instruction}", instruction)
    start = len(before.lstrip()) if before.strip() else 0
    return [start, start + len(report.strip())]


def context(report: Report, task: str) -> str:
    """What the student sees of a report for a task: all of it, unless a section of it is the answer (SECTION_ANSWERS).

    Then it is the other ones of the seven sections, in the report's order and under its headers: addenda, wet reads, messages and
    texts whose section is unknown may tell the answer again.
    """
    hidden = SECTION_ANSWERS.get(task)
    if hidden is None:
        return report.text
    shown = [name for name in SECTIONS if name != hidden]
    if report.spans:
        parts = [
            f"{span.header or span.name.upper()}: {report.text[span.start : span.end]}"
            for span in report.spans
            if span.name in shown and span.start < span.end
        ]
    else:
        parts = [f"{name.upper()}: {report.sections[name]}" for name in shown if name in report.sections]
    return "\n".join(parts)


def fits(report: Report, task: str) -> bool:
    """Whether a report can be asked a task. One that a section answers needs that section and findings, told apart from each other, and
    must not tell the answer again in what the student sees."""
    answer = SECTION_ANSWERS.get(task)
    if answer is None:
        return True
    if not {answer, "findings"} <= report.sections.keys() or any(span.provenance == "merged" for span in report.spans):
        return False
    return not tells(context(report, task), report.sections[answer])


def tells(text: str, answer: str) -> bool:
    """Whether a text holds an answer word for word: anywhere in it, or, where the answer is short, as a sentence of its own."""
    told = words(_ITEM.sub("", answer))
    if len(told) < TELLING_WORDS:
        return any(words(sentence) == told for sentence in _SENTENCE_END.split(text))
    return f" {' '.join(told)} " in f" {' '.join(words(_ITEM.sub('', text)))} "


def fill(template: str, placeholders: dict[str, str], setting: str) -> str:
    """The template with each `{name}` of the placeholders replaced, in one pass.

    Braces in the values, and braces of the template around other words, stay as they are: a report that holds `{report}` or
    `{0.__class__}` is text like any other.

    Raises:
        UserError: the template lacks one of the placeholders; names the setting.
    """
    for name in placeholders:
        if f"{{{name}}}" not in template:
            raise UserError(f"{setting} has no placeholder {{{name}}}: add it where the {name} should stand")
    return re.sub(r"\{(" + "|".join(placeholders) + r")\}", lambda match: placeholders[match.group(1)], template)


def template_of(templates: dict[str, str], task: str, section: str) -> str:
    """The template for a task; raises UserError if there is none."""
    if task not in templates:
        raise UserError(f"{section}.templates.{task} is missing: write it, or switch the task off with instructions.task_weights.{task}=0")
    return templates[task]


def _messages(system: str, user: str) -> Messages:
    """An empty system prompt is left out: some chat templates refuse one."""
    return [{"role": "system", "content": system.strip()}, {"role": "user", "content": user.strip()}][0 if system.strip() else 1 :]
