"""Templates are filled once and safely, and faults in them are named as typed."""

from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from radgpt.config import AnswerPrompt, ChatPrompt, InstructionPrompt, Prompt
from radgpt.errors import UserError
from radgpt.instructions.prompts import answer_messages, chat_messages, digest, fill, instruction_messages
from radgpt.records import TASKS

INSTRUCTION = InstructionPrompt(
    version="v", system="Ask.", templates={"summarisation": "R: {report}\nE:\n{examples}"}, seeds={}, examples=2
)
CONF = Path(__file__).parents[2] / "conf" / "prompt" / "default.yaml"


def test_an_instruction_prompt_holds_report_and_examples() -> None:
    assert instruction_messages(INSTRUCTION, "summarisation", "No effusion.", ["Sum up.", "Shorten."]) == [
        {"role": "system", "content": "Ask."},
        {"role": "user", "content": "R: No effusion.\nE:\n- Sum up.\n- Shorten."},
    ]


def test_text_that_looks_like_a_template_stays_text() -> None:
    hostile = "{examples} {instruction} {report} {0.__class__} {{x}} %s \\1 $report"
    assert fill("<{report}> {other}", {"report": hostile}, "s") == f"<{hostile}> {{other}}"
    assert fill("{report}|{instruction}", {"report": hostile, "instruction": "I"}, "s") == f"{hostile}|I"


def test_a_chat_opens_with_report_and_instruction_and_an_empty_system_prompt_is_left_out() -> None:
    prompt = ChatPrompt(system="", first_turn="{report}\n\n{instruction}")
    assert chat_messages(prompt, " No effusion.\n", "Sum up.") == [{"role": "user", "content": "No effusion.\n\nSum up."}]


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ({"summarisation": "{report}"}, "prompt.instruction.templates.summarisation has no placeholder {examples}"),
        ({"summarisation": "{Report} {examples}"}, "prompt.instruction.templates.summarisation has no placeholder {report}"),
        ({}, "prompt.instruction.templates.summarisation is missing"),
    ],
)
def test_faults_of_a_template_are_named(templates: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match="^" + message.replace("{", r"\{").replace(".", r"\.")):
        instruction_messages(replace(INSTRUCTION, templates=templates), "summarisation", "r", [])


def test_faults_of_answer_and_chat_templates_are_named() -> None:
    with pytest.raises(UserError, match=r"^prompt\.answer\.templates\.paraphrasing has no placeholder \{instruction\}"):
        answer_messages(AnswerPrompt(version="v", system="s", templates={"paraphrasing": "{report}"}), "paraphrasing", "r", "i")
    with pytest.raises(UserError, match=r"^prompt\.chat\.first_turn has no placeholder \{report\}"):
        chat_messages(ChatPrompt(system="s", first_turn="{instruction}"), "r", "i")


def test_examples_may_be_left_out_of_a_template_that_takes_none() -> None:
    prompt = replace(INSTRUCTION, templates={"summarisation": "{report}"}, examples=0)
    assert instruction_messages(prompt, "summarisation", "r", [])[1]["content"] == "r"


def test_a_digest_depends_on_the_messages_alone() -> None:
    messages = [{"role": "user", "content": "No effusion."}]
    assert digest(messages) == digest([{"content": "No effusion.", "role": "user"}])
    assert digest(messages) != digest([{"role": "user", "content": "No effusion"}])
    assert len(digest([{"role": "user", "content": "\ud800"}])) == 64


def test_the_shipped_prompts_serve_every_task() -> None:
    prompt = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Prompt), OmegaConf.load(CONF)))
    assert isinstance(prompt, Prompt)
    for task in TASKS:
        assert 6 <= len(prompt.instruction.seeds[task]) <= 8
        assert "REPORT" in instruction_messages(prompt.instruction, task, "REPORT", ["x"])[1]["content"]
        assert "ASK" in answer_messages(prompt.answer, task, "REPORT", "ASK")[1]["content"]
    opening = chat_messages(prompt.chat, "REPORT", "ASK")
    assert sum(len(message["content"].split()) for message in opening) < 25
