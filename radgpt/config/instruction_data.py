"""What a teacher is asked, what is kept of its replies, and how a person reviews them."""

from dataclasses import dataclass, field
from enum import Enum

from omegaconf import MISSING

from radgpt.config.markers import external_input, only, operational, refuse
from radgpt.records import TASKS


@dataclass
class Review:
    """`stage=review`: a local page where a person judges answers beside their reports."""

    decisions: str | None = operational()
    """File that decisions are appended to; null: `decisions.jsonl` in the run's folder."""
    reviewer: str | None = operational()
    """Who decides, as each decision names them; null: the name that you are logged in with."""
    port: int = operational(0)
    """Port on 127.0.0.1; 0 takes a free one."""

    def __post_init__(self) -> None:
        refuse(not 0 <= self.port < 65536, f"review.port={self.port} must lie between 0 and 65535")


@dataclass
class InstructionPrompt:
    """What the teacher is asked when it writes instructions."""

    version: str = MISSING
    """Names the wording; kept in every row."""
    system: str = MISSING
    templates: dict[str, str] = field(default_factory=dict)
    """Task to template; `{report}` and `{examples}` are filled in."""
    conversation: str = ""
    """Template for `instructions.turns` above 1, whatever the task; `{turns}` is filled in as well."""
    seeds: dict[str, list[str]] = field(default_factory=dict)
    """Task to questions that examples are drawn from until the pool has grown; for findings_to_impression, the wordings of its
    instruction."""
    examples: int = 3
    """In-context examples in a prompt."""

    def __post_init__(self) -> None:
        refuse(self.examples < 0, f"prompt.instruction.examples={self.examples} must be 0 or above")


@dataclass
class AnswerPrompt:
    """What the teacher is asked when it answers."""

    version: str = MISSING
    system: str = MISSING
    templates: dict[str, str] = field(default_factory=dict)
    """Task to template; `{report}` and `{instruction}` are filled in. That of follow_up, for a conversation's later turns, has no
    `{report}`."""


@dataclass
class ChatPrompt:
    """What the student model sees, in training, prediction and chat alike."""

    system: str = MISSING
    first_turn: str = MISSING
    """Template of the first user message about a report; `{report}` and `{instruction}` are filled in."""


@dataclass
class Prompt:
    """All prompt templates."""

    instruction: InstructionPrompt = field(default_factory=InstructionPrompt)
    answer: AnswerPrompt = field(default_factory=AnswerPrompt)
    chat: ChatPrompt = field(default_factory=ChatPrompt)


class Narrative(Enum):
    """What a report must hold to be asked about: findings or an impression, or both."""

    either = "either"
    both = "both"


class DuplicateScope(Enum):
    """Which instructions a duplicate is sought among: those about the same report, or all of the run."""

    report = "report"
    run = "run"


class Language(Enum):
    """What instructions and answers must be written in: English, or whatever the teacher chose."""

    en = "en"
    any = "any"


@dataclass
class Instructions:
    """How instructions are drawn and which of them are kept."""

    narrative: Narrative = Narrative.either
    """Reports without it are left out, and counted: `both` for data of findings → impression pairs."""

    task_weights: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TASKS, 1.0))
    """Task to its share in the mix; 0 switches a task off. A task of your own needs its templates, see `prompt`."""
    per_report: int = 2
    """Instructions asked for each report; conversations, where `turns` is above 1."""
    turns: int = 1
    """Turns of a conversation: questions that the teacher writes at once, the later ones following up on the earlier."""
    duplicates: DuplicateScope = only("postprocess_instructions", DuplicateScope.report)
    earlier: list[str] = external_input(list, stage="postprocess_instructions")
    """Files `instructions.jsonl` of earlier runs, among which duplicates are sought too."""
    pool_epoch: int = 512
    """Reports between two growths of the pool of accepted questions that examples are drawn from."""
    min_words: int = 3
    max_words: int = 60
    """Length of an accepted instruction, in words."""
    language: Language = Language.en
    max_rouge_l: float = only("postprocess_instructions", 0.7)
    """An instruction whose ROUGE-L F1 with an earlier one, among those that `duplicates` names, exceeds this is a duplicate."""

    def __post_init__(self) -> None:
        for task, weight in self.task_weights.items():
            refuse(not 0 <= weight < float("inf"), f"instructions.task_weights.{task}={weight} must be 0 or above")
        refuse(not any(self.task_weights.values()), "instructions.task_weights: at least one task needs a weight above 0")
        refuse(not 1 <= self.per_report <= 1000, f"instructions.per_report={self.per_report} must lie between 1 and 1000")
        refuse(not 1 <= self.turns <= 100, f"instructions.turns={self.turns} must lie between 1 and 100")
        refuse(self.pool_epoch < 1, f"instructions.pool_epoch={self.pool_epoch} must be at least 1")
        refuse(
            not 1 <= self.min_words <= self.max_words,
            f"instructions.min_words={self.min_words} must lie between 1 and instructions.max_words={self.max_words}",
        )
        refuse(not 0 < self.max_rouge_l <= 1, f"instructions.max_rouge_l={self.max_rouge_l} must lie in (0, 1]")


OF_ANSWERS = ("postprocess_answers", "review")
"""Stages that judge answers; others ask of the dataset only how patients are split."""


@dataclass
class Dataset:
    """Which pairs are kept, and how patients are split."""

    max_answer_words: int = only(OF_ANSWERS, 400)
    language: Language = only(OF_ANSWERS, Language.en)
    min_faithfulness: float = only(OF_ANSWERS, 1.0)
    """Answers of which the report supports a smaller share of checkable claims are dropped; 0 keeps all, their scores beside them."""
    decisions: str | None = external_input(stage=OF_ANSWERS)
    """JSONL of a person's decisions from `stage=review`; they outweigh the filters."""
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    """Share of patients, for reports whose source prescribes no split."""

    def __post_init__(self) -> None:
        refuse(not 0 <= self.min_faithfulness <= 1, f"dataset.min_faithfulness={self.min_faithfulness} must lie in [0, 1]")
        refuse(self.max_answer_words < 1, f"dataset.max_answer_words={self.max_answer_words} must be at least 1")
        refuse(
            not (min(self.validation_fraction, self.test_fraction) >= 0 and self.validation_fraction + self.test_fraction < 1),
            f"dataset.validation_fraction={self.validation_fraction} and dataset.test_fraction={self.test_fraction} "
            "must not be negative and must leave patients to train on",
        )
