"""What is asked about a report is drawn by seed and id, in the shares that were set."""

from collections import Counter
from dataclasses import replace

import pytest

from radgpt.config import AnswerPrompt, InstructionPrompt, Instructions, Prompt
from radgpt.errors import UserError
from radgpt.instructions import tasks
from radgpt.instructions.tasks import ANY_TASK, Pool, draw_examples, draw_tasks, draw_wording, refuse_unfit
from radgpt.records import TASKS

EQUAL = dict.fromkeys(TASKS, 1.0)
PROMPT = InstructionPrompt(version="v", system="s", examples=2)


def test_tasks_are_the_same_for_the_same_seed_and_report() -> None:
    assert draw_tasks(EQUAL, 2, "r1", 0) == draw_tasks(EQUAL, 2, "r1", 0)
    assert len({tuple(draw_tasks(EQUAL, 2, f"r{number}", 0)) for number in range(50)}) > 6
    assert [draw_tasks(EQUAL, 2, f"r{n}", 0) for n in range(20)] != [draw_tasks(EQUAL, 2, f"r{n}", 1) for n in range(20)]


def test_these_very_tasks_are_drawn_whatever_else_is_known_and_in_whichever_order_weights_stand() -> None:
    drawn = [draw_tasks(EQUAL, 2, f"r{number}", 0) for number in range(4)]
    assert drawn == [
        ["question_answering", "paraphrasing"],
        ["paraphrasing", "question_answering"],
        ["question_answering", "summarisation"],
        ["abbreviation_expansion", "paraphrasing"],
    ]
    mixed = {"own": 0.0, "self_instruct": 0.0, **dict(reversed(EQUAL.items()))}
    assert [draw_tasks(mixed, 2, f"r{number}", 0) for number in range(4)] == drawn


def test_a_report_gets_no_task_twice_while_others_are_left() -> None:
    for number in range(200):
        assert len(set(draw_tasks(EQUAL, 2, f"r{number}", 0))) == 2
        assert sorted(draw_tasks(EQUAL, 4, f"r{number}", 0)) == sorted(TASKS)


def test_weights_give_the_shares() -> None:
    weights = {"question_answering": 3, "own": 1, "paraphrasing": 0}
    counts = Counter(task for number in range(2000) for task in draw_tasks(weights, 1, f"r{number}", 0))
    assert set(counts) == {"question_answering", "own"}
    assert counts["question_answering"] == pytest.approx(1500, abs=80)


def test_more_instructions_than_tasks_are_all_drawn_and_none_where_no_task_is_left() -> None:
    assert Counter(draw_tasks({"summarisation": 0.1, "paraphrasing": 0.2}, 6, "r", 0)) == {"paraphrasing": 4, "summarisation": 2}
    assert draw_tasks({"summarisation": 0.0}, 2, "r", 0) == draw_tasks({}, 2, "r", 0) == []


def test_examples_come_from_seeds_and_accepted_questions_each_once() -> None:
    pool = Pool({"summarisation": ["Sum up.", "Shorten."]})
    for text in ("Condense.", "Sum up.", "Condense."):
        pool.add("summarisation", text)
    assert pool.questions("summarisation") == ["Sum up.", "Shorten.", "Condense."]
    assert pool.questions("paraphrasing") == []
    drawn = draw_examples(pool.questions("summarisation"), PROMPT, "summarisation", "r1/0", 0)
    assert drawn == draw_examples(pool.questions("summarisation"), PROMPT, "summarisation", "r1/0", 0)
    assert len(set(drawn)) == 2
    assert draw_examples(["only"], PROMPT, "summarisation", "r1/0", 0) == ["only"]


def test_the_pool_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "POOL_SIZE", 2)
    pool = Pool({})
    for text in "abc":
        pool.add("summarisation", text)
    assert pool.questions("summarisation") == ["b", "c"]


def test_no_question_to_draw_from_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match=r"^prompt\.instruction\.seeds\.summarisation is empty"):
        draw_examples([], PROMPT, "summarisation", "r1/0", 0)


def test_self_instruct_is_shown_what_other_tasks_ask_but_no_wording_for_a_hidden_section() -> None:
    pool = Pool({"summarisation": ["Sum up."], ANY_TASK: ["Make a table."], "findings_to_impression": ["Conclude."]})
    pool.add("paraphrasing", "Reword it.")
    assert pool.questions(ANY_TASK) == ["Sum up.", "Make a table.", "Reword it."]
    assert pool.questions("findings_to_impression") == ["Conclude."]


def test_wordings_of_one_report_differ_while_there_are_any() -> None:
    prompt = replace(PROMPT, seeds={"findings_to_impression": ["Conclude.", "Sum up.", "Derive it."]})
    drawn = [draw_wording(prompt, "findings_to_impression", "r1", number, 0) for number in range(6)]
    assert set(drawn[:3]) == set(drawn[3:]) == {"Conclude.", "Sum up.", "Derive it."}
    assert drawn[:3] == drawn[3:]
    assert {draw_wording(prompt, "findings_to_impression", f"r{number}", 0, 0) for number in range(30)} == set(drawn)
    with pytest.raises(UserError, match=r"^prompt\.instruction\.seeds\.findings_to_impression is empty"):
        draw_wording(PROMPT, "findings_to_impression", "r1", 0, 0)


def mix(by_rules: bool = False, turns: int = 1, conversation: str = "", **weights: float) -> str | None:
    """What the user is told of a mix, with prompts for `summarisation`, `own` and `self_instruct`."""
    templates = dict.fromkeys(("summarisation", "own", "self_instruct"), "…")
    prompt = Prompt(replace(PROMPT, templates=templates, conversation=conversation), AnswerPrompt("v", "s", templates))
    try:
        refuse_unfit(Instructions(task_weights=weights, turns=turns), prompt, by_rules)
    except UserError as error:
        return str(error)
    return None


def test_a_mix_that_prompts_or_teacher_cannot_serve_is_refused() -> None:
    assert mix(own=1, summarisation=1, self_instruct=0.5, relation_extraction=0) is None
    assert mix(typo=2) == ("instructions.task_weights.typo=2 needs prompt.instruction.templates.typo: write it, or set the weight to 0")
    assert mix(relation_extraction=1) == (
        "instructions.task_weights.relation_extraction=1 needs prompt.instruction.templates.relation_extraction: choose prompt=asclepius, "
        "or set the weight to 0"
    )
    assert mix(findings_to_impression=1) == (
        "instructions.task_weights.findings_to_impression=1 needs prompt.instruction.seeds.findings_to_impression: choose "
        "prompt=impression, or set the weight to 0"
    )
    assert mix(by_rules=True, summarisation=1) is None
    line = mix(by_rules=True, self_instruct=1)
    assert line is not None and line.startswith("teacher=rules has no rules for self_instruct, only for question_answering, ")
    assert mix(turns=2, own=1) == "instructions.turns=2 needs prompt.instruction.conversation: write it, or set instructions.turns=1"
    assert mix(turns=2, own=1, conversation="…") == (
        "instructions.turns=2 needs prompt.answer.templates.follow_up: write it, or set instructions.turns=1"
    )
