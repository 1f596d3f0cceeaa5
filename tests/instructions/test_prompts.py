"""Templates are filled once and safely, and faults in them are named as typed."""

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import composed

from radgpt.config import AnswerPrompt, ChatPrompt, InstructionPrompt
from radgpt.errors import UserError
from radgpt.instructions.prompts import answer_messages, chat_messages, context, fill, fits, instruction_messages, next_turn, report_span
from radgpt.instructions.tasks import PROMPT_OPTIONS
from radgpt.records import FOLLOW_UP, FURTHER_TASKS, SECTION_ANSWERS, TASKS, Report, Section

CONF = Path(__file__).parents[2] / "conf"
INSTRUCTION = InstructionPrompt(
    version="v", system="Ask.", templates={"summarisation": "R: {report}\nE:\n{examples}"}, seeds={}, examples=2
)
SETS = sorted(file.stem for file in (CONF / "prompt").glob("*.yaml"))


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


def test_a_conversation_prompt_says_how_many_turns() -> None:
    prompt = replace(INSTRUCTION, conversation="R: {report} E: {examples} N: {turns}")
    assert instruction_messages(prompt, "own", "r", ["Sum up."], turns=3)[1]["content"] == "R: r E: - Sum up. N: 3"
    with pytest.raises(UserError, match=r"^prompt\.instruction\.conversation has no placeholder \{turns\}"):
        instruction_messages(replace(prompt, conversation="{report} {examples}"), "own", "r", [], turns=3)


def test_a_later_turn_is_asked_after_all_that_was_said() -> None:
    prompt = AnswerPrompt(version="v", system="s", templates={"own": "{report} Q: {instruction}", FOLLOW_UP: "Q: {instruction}"})
    first = answer_messages(prompt, "own", "r", "Is it new?")
    assert next_turn(prompt, first, "No.", "Since when?") == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "r Q: Is it new?"},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "Q: Since when?"},
    ]


@pytest.mark.parametrize("option", SETS)
def test_the_shipped_prompts_serve_every_task_and_open_alike(option: str) -> None:
    prompt = composed(f"prompt={option}").prompt
    assert prompt.instruction.version == "instruction-2" + (f"+{option}-1" if option != "default" else "")
    tasks = [*TASKS, *PROMPT_OPTIONS.get(option, ())]
    prefix = "Report:\nREPORT\nEnd of report.\n\n"
    for task in tasks:
        assert 6 <= len(prompt.instruction.seeds[task]) <= 8
        if task not in SECTION_ANSWERS:
            asked = instruction_messages(prompt.instruction, task, "REPORT", ["x"])[1]["content"]
            assert asked.startswith(prefix) and "other reports" in asked
            answered = answer_messages(prompt.answer, task, "REPORT", "ASK")[1]["content"]
            assert answered.startswith(prefix) and "ASK" in answered
    assert instruction_messages(prompt.instruction, "any", "REPORT", ["x"], 3)[1]["content"].startswith(prefix)
    assert set(prompt.answer.templates) == {*tasks, FOLLOW_UP} - SECTION_ANSWERS.keys()
    opening = chat_messages(prompt.chat, "REPORT", "ASK")
    assert sum(len(message["content"].split()) for message in opening) < 25


def test_every_further_task_has_a_prompt_option() -> None:
    assert {task for known in PROMPT_OPTIONS.values() for task in known} == set(FURTHER_TASKS)


TASK = "findings_to_impression"
PARTS = [
    ("wet_read", "WET READ", "Small left effusion."),
    ("indication", "INDICATION", "Cough."),
    ("findings", "FINDINGS", "Blunting of the left\ncostophrenic angle."),
    ("impression", "IMPRESSION", "Small left effusion."),
    ("recommendations", "RECOMMENDATION", "Small left effusion: follow up."),
    ("addendum", "ADDENDUM", "Small left effusion confirmed."),
    ("last_paragraph", "", "As said: small left effusion."),
]


def report(parts: list[tuple[str, str, str]], provenance: str = "header") -> Report:
    text, spans = "", []
    for name, header, body in parts:
        text += f"{header}: "
        spans.append(Section(name, header, provenance, len(text), len(text) + len(body)))
        text += f"{body}\n"
    return Report("r", "p", text, {name: body for name, _, body in parts}, spans=spans)


def test_what_repeats_the_impression_is_not_shown_with_the_task_to_write_it() -> None:
    whole = report(PARTS)
    assert context(whole, "summarisation") == whole.text
    assert context(whole, TASK) == "INDICATION: Cough.\nFINDINGS: Blunting of the left\ncostophrenic angle."
    assert context(replace(whole, spans=[]), TASK) == context(whole, TASK)


@pytest.mark.parametrize(
    ("findings", "impression", "expected"),
    [
        ("Blunting on the left.", "Small left effusion.", True),
        ("No edema. Small left effusion. Clear.", "Small left effusion.", False),
        ("There is a small left effusion with edema.", "Small left effusion.", True),
        ("The lungs show a small left\npleural effusion as before.", "Small left pleural effusion.", False),
        ("Normal heart.", "1. Normal heart!", False),
        ("Normal heart. Clear lungs.", "1. Normal heart.\n2. Clear lungs.", False),
        ("Clear.", "", False),
        ("", "Normal.", False),
    ],
)
def test_a_report_whose_findings_tell_its_impression_is_not_asked_for_it(findings: str, impression: str, expected: bool) -> None:
    sections = {name: text for name, text in (("findings", findings), ("impression", impression)) if text}
    assert fits(Report("r", "p", "", sections), TASK) is expected
    assert fits(Report("r", "p", "", sections), "summarisation")


def test_findings_and_impression_under_one_header_are_not_told_apart() -> None:
    parts = [("findings", "FINDINGS", "Blunting."), ("impression", "IMPRESSION", "Small left effusion.")]
    assert fits(report(parts), TASK)
    assert not fits(report(parts, "merged"), TASK)


@pytest.mark.parametrize(
    "first_turn",
    [
        "{report}\n\n{instruction}",
        "  Report:\n{report}\nEnd.\n{instruction}",
        "{instruction}\n{report}",
        "\n {report}{instruction}",
        "{instruction} {report}",
    ],
)
def test_the_reports_place_in_the_first_question(first_turn: str) -> None:
    prompt = ChatPrompt(system="s", first_turn=first_turn)
    for instruction in ("Sum up.", "", " {report} Sum up."):
        start, end = report_span(prompt, " No effusion.\n", instruction)
        assert chat_messages(prompt, " No effusion.\n", instruction)[-1]["content"][start:end] == "No effusion."
