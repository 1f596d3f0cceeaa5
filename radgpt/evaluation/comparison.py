"""Set the model's scores beside those of the floors, over all rows and task by task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radgpt.evaluation.metrics import METRICS
from radgpt.evaluation.statistics import Difference, Estimate, Resampling, estimate, paired_difference

MODEL = "model"
ALL_TASKS = "all"


@dataclass(frozen=True)
class Scored:
    """What one system scored on one row; no text."""

    pair_id: str
    report_id: str
    patient_id: str
    task: str
    system: str
    """`model`, or a floor: `majority`, `lead`."""
    scores: dict[str, float | None]
    """Metric to score; None where the metric does not apply to the row."""


Estimates = dict[str, dict[str, dict[str, Estimate]]]
"""Task (`all` first) to system to metric."""

Differences = dict[str, dict[str, dict[str, Difference]]]
"""Task (`all` first) to floor to metric."""


def compare(scored: Mapping[str, Sequence[Scored]], resampling: Resampling) -> tuple[Estimates, Differences]:
    """Means with intervals, and model minus each floor.

    Args:
        scored: System to its rows; the systems hold the same pairs in the same order.
    """
    estimates: Estimates = {}
    differences: Differences = {}
    tasks = sorted({row.task for row in scored[MODEL]})
    for task in [ALL_TASKS, *tasks]:
        chosen = {system: [row for row in rows if task in (ALL_TASKS, row.task)] for system, rows in scored.items()}
        patients = [row.patient_id for row in chosen[MODEL]]
        values = {system: {metric: [row.scores[metric] for row in rows] for metric in METRICS} for system, rows in chosen.items()}
        estimates[task] = {
            system: {metric: estimate(column, patients, resampling) for metric, column in columns.items()}
            for system, columns in values.items()
        }
        differences[task] = {
            floor: {metric: paired_difference(values[MODEL][metric], column, patients, resampling) for metric, column in columns.items()}
            for floor, columns in values.items()
            if floor != MODEL
        }
    return estimates, differences


def beats(difference: Difference, confidence: float) -> bool:
    """Whether model minus floor lies above 0 by its interval and by its test: with few patients, intervals alone are too narrow."""
    return (difference.low or 0) > 0 and tells_apart(difference, confidence)


def tells_apart(difference: Difference, confidence: float) -> bool:
    """Whether the test refuses that both are equally good."""
    return difference.p_value is not None and difference.p_value <= 1 - confidence


def verdict(differences: Differences, confidence: float, metric: str = "rougeL") -> str:
    """One line: whether the model beats each floor, over all rows."""
    parts = []
    for floor, of_metric in differences[ALL_TASKS].items():
        found = of_metric[metric]
        if found.mean is None:
            parts.append(f"cannot be compared with {floor} (no row has a score)")
        elif found.low is None:
            parts.append(f"cannot be told from {floor} ({found.mean:+.3f}, but one patient gives no interval)")
        else:
            worse = (found.high or 0) < 0 and tells_apart(found, confidence)
            word = "beats" if beats(found, confidence) else "is worse than" if worse else "does not beat"
            parts.append(f"{word} {floor} ({found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}], p = {found.p_value:.3g})")
    return f"{METRICS[metric]}: the model " + " and ".join(parts)
