"""Questions with answers of two systems, and a scripted judge that grades what stands between its prompt's marks."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_openai import FakeOpenAI

from radgpt.config import Governance, Judge, Provider
from radgpt.evaluation.judge.asking import judge_answers
from radgpt.evaluation.judge.judgement import JudgedQuestion, Judgement

REPORT = "FINDINGS: Small left effusion."

ANSWER = re.compile(r"^BEGIN (\w+) answer (.+)\n((?s:.*?))\nEND \1 answer \2$", re.MULTILINE)
"""Mark, label and text of an answer in a prompt."""


def question(id: str, patient: str = "", reference: str | None = "Yes, on the left.", **answers: str) -> JudgedQuestion:
    messages = [{"role": "user", "content": f"{REPORT}\n\nIs there an effusion? ({id})"}]
    return JudgedQuestion(id, patient or f"p{id}", "question_answering", messages, reference, answers)


def judge_at(server: FakeOpenAI, **settings: Any) -> Judge:
    fast: dict[str, Any] = {"max_requests_per_minute": 1e6, "max_tokens_per_minute": 1e9, "max_in_flight": 8, "timeout": 10.0}
    return Judge(**{"provider": Provider.local, "model": "any", "base_url": server.base_url, **fast, **settings})


def judged(folder: Path, judge: Judge, questions: list[JudgedQuestion], seed: int = 0) -> Judgement:
    return judge_answers(judge, questions, Governance.synthetic, seed, folder / "journal.jsonl")


def shown(messages: list[dict[str, str]]) -> dict[str, str]:
    """Label to answer, as a prompt shows them; empty where it only asks again."""
    return {label: text for _, label, text in ANSWER.findall(messages[1]["content"])}


def grading(score: Callable[[str], str]) -> Callable[[list[dict[str, str]]], str]:
    """A judge that replies with what `score` makes of an answer: the whole reply for one answer, its label's value for several."""

    def reply(messages: list[dict[str, str]]) -> str:
        answers = shown(messages)
        if len(answers) == 1:
            return score(*answers.values())
        return "{" + ", ".join(f'"{label}": {score(text)}' for label, text in answers.items()) + "}"

    return reply


def three(score: int) -> str:
    """A reply of the original rubric's form."""
    return f'{{"accuracy": {score}, "conciseness": {score}, "understandability": {score}}}'
