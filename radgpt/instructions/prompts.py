"""Fill prompt templates: what the teacher is sent, and what the student model sees."""

import hashlib
import re
from collections.abc import Sequence

from radgpt.config import AnswerPrompt, ChatPrompt, InstructionPrompt
from radgpt.errors import UserError
from radgpt.records import canonical_json

Messages = list[dict[str, str]]
"""Chat messages `{"role": system|user|assistant, "content": …}`."""


def instruction_messages(prompt: InstructionPrompt, task: str, report: str, examples: Sequence[str]) -> Messages:
    """What the teacher is sent to write one instruction for a task about a report.

    Raises:
        UserError: the task has no template, or the template lacks a placeholder.
    """
    placeholders = {"report": report}
    if prompt.examples:
        placeholders["examples"] = "\n".join(f"- {example}" for example in examples)
    return _messages(
        prompt.system, fill(_template(prompt.templates, task, "prompt.instruction"), placeholders, f"prompt.instruction.templates.{task}")
    )


def answer_messages(prompt: AnswerPrompt, task: str, report: str, instruction: str) -> Messages:
    """What the teacher is sent to answer an instruction; raises UserError as `instruction_messages` does."""
    placeholders = {"report": report, "instruction": instruction}
    return _messages(
        prompt.system, fill(_template(prompt.templates, task, "prompt.answer"), placeholders, f"prompt.answer.templates.{task}")
    )


def chat_messages(prompt: ChatPrompt, report: str, instruction: str) -> Messages:
    """What the student model sees of an instruction about a report, up to its own turn.

    Raises:
        UserError: `prompt.chat.first_turn` lacks a placeholder.
    """
    return _messages(
        prompt.system, fill(prompt.first_turn, {"report": report.strip(), "instruction": instruction}, "prompt.chat.first_turn")
    )


def digest(messages: Messages) -> str:
    """SHA-256 of the messages in their canonical spelling, in hexadecimal."""
    return hashlib.sha256(canonical_json(messages).encode("utf-8", "surrogatepass")).hexdigest()


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


def _template(templates: dict[str, str], task: str, section: str) -> str:
    if task not in templates:
        raise UserError(f"{section}.templates.{task} is missing: write it, or switch the task off with instructions.task_weights.{task}=0")
    return templates[task]


def _messages(system: str, user: str) -> Messages:
    """An empty system prompt is left out: some chat templates refuse one."""
    return [{"role": "system", "content": system.strip()}, {"role": "user", "content": user.strip()}][0 if system.strip() else 1 :]
