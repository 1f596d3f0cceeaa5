"""Which tasks the rules teacher knows."""

from radgpt.records import SECTION_ANSWERS, TASKS


def beyond_rules(task: str) -> str:
    """The line about a task that no rules were written for."""
    known = ", ".join((*TASKS, *SECTION_ANSWERS))
    return f"teacher=rules has no rules for {task}, only for {known}: set instructions.task_weights.{task}=0, or choose teacher=local"
