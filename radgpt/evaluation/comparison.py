"""Set systems (models, and floors that take no model) side by side on the same rows: values, differences, win rates, tests.

No input or output here. How a stage uses it:

    score = scorer(evaluation)                                              # of radgpt.evaluation.metrics
    systems = {"this": columns_of(METRICS, map(score, predictions)), "majority": columns_of(METRICS, …)}    # same rows, same order
    subsets = subsets_of(tasks, references, clean=[…])     # "all" first, then each task, then "abnormal", then "clean"
    found = compare(METRICS, systems, patients, subsets, [("this", "majority")], resampling)

    found.estimates["all"]["this"]["rougeL"]                                # Estimate: value, low, high, rows, patients
    found.differences["all"]["this"]["majority"]["rougeL"]                  # Difference: value, low, high, p_value, p_holm, rows, patients
    found.win_rates["all"]["this"]["majority"]["rougeL"]                    # WinRate: value, low, high, wins, ties, losses
    outcome(found.differences["all"]["this"]["majority"]["rougeL"], METRICS["rougeL"], confidence)      # "better", "worse", …
    as_mapping(found)                                                       # all of it as plain values, for a file of JSON
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from radgpt.evaluation.resampling import Resampling
from radgpt.evaluation.statistics import Column, Difference, Estimate, WinRate, differences, estimates, holm, win_rates

if TYPE_CHECKING:
    from radgpt.evaluation.metrics import Metric, Scores

MODEL = "model"
"""The system whose predictions `stage=evaluate` scores."""
ALL_TASKS = "all"
ABNORMAL = "abnormal"
"""Rows whose reference affirms a finding, by the rule-based labeller."""
CLEAN = "clean"
"""Rows that training holds nothing like: neither the input, exactly or nearly, nor the patient."""

BETTER, WORSE, ALIKE, UNKNOWN = "better", "worse", "alike", "unknown"

Columns = dict[str, Column]
"""Metric to its statistics of every row of one system."""

Found = TypeVar("Found", Difference, WinRate)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found, by subset of rows (`all` first)."""

    rows: dict[str, int]
    """Subset to its number of rows."""
    estimates: dict[str, dict[str, dict[str, Estimate]]]
    """Subset to system to metric."""
    differences: dict[str, dict[str, dict[str, dict[str, Difference]]]]
    """Subset to the one system to the other to metric: the one minus the other."""
    win_rates: dict[str, dict[str, dict[str, dict[str, WinRate]]]]
    """Likewise: how often a row of the one is better than the other's, in metrics of which one direction is better."""


def columns_of(metrics: Mapping[str, "Metric"], rows: "Iterable[Scores]") -> Columns:
    """The statistics of a system's rows, metric by metric; what a row lacks does not apply to it."""
    by_metric: dict[str, list[Sequence[float] | None]] = {name: [] for name in metrics}
    for row in rows:
        for name, statistics in by_metric.items():
            statistics.append(row.get(name))
    return {name: Column.of(by_metric[name], metric.width, metric.combine) for name, metric in metrics.items()}


def subsets_of(tasks: Sequence[str], references: Sequence[str | None], clean: Sequence[bool] | None = None) -> dict[str, list[bool]]:
    """Subset to which rows are in it: ALL_TASKS, each task by name, ABNORMAL and CLEAN; none that holds no row.

    Args:
        tasks: (rows,), the task of each.
        references: (rows,), the answer to each that is held for right.
        clean: (rows,), whether training holds nothing like it; None where that is not known.
    """
    subsets = {ALL_TASKS: [True] * len(tasks)}
    subsets |= {task: [of_row == task for of_row in tasks] for task in sorted(set(tasks))}
    further = {ABNORMAL: [affirms_finding(reference or "") for reference in references], CLEAN: list(clean or ())}
    return subsets | {name: chosen for name, chosen in further.items() if any(chosen)}


def affirms_finding(text: str) -> bool:
    """Whether a text affirms one of CheXpert's findings; devices are none."""
    from radgpt.evaluation.observations import labels

    return any(label == "positive" for observation, label in labels(text).items() if observation not in ("No Finding", "Support Devices"))


def compare(
    metrics: Mapping[str, "Metric"],
    systems: Mapping[str, Columns],
    patients: Sequence[str],
    subsets: Mapping[str, Sequence[bool]],
    pairs: Sequence[tuple[str, str]],
    resampling: Resampling,
) -> Comparison:
    """Values of every system in every subset, and each pair's differences and win rates.

    P-values of a pair are adjusted by `adjusted` over the metrics of which one direction is better.

    Args:
        systems: name to its rows; all systems have the same rows in the same order.
        patients: (rows,), whose row it is.
        pairs: (one, other): tested for one minus other.
    """
    import numpy as np

    directions = {name: direction(metric) for name, metric in metrics.items() if direction(metric)}
    found = Comparison({}, {}, {}, {})
    for subset, members in subsets.items():
        chosen = np.array(members, dtype=bool)
        whose = [patient for patient, member in zip(patients, members, strict=True) if member]
        here = {system: {name: column.where(chosen) for name, column in of_metric.items()} for system, of_metric in systems.items()}
        found.rows[subset] = len(whose)
        found.estimates[subset] = {system: estimates(of_metric, whose, resampling) for system, of_metric in here.items()}
        found.differences[subset], found.win_rates[subset] = {}, {}
        for one, other in pairs:
            tested = differences(here[one], here[other], whose, resampling)
            found.differences[subset].setdefault(one, {})[other] = adjusted(tested, list(directions))
            ours, theirs = ({name: here[system][name] for name in directions} for system in (one, other))
            found.win_rates[subset].setdefault(one, {})[other] = win_rates(ours, theirs, directions, whose, resampling)
    return found


def adjusted(tested: Mapping[str, Difference], names: Sequence[str]) -> dict[str, Difference]:
    """Differences of one pair of systems, with p-values adjusted by `statistics.holm` over some of the metrics.

    Metrics in which the systems do not differ at all are no tests, as no relabelling changes anything: they do not make the others
    harder to pass (Tarone 1990, https://doi.org/10.2307/2531456, leaves out all that could never pass).
    """
    p_values = holm({name: tested[name].p_value for name in names if tested[name].differing})
    same = {name: tested[name].p_value for name in names if not tested[name].differing}
    return {name: replace(difference, p_holm=p_values.get(name, same.get(name))) for name, difference in tested.items()}


def direction(metric: "Metric") -> int:
    """1 where more is better, -1 where less is, 0 where neither is."""
    return {"higher": 1, "lower": -1, "neither": 0}[metric.better]


def outcome(difference: Difference, metric: "Metric", confidence: float) -> str:
    """What may be said of the one system: BETTER, WORSE, ALIKE (not told apart), or UNKNOWN.

    It takes both the interval, which must leave 0 out, and the adjusted test: with few patients, intervals alone are too narrow.
    UNKNOWN where no row, or only one patient's, has the metric for both, and where neither direction is better.
    """
    if difference.low is None or difference.high is None or difference.p_holm is None:
        return UNKNOWN
    if difference.p_holm > 1 - confidence or difference.low <= 0 <= difference.high:
        return ALIKE
    return BETTER if (difference.low > 0) == (direction(metric) > 0) else WORSE


def as_mapping(found: Comparison) -> dict[str, Any]:
    """All of it as plain values, nested as in `Comparison`."""
    return {
        "subsets": found.rows,
        "scores": {
            subset: {system: {name: asdict(value) for name, value in of_metric.items()} for system, of_metric in by_system.items()}
            for subset, by_system in found.estimates.items()
        },
        "differences": by_pair(found.differences),
        "win_rates": by_pair(found.win_rates),
    }


def by_pair(found: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Found]]]]) -> dict[str, Any]:
    """Subset to one system to the other to metric, as plain values."""
    return {
        subset: {
            one: {other: {name: asdict(value) for name, value in of_metric.items()} for other, of_metric in by_other.items()}
            for one, by_other in by_one.items()
        }
        for subset, by_one in found.items()
    }
