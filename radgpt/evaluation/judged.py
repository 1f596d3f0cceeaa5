"""Have a run's answers judged, and stand the scores beside the other metrics, so that the same intervals and tests serve them."""

from collections.abc import Mapping, Sequence

from radgpt.config import DataUse, Judge
from radgpt.evaluation.comparison import Columns
from radgpt.evaluation.judge.asking import judge_answers
from radgpt.evaluation.judge.judgement import JudgedQuestion, Judgement
from radgpt.evaluation.judge.summary import PREFIX, metrics_by_row
from radgpt.evaluation.metrics import Metric, mean_metric
from radgpt.evaluation.statistics import Column
from radgpt.records import Pair, Prediction
from radgpt.run import Run
from radgpt.teacher.journal import JOURNAL_FILE, journals_in


def judged(
    run: Run, judge: Judge, asked: Sequence[Pair], predictions: Mapping[str, Sequence[Prediction]], governance: DataUse, seed: int
) -> Judgement:
    """Have a judge grade what each system answered to the same questions; raises as `judge_answers` does."""
    questions = [
        JudgedQuestion(
            pair.pair_id,
            pair.patient_id,
            pair.task,
            pair.prompt,
            rows[0].reference,
            {system: row.text for system, row in zip(predictions, rows, strict=True)},
        )
        for pair, *rows in zip(asked, *predictions.values(), strict=True)
    ]
    return judge_answers(
        judge,
        questions,
        run.governance,
        seed,
        run.directory / JOURNAL_FILE,
        earlier=journals_in(run.earlier),
        attestation=governance.attestation,
        log=lambda point: run.log(point, step_name="judge/seconds", step=point["judge/seconds"]),
        dry_run=run.dry_run,
    )


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
