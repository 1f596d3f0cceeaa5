"""Word what a judge is asked, so that nothing in the texts that it grades can pass for a part of the question."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING

from radgpt.config import Grading
from radgpt.evaluation.judge.judgement import JudgedQuestion
from radgpt.evaluation.judge.replies import Form
from radgpt.evaluation.judge.rubric import Rubric
from radgpt.records import canonical_digest

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

LABELS = ascii_uppercase
"""What answers are called, in the order in which they are shown."""


@dataclass(frozen=True)
class Prompt:
    """One thing to ask a judge."""

    messages: list[dict[str, str]]
    form: Form
    """What a usable reply looks like."""


def prompt_of(question: JudgedQuestion, shown: Sequence[str], rubric: Rubric, grading: Grading, seed: int) -> Prompt:
    """What to ask of some answers to a question.

    Texts stand between lines with a mark that is in none of them, so that none can end its place and begin another. Where one of them
    holds what could be taken for a reply (a brace), the reply must repeat the mark: a judge that quotes an answer has not graded it.

    Args:
        shown: the answers, in the order in which they are shown; at most as many as there are LABELS.
        seed: the mark is drawn by it and the question's id.
    """
    answers = dict(zip(LABELS, shown, strict=False))
    texts = [*(message["content"] for message in question.messages), question.reference or "", *shown]
    mark = mark_for(texts, seed, question.id)
    quotable = any("{" in text for text in texts)
    form = Form(grading, tuple(answers), rubric.names, rubric.lowest, rubric.highest, mark if quotable else None)
    fill = {
        "mark": mark,
        "messages": question.messages,
        "reference": question.reference,
        "answers": answers if len(shown) > 1 else {"to grade": shown[0]},
        "several": len(shown) > 1,
        "rubric": rubric,
        "form": form.shown,
    }
    asks = "pairwise.j2" if grading is Grading.pairwise else "grading.j2"
    return Prompt([{"role": "system", "content": rendered("system.j2", fill)}, {"role": "user", "content": rendered(asks, fill)}], form)


def asked_again(prompt: Prompt, reply: str) -> Prompt:
    """What to ask after a reply that could not be read."""
    more = [{"role": "assistant", "content": reply}, {"role": "user", "content": rendered("again.j2", {"form": prompt.form.shown})}]
    return Prompt([*prompt.messages, *more], prompt.form)


def wording_sha256(rubric: Rubric) -> str:
    """Digest of all wording that does not come from the rows."""
    templates = {path.name: path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.glob("*.j2"))}
    return canonical_digest([templates, rubric.sha256])


def mark_for(texts: Sequence[str], seed: int, id: str) -> str:
    """Twelve hexadecimal digits that stand in none of the texts, the same for the same seed, id and texts."""
    number = 0
    while True:
        mark = hashlib.sha256(f"{seed} {id} {number}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
        if not any(mark in text for text in texts):
            return mark
        number += 1


def rendered(name: str, fill: Mapping[str, object]) -> str:
    """A template, filled."""
    return environment().get_template(name).render(fill).strip()


@cache
def environment() -> "Environment":
    """Templates that say where a name is missing; what is filled in is never read as a template."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
