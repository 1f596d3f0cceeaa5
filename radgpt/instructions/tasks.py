"""Draw what is asked about a report: its tasks, and the examples shown with each."""

from collections.abc import Mapping, Sequence

from radgpt.config import InstructionPrompt, Instructions
from radgpt.errors import UserError
from radgpt.instructions.draws import generator
from radgpt.records import TASKS

POOL_SIZE = 4096
"""Accepted instructions that the pool keeps for each task, the newest ones."""


def draw_tasks(instructions: Instructions, report_id: str, seed: int) -> list[str]:
    """The tasks of a report's instructions, in order: the same for the same seed and report.

    Systematic sampling (Madow, Ann Math Stat 1949;20:333) over tasks in shuffled order: each task is expected
    `per_report` x its share of the weights times, and comes twice only if that exceeds one.
    """
    draw = generator(seed, "tasks", report_id)
    tasks = [task for task in TASKS if instructions.task_weights.get(task, 0) > 0]
    draw.shuffle(tasks)
    step = sum(instructions.task_weights[task] for task in tasks) / instructions.per_report
    point = draw.random() * step
    drawn: list[str] = []
    passed = 0.0
    for task in tasks:
        passed += instructions.task_weights[task]
        while point < passed and len(drawn) < instructions.per_report:
            drawn.append(task)
            point += step
    # Rounding may leave the last point just above the sum of the weights.
    drawn += tasks[-1:] * (instructions.per_report - len(drawn))
    draw.shuffle(drawn)
    return drawn


class Pool:
    """Questions that in-context examples are drawn from: the seeds of a task, then accepted instructions as well."""

    def __init__(self, seeds: Mapping[str, Sequence[str]]) -> None:
        self._seeds = seeds
        self._accepted: dict[str, dict[str, None]] = {}

    def add(self, task: str, instruction: str) -> None:
        """Take in an accepted instruction, once; beyond POOL_SIZE the oldest one leaves."""
        accepted = self._accepted.setdefault(task, {})
        accepted[instruction] = None
        if len(accepted) > POOL_SIZE:
            del accepted[next(iter(accepted))]

    def questions(self, task: str) -> list[str]:
        """What may be drawn for a task now."""
        return list(dict.fromkeys([*self._seeds.get(task, ()), *self._accepted.get(task, ())]))


def draw_examples(questions: Sequence[str], prompt: InstructionPrompt, task: str, generation_id: str, seed: int) -> list[str]:
    """The in-context examples of one prompt, `prompt.instruction.examples` or as many as there are.

    Raises:
        UserError: examples are wanted and there is no question to draw from.
    """
    if prompt.examples and not questions:
        raise UserError(f"prompt.instruction.seeds.{task} is empty: write some questions, or set prompt.instruction.examples=0")
    return generator(seed, "examples", generation_id).sample(list(questions), min(prompt.examples, len(questions)))
