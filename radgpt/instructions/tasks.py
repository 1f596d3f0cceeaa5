"""Draw what is asked about a report: its tasks, and the examples shown with each."""

from collections.abc import Mapping, Sequence

from radgpt.config import InstructionPrompt, Instructions, Prompt
from radgpt.draws import generator
from radgpt.errors import UserError
from radgpt.records import FOLLOW_UP, FURTHER_TASKS, SECTION_ANSWERS, TASKS
from radgpt.teacher.rules.scope import beyond_rules

ANY_TASK = "self_instruct"
"""The task that asks for whatever the teacher thinks of; its examples are those of all tasks."""

PROMPT_OPTIONS = {
    "impression": ("findings_to_impression",),
    "self_instruct": (ANY_TASK,),
    "asclepius": ("named_entity_recognition", "relation_extraction", "temporal_information_extraction", "coreference_resolution"),
}
"""Option of conf/prompt to the tasks that it has beside those of the default one."""

POOL_SIZE = 4096
"""Accepted instructions that the pool keeps for each task, the newest ones."""


def refuse_unfit(instructions: Instructions, prompt: Prompt, by_rules: bool) -> None:
    """Raise UserError for a task of the mix, or for turns, that the prompts have nothing for, and for tasks that the rules teacher does
    not know."""
    weights = instructions.task_weights
    if instructions.turns > 1:
        needed = {
            "prompt.instruction.conversation": prompt.instruction.conversation,
            f"prompt.answer.templates.{FOLLOW_UP}": prompt.answer.templates.get(FOLLOW_UP),
        }
        for setting, template in needed.items():
            if not template:
                raise UserError(f"instructions.turns={instructions.turns} needs {setting}: write it, or set instructions.turns=1")
    for task in in_order({task: weight for task, weight in weights.items() if weight > 0}):
        if task in SECTION_ANSWERS:
            missing = [] if prompt.instruction.seeds.get(task) else [f"prompt.instruction.seeds.{task}"]
        else:
            places = {"instruction": prompt.instruction.templates, "answer": prompt.answer.templates}
            missing = [f"prompt.{place}.templates.{task}" for place, templates in places.items() if task not in templates]
        if missing:
            option = next((name for name, tasks in PROMPT_OPTIONS.items() if task in tasks), None)
            mend = f"choose prompt={option}" if option else "write it"
            raise UserError(f"instructions.task_weights.{task}={weights[task]:g} needs {missing[0]}: {mend}, or set the weight to 0")
        if by_rules and task not in (*TASKS, *SECTION_ANSWERS):
            raise UserError(beyond_rules(task))


def draw_tasks(weights: Mapping[str, float], count: int, report_id: str, seed: int) -> list[str]:
    """The tasks of a report's `count` instructions, in order: the same for the same weights, seed and report.

    Systematic sampling (Madow, Ann Math Stat 1949;20:333) over tasks in shuffled order: each task is expected
    `count` x its share of the weights times, and comes twice only if that exceeds one. Empty if no task has a weight above 0.
    """
    draw = generator(seed, "tasks", report_id)
    tasks = [task for task in in_order(weights) if weights[task] > 0]
    if not tasks:
        return []
    draw.shuffle(tasks)
    step = sum(weights[task] for task in tasks) / count
    point = draw.random() * step
    drawn: list[str] = []
    passed = 0.0
    for task in tasks:
        passed += weights[task]
        while point < passed and len(drawn) < count:
            drawn.append(task)
            point += step
    # Rounding may leave the last point just above the sum of the weights.
    drawn += tasks[-1:] * (count - len(drawn))
    draw.shuffle(drawn)
    return drawn


def in_order(tasks: Mapping[str, float]) -> list[str]:
    """The tasks in an order that does not depend on how they were written down: the known ones, then the user's own by name."""
    known = [*TASKS, *FURTHER_TASKS]
    return [*(task for task in known if task in tasks), *sorted(set(tasks) - set(known))]


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
        """What may be drawn for a task now; for ANY_TASK, what may be drawn for all of them."""
        # Wordings that ask for a hidden section would mislead a teacher who sees all of the report.
        sources = [task] if task != ANY_TASK else [name for name in {**self._seeds, **self._accepted} if name not in SECTION_ANSWERS]
        return list(dict.fromkeys([*self._all(self._seeds, sources), *self._all(self._accepted, sources)]))

    def _all(self, questions: "Mapping[str, Sequence[str] | dict[str, None]]", tasks: Sequence[str]) -> list[str]:
        return [question for task in tasks for question in questions.get(task, ())]


def draw_examples(questions: Sequence[str], prompt: InstructionPrompt, task: str, generation_id: str, seed: int) -> list[str]:
    """The in-context examples of one prompt, `prompt.instruction.examples` or as many as there are.

    Raises:
        UserError: examples are wanted and there is no question to draw from.
    """
    if prompt.examples and not questions:
        raise UserError(f"prompt.instruction.seeds.{task} is empty: write some questions, or set prompt.instruction.examples=0")
    return generator(seed, "examples", generation_id).sample(questions, min(prompt.examples, len(questions)))


def draw_wording(prompt: InstructionPrompt, task: str, report_id: str, number: int, seed: int) -> str:
    """The instruction of a task of SECTION_ANSWERS: one of its seeds, for a report's n-th instruction another one while there are any.

    Raises:
        UserError: there are no seeds.
    """
    wordings = prompt.seeds.get(task, [])
    if not wordings:
        raise UserError(f"prompt.instruction.seeds.{task} is empty: write the wordings of its instruction, or choose prompt=impression")
    order = generator(seed, "wordings", report_id).sample(wordings, len(wordings))
    return order[number % len(order)]
