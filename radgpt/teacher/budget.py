"""Hold a teacher pass to its caps: what is under way counts as spent until it is known what it took."""

from dataclasses import dataclass

from radgpt import config
from radgpt.errors import UserError
from radgpt.teacher.prices import Price


class BudgetSpentError(UserError):
    """A cap would be passed. What is under way may still be waited for: it is within the cap, and paid for."""

    def __init__(self, message: str, cap: str) -> None:
        super().__init__(message)
        self.cap = cap
        """`usd`, `tokens` or `requests`."""


@dataclass
class Spent:
    """What replies took: of one pass, all attempts at it together."""

    requests: int = 0
    """Replies; refused and failed requests cost nothing and do not count."""
    tokens: int = 0
    """Prompt and reply tokens."""
    usd: float = 0.0


@dataclass(frozen=True)
class Reservation:
    """What one request may take at most."""

    tokens: float
    usd: float


class Budget:
    """The caps, what is spent, and what is reserved for requests under way; used from one thread."""

    def __init__(self, caps: config.Budget, price: Price | None, spent: Spent) -> None:
        """`spent` is what earlier attempts took; it is copied."""
        self._caps = caps
        self._price = price
        self.spent = Spent(spent.requests, spent.tokens, spent.usd)
        self._requests = 0
        self._tokens = 0.0
        self._usd = 0.0

    @property
    def priced(self) -> bool:
        """Whether a price is known; without one, `spent.usd` says nothing."""
        return self._price is not None

    def price(self, prompt_tokens: float, completion_tokens: int) -> Reservation:
        """What a request of an estimated prompt and so long a reply may take; sets nothing aside."""
        return Reservation(prompt_tokens + completion_tokens, self._price.usd(prompt_tokens, completion_tokens) if self._price else 0.0)

    def reserve(self, prompt_tokens: float, completion_tokens: int) -> Reservation:
        """Set aside what a request may take, before it is sent.

        Args:
            prompt_tokens: estimate of the prompt's.
            completion_tokens: the longest reply allowed.

        Raises:
            BudgetSpentError: with all that is spent and set aside, a cap would be passed; nothing is set aside.
        """
        wanted = self.price(prompt_tokens, completion_tokens)
        for name, taken in (
            ("usd", self.spent.usd + self._usd + wanted.usd),
            ("tokens", self.spent.tokens + self._tokens + wanted.tokens),
            ("requests", self.spent.requests + self._requests + 1),
        ):
            cap = getattr(self._caps, name)
            if cap is not None and taken > cap * (1 + 1e-12):  # sums of floats are never quite what they should be
                raise self.stopped(name)
        self.hold(wanted)
        return wanted

    def hold(self, reservation: Reservation) -> None:
        """Set aside, whatever the caps say, what a request takes that was sent already."""
        self._move(reservation, 1)

    def settle(self, reserved: Reservation, prompt_tokens: int, completion_tokens: int) -> float:
        """Replace what was set aside by what the reply took; gives its price in US dollars, 0 where none is known."""
        usd = self._price.usd(prompt_tokens, completion_tokens) if self._price else 0.0
        self._move(reserved, -1)
        self.spent.requests += 1
        self.spent.tokens += prompt_tokens + completion_tokens
        self.spent.usd += usd
        return usd

    def release(self, reserved: Reservation) -> None:
        """Give back what was set aside for a request that was charged nothing."""
        self._move(reserved, -1)

    def stopped(self, name: str) -> BudgetSpentError:
        """What ends a run whose cap `name` is reached, with what is spent by now."""
        return BudgetSpentError(
            f"teacher.budget.{name}={getattr(self._caps, name)} is reached ({self.spent.requests} replies, {self.spent.tokens} tokens, "
            f"{f'{self.spent.usd:.4f} USD' if self.priced else 'no known price'}; the next request could pass it): "
            f"raise teacher.budget.{name} and give the same command again; replies so far are kept",
            name,
        )

    def _move(self, reservation: Reservation, sign: int) -> None:
        self._requests += sign
        self._tokens += sign * reservation.tokens
        self._usd += sign * reservation.usd
