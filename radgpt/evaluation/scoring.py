"""Score the rows of models and floors by every metric that a configuration asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tqdm import tqdm

from radgpt.config import Evaluation
from radgpt.evaluation.comparison import Columns, columns_of
from radgpt.evaluation.extras import Extra, extra_metrics, open_extras, score_extras
from radgpt.evaluation.metrics import METRICS, Metric, Scores, scorer, signatures
from radgpt.records import Prediction

OF_GENERATION = ("ended_itself", "perplexity")
"""Metrics of a model's generating, which a floor has none of."""


@dataclass(frozen=True)
class Scoring:
    """Metrics, and the scorers behind them, ready to read rows."""

    evaluation: Evaluation
    extras: Sequence[Extra]
    """Optional metrics, their models loaded."""

    @classmethod
    def opened(cls, evaluation: Evaluation) -> "Scoring":
        """With what `evaluation.extras` asks for; raises UserError where a package or weights are missing."""
        return cls(evaluation, open_extras(evaluation))

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """By name."""
        return METRICS | extra_metrics(self.evaluation)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What makes the scores comparable: packages, versions, settings, weights."""
        return {**signatures(self.evaluation), **{extra.name: extra.about for extra in self.extras}}

    def model(self, name: str, rows: Sequence[Prediction]) -> Columns:
        """Every metric's statistics of a model's answers."""
        score = scorer(self.evaluation)
        shown = tqdm(rows, desc=name, unit=" rows", disable=None)
        return columns_of(self.metrics, self._with_extras([score(row) for row in shown], rows))

    def floor(self, name: str, rows: Sequence[Prediction], answers: Sequence[str]) -> Columns:
        """The same of a floor's answers to the rows' questions."""
        answered = [replace(row, text=answer, reference_nll=None) for row, answer in zip(rows, answers, strict=True)]
        score = scorer(self.evaluation)
        shown = tqdm(answered, desc=name, unit=" rows", disable=None)
        return columns_of(self.metrics, self._with_extras([score(row) | dict.fromkeys(OF_GENERATION) for row in shown], answered))

    def _with_extras(self, scores: Sequence[Scores], rows: Sequence[Prediction]) -> list[Scores]:
        if not self.extras:
            return list(scores)
        return [core | extra for core, extra in zip(scores, score_extras(self.extras, rows), strict=True)]
