"""What is asked about a report is drawn by seed and id, in the shares that were set."""

from collections import Counter

import pytest

from radgpt.config import InstructionPrompt, Instructions
from radgpt.errors import UserError
from radgpt.instructions import tasks
from radgpt.instructions.tasks import Pool, draw_examples, draw_tasks
from radgpt.records import TASKS

PROMPT = InstructionPrompt(version="v", system="s", examples=2)


def test_tasks_are_the_same_for_the_same_seed_and_report() -> None:
    settings = Instructions()
    assert draw_tasks(settings, "r1", 0) == draw_tasks(settings, "r1", 0)
    assert len({tuple(draw_tasks(settings, f"r{number}", 0)) for number in range(50)}) > 6
    assert [draw_tasks(settings, f"r{n}", 0) for n in range(20)] != [draw_tasks(settings, f"r{n}", 1) for n in range(20)]


def test_a_report_gets_no_task_twice_while_others_are_left() -> None:
    for number in range(200):
        assert len(set(draw_tasks(Instructions(per_report=2), f"r{number}", 0))) == 2
        assert sorted(draw_tasks(Instructions(per_report=4), f"r{number}", 0)) == sorted(TASKS)


def test_weights_give_the_shares() -> None:
    settings = Instructions(task_weights={"question_answering": 3, "summarisation": 1, "paraphrasing": 0}, per_report=1)
    counts = Counter(task for number in range(2000) for task in draw_tasks(settings, f"r{number}", 0))
    assert set(counts) == {"question_answering", "summarisation"}
    assert counts["question_answering"] == pytest.approx(1500, abs=80)


def test_more_instructions_than_tasks_are_all_drawn() -> None:
    settings = Instructions(task_weights={"summarisation": 0.1, "paraphrasing": 0.2}, per_report=6)
    assert Counter(draw_tasks(settings, "r", 0)) == {"paraphrasing": 4, "summarisation": 2}


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
