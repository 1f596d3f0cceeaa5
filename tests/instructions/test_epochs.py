"""An epoch is asked while the one before it is still being answered, and its prompts never depend on which replies are there."""

from collections.abc import Iterator
from pathlib import Path

from radgpt.config import InstructionPrompt, Instructions, Narrative
from radgpt.instructions.epochs import Epochs, has_narrative
from radgpt.instructions.generations import Dialogue, generation_of
from radgpt.records import Generation, Report
from radgpt.teacher.ask import Reply, Request

TASK = "question_answering"
PROMPT = InstructionPrompt(version="v1", templates={TASK: "{report}\n{examples}"}, system="", seeds={TASK: ["Seed?"]}, examples=9)
INSTRUCTIONS = Instructions(task_weights={TASK: 1.0}, per_report=1, pool_epoch=2)


def reports(count: int) -> Iterator[Report]:
    return (Report(f"r{number}", f"p{number}", "FINDINGS: Clear.", {"findings": "Clear."}) for number in range(count))


def epochs(folder: Path, count: int) -> Epochs:
    return Epochs(reports(count), INSTRUCTIONS, PROMPT, {}, 0, folder)


def begin(dialogue: Dialogue) -> Request:
    return next(dialogue)


def answered(request: Request) -> list[Generation]:
    return [generation_of(request, Reply("ok", f"Is {request.report.report_id} clear?", "m"))]


def examples(request: Request) -> list[str]:
    return sorted(line[2:] for line in request.messages[-1]["content"].split("\n") if line.startswith("- "))


def test_the_next_epoch_is_asked_before_the_last_reply_of_this_one(tmp_path: Path) -> None:
    course = epochs(tmp_path / "pool", 7)
    first = [begin(dialogue) for dialogue in course.dialogues()]
    assert [request.report.report_id for request in first] == ["r0", "r1", "r2", "r3"]
    course.take(answered(first[0]))
    assert not list(course.dialogues())
    course.take(answered(first[1]))
    third = [begin(dialogue) for dialogue in course.dialogues()]
    assert [request.report.report_id for request in third] == ["r4", "r5"]
    assert [examples(request) for request in third] == [["Is r0 clear?", "Is r1 clear?", "Seed?"]] * 2


def test_prompts_do_not_depend_on_how_fast_replies_come(tmp_path: Path) -> None:
    slow, fast = epochs(tmp_path / "slow", 8), epochs(tmp_path / "fast", 8)
    asked: dict[str, list[list[str]]] = {"slow": [], "fast": []}
    for dialogue in fast.dialogues():  # each reply is there before the next request
        request = begin(dialogue)
        asked["fast"].append(examples(request))
        fast.take(answered(request))
    while not slow.over:
        for request in [begin(dialogue) for dialogue in slow.dialogues()]:
            asked["slow"].append(examples(request))
            slow.take(answered(request))
    assert asked["slow"] == asked["fast"] and len(asked["fast"]) == 8
    assert len(list((tmp_path / "slow").iterdir())) == 4


def test_reports_without_a_narrative_are_skipped_and_counted(tmp_path: Path) -> None:
    silent = Report("r0", "p0", "INDICATION: Cough.", {"indication": "Cough."})
    course = Epochs(iter([silent, silent, *reports(1)]), INSTRUCTIONS, PROMPT, {}, 0, tmp_path / "pool")
    assert [begin(dialogue).report.report_id for dialogue in course.dialogues()] == ["r0"]
    assert course.skipped_no_narrative == 2
    assert not has_narrative(next(reports(1)), Narrative.both)
