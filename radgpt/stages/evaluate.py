"""Score predictions, with intervals, beside answers that take no model."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from radgpt.artifacts import write_text
from radgpt.config import Evaluation
from radgpt.errors import UserError
from radgpt.evaluation.comparison import ALL_TASKS, MODEL, Estimates, Scored, beats, compare, verdict
from radgpt.evaluation.floors import lead_sentence, majority_answers
from radgpt.evaluation.metrics import USE_STEMMER, scorer
from radgpt.evaluation.statistics import Difference, Estimate, Resampling, estimate
from radgpt.evaluation.table import metrics_table
from radgpt.records import Pair, Prediction, Report, read_records
from radgpt.run import Run

WRITES = {"metrics": "metrics.json", "scores": "scores.jsonl"}


def run(run: Run, predictions: Path, dataset: Path, reports: Path, evaluation: Evaluation, seed: int) -> None:
    """Score the model and two floors on the same rows: the train split's most frequent answer for the task, and the report's lead.

    Writes the metrics with intervals (`metrics.json`) and each row's scores without any text (`scores.jsonl`).
    """
    predicted = list(read_records(predictions, Prediction))
    if not predicted:
        raise UserError(f"{predictions} holds no prediction; run stage=predict on a split with pairs")
    asked_about = reports_of(predicted, reports)

    systems: dict[str, Callable[[Prediction], str]] = {MODEL: lambda row: row.text}
    train = dataset / "train.jsonl"
    majority = majority_answers(read_records(train, Pair)) if train.exists() else None
    if majority is None:
        run.say(f"evaluate: no pair in {train}, so there is no majority floor")
    else:
        systems["majority"] = lambda row: majority(row.task)
    systems["lead"] = lambda row: lead_sentence(asked_about[row.report_id])

    score = scorer()
    scored = {
        system: [
            Scored(row.pair_id, row.report_id, row.patient_id, row.task, system, score(answer(row), row.reference or ""))
            for row in tqdm(predicted, desc=f"evaluate: {system}", unit=" rows", disable=None)
        ]
        for system, answer in systems.items()
    }
    resampling = Resampling(evaluation.bootstrap_samples, evaluation.confidence, seed)
    estimates, differences = compare(scored, resampling)
    impression = impression_score(predicted, asked_about, resampling)
    patients = len({row.patient_id for row in predicted})
    unscored = sum(row.scores["rougeL"] is None for row in scored[MODEL])
    beats_floors = all(beats(of_metric["rougeL"], evaluation.confidence) for of_metric in differences[ALL_TASKS].values())

    with run.write("scores") as write:
        for rows in scored.values():
            for row in rows:
                write(row)
    result = {
        "rows": len(predicted),
        "patients": patients,
        "finish_reasons": {reason: sum(row.finish_reason == reason for row in predicted) for reason in ("stop", "length", "overlong")},
        "rouge": {
            "package": f"rouge-score {version('rouge-score')}",
            "stemmer": USE_STEMMER,
            "measure": "F1",
            "rows_without_words": unscored,
        },
        "intervals": {**asdict(resampling), "method": "percentile bootstrap over patients"},
        "scores": {task: {system: as_rows(found) for system, found in by.items()} for task, by in estimates.items()},
        "summarisation_against_impression": {"rougeL": asdict(impression)},
        "model_minus_floor": {task: {floor: as_rows(found) for floor, found in by.items()} for task, by in differences.items()},
        "beats_floors": beats_floors,
    }
    write_text(run.path("metrics"), json.dumps(result, indent=2) + "\n")

    run.summarise(rows=len(predicted), patients=patients, **headline(estimates), beats_floors=int(beats_floors))
    run.say(metrics_table(estimates, evaluation.confidence))
    if unscored:
        run.say(f"evaluate: {unscored} references have no Latin letter or digit; ROUGE cannot score them and leaves them out")
    run.say(f"evaluate: {verdict(differences, evaluation.confidence)}")


def reports_of(predicted: list[Prediction], reports: Path) -> dict[str, Report]:
    """Report id to report, for those that predictions are about; raises UserError where one is missing."""
    wanted = {row.report_id for row in predicted}
    found = {report.report_id: report for report in read_records(reports, Report) if report.report_id in wanted}
    if missing := len(wanted) - len(found):
        raise UserError(f"{reports} lacks {missing} of the {len(wanted)} reports that were predicted on; set inputs.reports to their file")
    return found


def impression_score(predicted: list[Prediction], asked_about: dict[str, Report], resampling: Resampling) -> Estimate:
    """ROUGE-L of summaries against the impression that the radiologist wrote, where the report has one."""
    score = scorer()
    values, patients = [], []
    for row in predicted:
        impression = asked_about[row.report_id].sections.get("impression")
        if row.task == "summarisation" and impression:
            values.append(score(row.text, impression)["rougeL"])
            patients.append(row.patient_id)
    return estimate(values, patients, resampling)


def headline(estimates: Estimates) -> dict[str, float | None]:
    """The model's means over all rows, ROUGE-L of each floor, and the model's ROUGE-L task by task."""
    overall = estimates[ALL_TASKS]
    shown = {metric: found.mean for metric, found in overall[MODEL].items()}
    shown |= {f"rougeL_{system}": of_metric["rougeL"].mean for system, of_metric in overall.items() if system != MODEL}
    return shown | {f"rougeL_{task}": by_system[MODEL]["rougeL"].mean for task, by_system in estimates.items() if task != ALL_TASKS}


def as_rows(found: Mapping[str, Estimate | Difference]) -> dict[str, dict[str, Any]]:
    """Metric to the plain fields of its estimate or difference."""
    return {metric: asdict(value) for metric, value in found.items()}
