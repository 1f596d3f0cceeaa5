"""Stand a judge's scores beside the other metrics, so that the same intervals and tests serve them."""

from collections.abc import Mapping, Sequence

from radgpt.evaluation.comparison import Columns
from radgpt.evaluation.judge.judgement import Judgement
from radgpt.evaluation.judge.summary import PREFIX, metrics_by_row
from radgpt.evaluation.metrics import Metric, mean_metric
from radgpt.evaluation.statistics import Column


def judge_metrics(judgement: Judgement) -> dict[str, Metric]:
    """A metric for each criterion."""
    return {
        f"{PREFIX}{criterion}": mean_metric(f"{PREFIX}{criterion}", f"judge: {criterion}", "judge", top=judgement.highest)
        for criterion in judgement.criteria
    }


def judge_columns(judgement: Judgement, ids: Sequence[str], systems: Sequence[str]) -> dict[str, Columns]:
    """System to its scores by metric, in the order of the questions; None where nothing usable was said of an answer."""
    by_row: Mapping[tuple[str, str], Mapping[str, float | None]] = metrics_by_row(judgement)
    return {
        system: {name: Column.of_scores([by_row.get((id, system), {}).get(name) for id in ids]) for name in judge_metrics(judgement)}
        for system in systems
    }
