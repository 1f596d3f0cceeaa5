"""Foretell what a teacher pass will take: calls, tokens, cost and hours, before any byte is sent."""

from dataclasses import dataclass
from typing import Any

from radgpt.config import Provider, Teacher, TeacherMode
from radgpt.teacher.ask import Request
from radgpt.teacher.budget import Spent
from radgpt.teacher.estimates import estimate_for
from radgpt.teacher.prices import Price

REPLY_TOKENS = {"instruction": 40, "answer": 150}
"""Tokens that a reply is taken to have, until ENOUGH replies in the journal tell better: a question, and a paragraph."""

WRAPPING_TOKENS = 120
"""Tokens that a prompt for an answer is taken to hold besides report and question."""

ENOUGH = 20
"""Replies in the journal from which their mean length is believed."""


@dataclass
class Load:
    """Requests together, in tokens."""

    calls: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0

    @property
    def tokens(self) -> float:
        """Prompt and reply."""
        return self.prompt_tokens + self.completion_tokens


class Forecast:
    """Counts what a pass would ask."""

    def __init__(self, teacher: Teacher, price: Price | None, spent: Spent) -> None:
        """`spent` is what the journal says that earlier attempts at the pass took."""
        self._teacher = teacher
        self._price = price
        self._spent = spent
        self._estimate = estimate_for(teacher)
        self._kind = "answer"
        self._known = Load()
        self._asked = Load()
        self._sizes = 0.0
        self._reports = 0.0
        self._questions = 0

    def add(self, request: Request, known: dict[str, Any] | None) -> None:
        """Count a request, and the journal's row that answers it already, if there is one."""
        self._kind = request.kind
        size = self._estimate.size(request.messages)
        self._questions += request.turns
        if request.report is not None:
            self._reports += request.turns * self._estimate.size([{"content": request.report.text}])
        if known is None:
            self._asked.calls += 1
            self._sizes += size
            return
        self._known.calls += 1
        self._known.completion_tokens += known.get("completion_tokens") or 0
        if (prompt_tokens := known.get("prompt_tokens") or 0) > 0 and (known.get("attempts") or 1) == 1:
            self._estimate.learn(size, prompt_tokens)

    def lines(self) -> list[str]:
        """What the user is told."""
        asked, teacher = self._load(), self._teacher
        calls = self._known.calls + asked.calls
        lines = [f"dry run of {self._kind}s with {teacher.section}={teacher.provider.value}, {teacher.model}: nothing was sent"]
        if teacher.provider is Provider.rules:
            return [*lines, f"  calls     {calls:,}, all answered on this machine by rules, for free"]
        lines += [
            f"  calls     {calls:,}: {self._known.calls:,} answered in the journal already, {asked.calls:,} to ask",
            f"  tokens    about {asked.prompt_tokens:,.0f} of prompts, {asked.completion_tokens:,.0f} of replies "
            f"(at most {asked.calls * teacher.max_tokens:,})",
            f"  cost      {self._cost(asked)}",
            f"  time      {self._time(asked)}",
        ]
        lines += [f"  budget    {line}" for line in self._caps(asked)]
        if self._kind == "instruction":
            answers = self._answers()
            lines.append(
                f"  answers   at most {answers.calls:,} calls to follow, about {answers.tokens:,.0f} tokens, "
                f"{self._cost(answers).partition(' (')[0]}, {self._time(answers)}"
            )
        return lines

    def _load(self) -> Load:
        mean = self._known.completion_tokens / self._known.calls if self._known.calls >= ENOUGH else self._reply_tokens()
        completion = self._asked.calls * min(mean, self._teacher.max_tokens)
        return Load(self._asked.calls, self._estimate.tokens(self._sizes), completion)

    def _reply_tokens(self) -> float:
        """Tokens of a reply, before there are any to look at; a conversation's questions come in one."""
        calls = self._known.calls + self._asked.calls
        return REPLY_TOKENS.get(self._kind, max(REPLY_TOKENS.values())) * self._questions / max(calls, 1)

    def _answers(self) -> Load:
        """The answers that would follow if every instruction were kept."""
        calls = self._questions
        question, answer = REPLY_TOKENS["instruction"], min(REPLY_TOKENS["answer"], self._teacher.max_tokens)
        prompts = self._estimate.tokens(self._reports) + calls * (WRAPPING_TOKENS + question)
        return Load(calls, prompts, calls * answer)

    def _cost(self, load: Load) -> str:
        section = self._teacher.section
        if self._price is None:
            return f"no known price for {section}.model={self._teacher.model}; {section}.prices=FILE can name one"
        usd = self._price.usd(load.prompt_tokens, load.completion_tokens)
        most = self._price.usd(load.prompt_tokens, load.calls * self._teacher.max_tokens)
        if not most:
            return "nothing"
        half = ", at the batch price" if self._teacher.mode is TeacherMode.batch else ""
        return f"about {dollars(usd)} USD (at most {dollars(most)}{half}; price of {self._price.date} from {self._price.source})"

    def _time(self, load: Load) -> str:
        """How long at the limits; endpoints charge a request with its longest reply, as they admit it."""
        if self._teacher.mode is TeacherMode.batch:
            return "up to 24 hours a round of batches"
        tokens = load.prompt_tokens + load.calls * self._teacher.max_tokens
        minutes = {
            "requests": load.calls / self._teacher.max_requests_per_minute,
            "tokens": tokens / self._teacher.max_tokens_per_minute,
        }
        binding = max(minutes, key=lambda name: minutes[name])
        limit = getattr(self._teacher, f"max_{binding}_per_minute")
        return f"{hours(minutes[binding])} at the least; {self._teacher.section}.max_{binding}_per_minute={limit:g} binds"

    def _caps(self, load: Load) -> list[str]:
        """What each cap would do; a cap also counts what is reserved for requests under way."""
        usd = self._price.usd(load.prompt_tokens, load.completion_tokens) if self._price else 0.0
        needs = {
            "usd": (self._spent.usd, usd),
            "tokens": (self._spent.tokens, load.tokens),
            "requests": (self._spent.requests, load.calls),
        }
        lines = []
        for name, (spent, more) in needs.items():
            cap = getattr(self._teacher.budget, name)
            if cap is None:
                continue
            told = dollars if name == "usd" else "{:,.0f}".format
            share = max(0.0, (cap - spent) / more) if more else 1.0
            end = f"would stop the run at about {share:.0%} of it" if share < 1 else "is enough"
            lines.append(f"{self._teacher.section}.budget.{name}={cap:g} {end}: {told(spent)} spent, about {told(more)} needed")
        return lines or [f"no cap is set ({self._teacher.section}.budget.usd, .tokens, .requests)"]


def dollars(usd: float) -> str:
    """An amount with cents, or with more digits below one dollar."""
    return f"{usd:,.2f}" if usd >= 1 else f"{usd:.4f}"


def hours(minutes: float) -> str:
    """A span in words: minutes below two hours, days above two."""
    if minutes < 120:
        return f"{minutes:,.1f} minutes"
    return f"{minutes / 60:,.1f} hours" if minutes < 48 * 60 else f"{minutes / 1440:,.1f} days"
