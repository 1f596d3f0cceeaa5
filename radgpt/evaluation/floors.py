"""Answers that take no model: what a score must exceed before it says anything."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from radgpt.records import Pair, Report

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])")


def majority_answers(train: Iterable[Pair]) -> Callable[[str], str] | None:
    """Task to its most frequent answer in the train split (of all tasks where a task has none); None without any pair.

    Of equally frequent answers the one seen first is taken.
    """
    by_task: dict[str, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    for pair in train:
        by_task[pair.task][pair.reference] += 1
        overall[pair.reference] += 1
    if not overall:
        return None
    return lambda task: by_task.get(task, overall).most_common(1)[0][0]


def lead_sentence(report: Report) -> str:
    """The first sentence of the findings; of the impression, then of the whole text, where a report has none."""
    text = report.sections.get("findings") or report.sections.get("impression") or report.text
    return SENTENCE_END.split(" ".join(text.split()), maxsplit=1)[0]
