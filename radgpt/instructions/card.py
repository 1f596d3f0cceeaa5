"""Count what became of a dataset's instructions and answers, for the card that goes with it."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from radgpt import manifest
from radgpt.records import SPLITS, Dropped, Generation, JudgedAnswer, Pair

SCORES = ("all of it", "90 % and more", "half and more", "less than half", "none of it", "nothing to check")
"""How much of an answer's checkable claims the report supports."""


@dataclass
class Pass:
    """What a teacher was asked in one pass, for all the instructions or for all the answers."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """`ok`, `dropped: …` or `failed` to calls."""
    teachers: Counter[str] = field(default_factory=Counter)
    prompt_versions: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    def add(self, generation: Generation) -> None:
        """Count one reply."""
        # What a server says of a failure is not for a card.
        self.outcomes["failed" if generation.outcome.startswith("failed") else generation.outcome] += 1
        self.teachers[generation.teacher] += 1
        self.prompt_versions[generation.prompt_version] += 1
        self.prompt_tokens += generation.prompt_tokens
        self.completion_tokens += generation.completion_tokens
        self.usd += generation.usd

    @property
    def calls(self) -> int:
        """Replies counted."""
        return self.outcomes.total()


@dataclass
class Card:
    """The counts behind a dataset card. Memory is a patient id for each patient with a pair, and else a few counters."""

    instruction_pass: Pass = field(default_factory=Pass)
    """Empty where the instructions came from elsewhere."""
    answer_pass: Pass = field(default_factory=Pass)
    dropped_instructions: Counter[str] = field(default_factory=Counter)
    """Reason to instructions."""
    dropped_answers: Counter[str] = field(default_factory=Counter)
    judged: int = 0
    """Answers, kept or not."""
    scores: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """(one of SCORES, kept) to answers."""
    problems: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """(kind of problem, kept) to answers with at least one."""
    decisions: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(task, split) to pairs."""
    turns: Counter[int] = field(default_factory=Counter)
    """Turns of a conversation to pairs."""
    reports: Counter[str] = field(default_factory=Counter)
    """Split to reports with a pair."""
    instruction_words: Counter[int] = field(default_factory=Counter)
    answer_words: Counter[int] = field(default_factory=Counter)
    """Words of a kept text to how often they come."""
    context_words: Counter[int] = field(default_factory=Counter)
    """The same of what the student model is shown before it answers first: system prompt, report and instruction."""
    _patients: dict[str, set[str]] = field(default_factory=lambda: {split: set() for split in SPLITS})
    _last_report: str | None = None

    def add_instruction(self, generation: Generation) -> None:
        """Count a reply of the pass that wrote the instructions."""
        self.instruction_pass.add(generation)

    def add_dropped_instruction(self, dropped: Dropped) -> None:
        """Count an instruction that was not asked."""
        self.dropped_instructions[dropped.reason] += 1

    def add_answer(self, generation: Generation) -> None:
        """Count a reply of the pass that wrote the answers."""
        self.answer_pass.add(generation)

    def add_judged(self, row: JudgedAnswer) -> None:
        """Count an answer, with what was decided of it last."""
        self.judged += 1
        kept = row.reason is None
        if row.reason is None:
            self.instruction_words[len(row.instruction.split())] += 1
            self.answer_words[len(row.answer.split())] += 1
        else:
            self.dropped_answers[row.reason] += 1
        if row.answer:
            self.scores[score_name(row.faithfulness), kept] += 1
        self.problems.update((kind, kept) for kind in {problem.kind for problem in row.problems})
        if row.decision:
            self.decisions[row.decision] += 1

    def add_pair(self, pair: Pair) -> None:
        """Count a pair; those of a report follow each other."""
        self.pairs[pair.task, pair.split] += 1
        self._patients[pair.split].add(pair.patient_id)
        if pair.report_id != self._last_report:
            self._last_report = pair.report_id
            self.reports[pair.split] += 1
        self.turns[sum(message["role"] == "assistant" for message in pair.messages)] += 1
        shown = takewhile(lambda message: message["role"] != "assistant", pair.messages)
        self.context_words[sum(len(message["content"].split()) for message in shown)] += 1

    def patients(self, split: str) -> int:
        """Patients with a pair in a split."""
        return len(self._patients[split])

    @property
    def all_patients(self) -> int:
        """Patients with a pair."""
        return len(set().union(*self._patients.values()))

    @property
    def straddling(self) -> int:
        """Patients with pairs in more than one split: none, unless the source prescribes it so."""
        return sum(map(len, self._patients.values())) - self.all_patients

    @property
    def usd(self) -> float:
        """What both passes cost, in US dollars."""
        return self.instruction_pass.usd + self.answer_pass.usd

    @property
    def tokens(self) -> int:
        """Prompt and reply tokens of both passes."""
        return sum(one.prompt_tokens + one.completion_tokens for one in (self.instruction_pass, self.answer_pass))


def score_name(score: float | None) -> str:
    """The class of a faithfulness score, one of SCORES."""
    if score is None:
        return SCORES[-1]
    return next(name for name, least in zip(SCORES, (1.0, 0.9, 0.5, 1e-9, 0.0), strict=False) if score >= least)


def behind(instructions: Path) -> tuple[Path | None, Path | None]:
    """(raw_instructions, dropped_instructions) that a file of instructions was made from and with, as far as they still stand there."""
    folder = instructions.parent
    dropped = folder / "dropped_instructions.jsonl"
    try:
        raw = Path(manifest.load(folder).reads["raw_instructions"]["path"])
    except (OSError, ValueError, TypeError, KeyError):
        # A file of the user's own, which no run of ours vouches for.
        return None, None
    return raw if raw.is_file() else None, dropped if dropped.is_file() else None
