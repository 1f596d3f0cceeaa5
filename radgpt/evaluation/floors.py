"""Answers that take no model: what a score must exceed before it says anything."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from radgpt.records import SECTION_ANSWERS, Pair
from radgpt.reports.sections import parse

FLOORS = {
    "majority": "the most frequent answer to the task in training",
    "lead": "the first sentence of the findings",
    "copy": "what the model was shown of the report (the findings, where their impression is asked for)",
    "nearest": "the answer to the most similar prompt of the task in training (TF-IDF)",
}
"""Floor to what it answers."""

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])")
LIST_NUMBER = re.compile(r"\d+[.)]\s+")
NUMBERS_AT_ONCE = 4_000_000
"""Similarities in one block, to bound memory (8 bytes each)."""


def floor_answers(tasks: Sequence[str], train: Sequence[Pair], asked: Sequence[Pair] | None) -> dict[str, list[str]]:
    """Floor to its answer to each row, as far as its ingredients are there: `majority` and `nearest` take training pairs; `lead`, `copy`
    and `nearest` the prompts.

    Args:
        tasks: (rows,)
        asked: (rows,), what each row was asked; None where nobody knows.
    """
    answers: dict[str, list[str]] = {}
    if majority := majority_answers(train):
        answers["majority"] = [majority(task) for task in tasks]
    if asked is not None:
        answers["lead"] = [lead_sentence(report_part(pair)) for pair in asked]
        answers["copy"] = [copied(pair) for pair in asked]
        if train:
            answers["nearest"] = nearest_answers(train, asked)
    return answers


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


def report_part(pair: Pair) -> str:
    """What a prompt shows of its report: `report_span` of the first message of the user's, all of it where nobody knows the span."""
    shown = next(message["content"] for message in pair.messages if message["role"] == "user")
    return shown if pair.report_span is None else shown[slice(*pair.report_span)]


def lead_sentence(report: str) -> str:
    """The first sentence of a report's findings; of the impression, then of the whole text, where it has none."""
    sections = parse(report).sections
    text = " ".join((sections.get("findings") or sections.get("impression") or report).split())
    return SENTENCE_END.split(LIST_NUMBER.sub("", text, count=1) if LIST_NUMBER.match(text) else text, maxsplit=1)[0]


def copied(pair: Pair) -> str:
    """What the prompt shows of the report; where one of its sections is asked for, the findings alone, if they can be told apart."""
    shown = report_part(pair)
    return parse(shown).sections.get("findings", shown) if pair.task in SECTION_ANSWERS else shown


def asked_text(pair: Pair) -> str:
    """All that the user says in a prompt: the report, and the questions on it."""
    return "\n".join(message["content"] for message in pair.prompt if message["role"] == "user")


def nearest_answers(train: Sequence[Pair], asked: Sequence[Pair]) -> list[str]:
    """The reference of the training prompt of the same task that is most like each prompt (of all tasks where a task has none).

    Where a section of the report is asked for, only reports are compared: the wording of the request, drawn at random, says nothing of
    the answer, and would make the floor too low.

    Alike is the cosine of TF-IDF over words and pairs of words, counts damped by logarithm: retrieval as a baseline, without a model.
    Of equally similar prompts the first is taken.
    """
    answers: dict[int, str] = {}
    by_task: dict[str, list[Pair]] = defaultdict(list)
    for pair in train:
        by_task[pair.task].append(pair)
    for task in {pair.task for pair in asked}:
        places = [place for place, pair in enumerate(asked) if pair.task == task]
        known = by_task.get(task) or train
        compared = report_part if task in SECTION_ANSWERS else asked_text
        found = most_similar([compared(pair) for pair in known], [compared(asked[place]) for place in places])
        answers |= {place: known[best].reference for place, best in zip(places, found, strict=True)}
    return [answers[place] for place in range(len(asked))]


def most_similar(known: Sequence[str], texts: Sequence[str]) -> list[int]:
    """For each text, the place of the known text with the largest cosine of TF-IDF; 0 where none shares a word with it."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    try:
        stored = vectoriser.fit_transform(known)
    except ValueError:  # scikit-learn refuses texts without any word
        return [0] * len(texts)
    sought = vectoriser.transform(texts)
    best: list[int] = []
    at_once = max(1, NUMBERS_AT_ONCE // max(stored.shape))
    for start in range(0, len(texts), at_once):
        # A dense block on the right: the product of two sparse ones would be nearly full and slower.
        best += (stored @ sought[start : start + at_once].T.toarray()).argmax(axis=0).tolist()
    return best
