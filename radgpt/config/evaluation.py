"""How answers are scored, compared and rated by people."""

from dataclasses import dataclass

from radgpt.config.markers import external_input, operational, refuse
from radgpt.config.teacher import RUBRICS

EXTRAS = ("bertscore", "chexbert", "radgraph", "ratescore", "radcliq", "green")
"""Metrics that need weights of their own; each an optional package."""


@dataclass
class Evaluation:
    """How predictions are scored."""

    stemmer: bool = False
    """Stem words before ROUGE compares them; it raises scores by up to a point of 100, and papers differ in it."""
    uncertain: str = "positive"
    """What an observation that is labelled uncertain counts as in F1: `positive`, as F1CheXbert counts it in report generation, or
    `negative`."""
    extras: list[str] | None = None
    """More metrics, of EXTRAS; each needs its package and local weights (`weights`)."""
    weights: dict[str, str] = external_input(dict)
    """Metric of `extras` to the folder or file of its weights."""
    bertscore_layer: int | None = None
    """Layer whose embeddings BERTScore compares, from 1; it must be named."""
    radeval_python: str | None = operational(None)
    """Python of an environment with the package `radeval`, for `radgraph`, `ratescore`, `radcliq` and `green`; null: this one."""
    bootstrap_samples: int = 1000
    """Resamples of patients for each interval."""
    permutations: int = 10_000
    """Random relabellings for each test of a difference."""
    confidence: float = 0.95
    near_duplicate: float = 0.8
    """ROUGE-L F1 from which a test input counts as nearly the same as one in training."""
    human_scores: str | None = external_input()
    """CSV of people's scores (columns `id`, `criterion`, `score`, perhaps `system` and `rater`), as `stage=rate` writes it: the judge's
    agreement with them is told."""

    def __post_init__(self) -> None:
        refuse(self.uncertain not in ("positive", "negative"), f"evaluation.uncertain={self.uncertain} is neither positive nor negative")
        for name in self.extras or []:
            refuse(name not in EXTRAS, f"evaluation.extras: {name} is none of {', '.join(EXTRAS)}")
        for name in self.weights:
            refuse(name not in EXTRAS, f"evaluation.weights.{name}: {name} is none of {', '.join(EXTRAS)}")
        refuse(self.bootstrap_samples < 100, f"evaluation.bootstrap_samples={self.bootstrap_samples} must be at least 100")
        refuse(self.permutations < 100, f"evaluation.permutations={self.permutations} must be at least 100")
        refuse(not 0 < self.confidence < 1, f"evaluation.confidence={self.confidence} must lie in (0, 1)")
        refuse(not 0 < self.near_duplicate <= 1, f"evaluation.near_duplicate={self.near_duplicate} must lie in (0, 1]")


@dataclass
class Compare:
    """`stage=compare`: the models of `models` on the same questions."""

    predictions: dict[str, str] = external_input(dict)
    """Name of a model to its `predictions.jsonl`, for what other runs or other software made; those of `models` come on their own."""
    metric: str = "rougeL"
    """What win rates, worst cases and the order of examples go by."""
    examples: int = 30
    """Questions shown side by side on the page."""

    def __post_init__(self) -> None:
        refuse(self.examples < 0, f"compare.examples={self.examples} must be at least 0")


@dataclass
class Rate:
    """`stage=rate`: people grade compared models' answers without knowing whose they are."""

    port: int = operational(0)
    """On 127.0.0.1; 0 takes a free one."""
    limit: int | None = 50
    """Questions to rate, drawn by seed; null: all."""
    rubric: str = external_input(lambda: "original", names=RUBRICS)
    """As `judge.rubric`."""
    rater: str = ""
    """Who rates; empty: the login name."""

    def __post_init__(self) -> None:
        refuse(not 0 <= self.port < 65536, f"rate.port={self.port} must lie between 0 and 65535")
        refuse(self.limit is not None and self.limit < 1, f"rate.limit={self.limit} must be at least 1")
