"""What `stage=compare` found of several models: scores, tests of every pair, answers, and what is known of the models themselves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

from radgpt.evaluation.comparison import ALIKE, ALL_TASKS, BETTER, UNKNOWN, WORSE, Comparison, as_mapping, direction
from radgpt.evaluation.floors import FLOORS
from radgpt.evaluation.metrics import Metric
from radgpt.evaluation.model_facts import ModelFacts, differing
from radgpt.evaluation.resampling import Resampling
from radgpt.evaluation.statistics import Difference, WinRate, holm
from radgpt.evaluation.table import decimals
from radgpt.records import ComparedAnswer, Prediction


@dataclass(frozen=True)
class Answering:
    """How one model answered, whatever it said."""

    reasons: dict[str, int]
    """How answers ended, to how many."""
    mean_new_tokens: float
    facts: ModelFacts

    @classmethod
    def of(cls, predictions: Sequence[Prediction], facts: ModelFacts) -> "Answering":
        """From a model's predictions and what is known of it."""
        reasons = Counter(row.finish_reason for row in predictions)
        return cls(dict(sorted(reasons.items())), sum(row.new_tokens for row in predictions) / len(predictions), facts)


@dataclass(frozen=True)
class Compared:
    """All that the table, the page and the files of a comparison say."""

    models: list[str]
    floors: list[str]
    """Systems beside the models that take no model."""
    metrics: Mapping[str, Metric]
    metric: str
    """What win rates and examples go by."""
    found: Comparison
    rows: list[ComparedAnswer]
    questions: list[str]
    """(rows,), what was asked, without the report where it is known which part that is."""
    abnormal: list[bool]
    """(rows,), whether the reference affirms a finding."""
    contamination: dict[str, Any] | None
    """How many of the inputs share what with training; None where that is not known."""
    answering: dict[str, Answering]
    """By model."""
    resampling: Resampling
    judgement: dict[str, Any] | None = None
    """What a judge said, as plain values; None without one."""
    people: dict[str, Any] | None = None
    """How the judge and people agree, as plain values; None without people's scores."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every two models."""
        return list(combinations(self.models, 2))

    @property
    def patients(self) -> int:
        """Patients behind the questions."""
        return len({row.patient_id for row in self.rows})

    def pair_p_values(self, metric: str) -> dict[tuple[str, str], float | None]:
        """The p-value of every two models in one metric, adjusted by Holm's method over these pairs."""
        return _over_pairs(self.found, self.pairs, metric)

    def difference(self, one: str, other: str, metric: str, subset: str = ALL_TASKS) -> Difference:
        """One minus the other, whichever way round it was tested."""
        tested = self.found.differences[subset]
        if other in tested.get(one, {}):
            return tested[one][other][metric]
        found = tested[other][one][metric]
        return replace(
            found,
            value=None if found.value is None else -found.value,
            low=None if found.high is None else -found.high,
            high=None if found.low is None else -found.low,
        )

    def win_rate(self, one: str, other: str, metric: str) -> WinRate | None:
        """How often one's answer is better than the other's, whichever way round; None for a metric that says nothing of better."""
        rates = self.found.win_rates[ALL_TASKS]
        if other in rates.get(one, {}):
            return rates[one][other].get(metric)
        found = rates[other][one].get(metric)
        if found is None:
            return None
        value, low, high = (None if end is None else 1 - end for end in (found.value, found.high, found.low))
        return WinRate(value, low, high, found.losses, found.ties, found.wins)

    def verdict(self, one: str, other: str) -> str:
        """Whether one is BETTER than the other, WORSE, ALIKE or UNKNOWN in the metric compared by, adjusted over all pairs of models."""
        p_values = self.pair_p_values(self.metric)
        p_value = p_values.get((one, other), p_values.get((other, one)))
        return judged(self.difference(one, other, self.metric), p_value, self.metrics[self.metric], self.resampling.confidence)

    @property
    def best(self) -> str | None:
        """The model that is better than every other one in the metric compared by, as far as tests can tell."""
        return next((one for one in self.models if all(self.verdict(one, other) == BETTER for other in self.models if other != one)), None)

    def as_result(self) -> dict[str, Any]:
        """All figures as plain values, for `comparison.json`; no text in it, but values of settings."""
        facts = {model: answering.facts for model, answering in self.answering.items()}
        return {
            "rows": len(self.rows),
            "patients": self.patients,
            "models": {
                model: {
                    "run": of_model.facts.run,
                    "finish_reasons": of_model.reasons,
                    "mean_new_tokens": of_model.mean_new_tokens,
                    "told_by_its_run": of_model.facts.metrics,
                }
                for model, of_model in self.answering.items()
            },
            "settings_that_differ": differing(facts),
            "floors": {floor: FLOORS[floor] for floor in self.floors},
            "compared_by": self.metric,
            "pairs": [
                {
                    "model": one,
                    "against": other,
                    **asdict(self.difference(one, other, self.metric)),
                    "p_holm_over_pairs": p_value,
                    "verdict": self.verdict(one, other),
                }
                for (one, other), p_value in self.pair_p_values(self.metric).items()
            ],
            "contamination": self.contamination,
            "judge": self.judgement,
            "judge_and_people": self.people,
            "statistics": {
                **asdict(self.resampling),
                "interval": "percentile bootstrap over patients",
                "test": "paired permutation of systems within patients, two-sided; (k + 1) / (N + 1), exact where all were taken",
                "p_holm": "adjusted by Holm's method over the metrics of one pair of systems in one subset",
                "p_holm_over_pairs": "adjusted by Holm's method over all pairs of models in the metric that they are compared by",
            },
            "metrics": {
                name: {"label": metric.label, "group": metric.group, "better": metric.better, "top": metric.top}
                for name, metric in self.metrics.items()
            },
            **as_mapping(self.found),
        }


def _over_pairs(found: Comparison, pairs: Sequence[tuple[str, str]], metric: str) -> dict[tuple[str, str], float | None]:
    tested = found.differences[ALL_TASKS]
    adjusted = holm({f"{place}": tested[one][other][metric].p_value for place, (one, other) in enumerate(pairs)})
    return {pair: adjusted[f"{place}"] for place, pair in enumerate(pairs)}


def judged(difference: Difference, p_value: float | None, metric: Metric, confidence: float) -> str:
    """As `comparison.outcome`, by a p-value that was adjusted in another way."""
    if difference.low is None or difference.high is None or p_value is None or not direction(metric):
        return UNKNOWN
    if p_value > 1 - confidence or difference.low <= 0 <= difference.high:
        return ALIKE
    return BETTER if (difference.low > 0) == (direction(metric) > 0) else WORSE


def pair_lines(compared: Compared) -> list[str]:
    """A line for the console on every two models: which is better, by how much, and how often it wins."""
    metric, words = compared.metrics[compared.metric], {BETTER: "beats", WORSE: "is worse than", ALIKE: "is not told from"}
    places = decimals(metric)
    lines = []
    width = max(map(len, compared.models))
    for (one, other), p_value in compared.pair_p_values(compared.metric).items():
        difference, rate = compared.difference(one, other, compared.metric), compared.win_rate(one, other, compared.metric)
        line = f"  {one:<{width}} {words.get(compared.verdict(one, other), 'cannot be compared with'):<23} {other:<{width}}"
        if difference.value is not None:
            line += f"  {difference.value:+.{places}f}"
        if difference.low is not None and p_value is not None:
            line += f" [{difference.low:+.{places}f}, {difference.high:+.{places}f}], p = {p_value:.2g}"
        if rate is not None and rate.value is not None:
            line += f"; better on {rate.wins}, equal on {rate.ties}, worse on {rate.losses}"
        lines.append(line)
    return lines
