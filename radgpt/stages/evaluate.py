"""Score predictions, with intervals and tests, beside answers that take no model."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from radgpt import config
from radgpt.artifacts import write_text
from radgpt.config import ChatPrompt, DataUse, Evaluation, Judge
from radgpt.errors import UserError
from radgpt.evaluation import contamination
from radgpt.evaluation.comparison import ALL_TASKS, BETTER, MODEL, Columns, Comparison, as_mapping, compare, outcome, subsets_of
from radgpt.evaluation.contamination import Overlap, overlaps
from radgpt.evaluation.floors import FLOORS, floor_answers
from radgpt.evaluation.judge import rater_agreement, summary
from radgpt.evaluation.judge.human_scores import read_human_scores
from radgpt.evaluation.judged import judge_columns, judge_metrics, judged
from radgpt.evaluation.metrics import Metric
from radgpt.evaluation.overlap import rouge
from radgpt.evaluation.resampling import Resampling
from radgpt.evaluation.scoring import Scoring
from radgpt.evaluation.statistics import Estimate, estimate
from radgpt.evaluation.table import metrics_table, subsets_table, verdicts
from radgpt.inference.asked_pairs import asked_in, pairs_in
from radgpt.records import Pair, Prediction, Report, read_records
from radgpt.run import Run
from radgpt.wording import counted, share

WRITES = {"metrics": "metrics.json", "scores": "scores.jsonl"}
OPTIONAL = {"dataset": "evaluates_dataset", "reports": "evaluates_reports"}

SHOWN = ("rows", "patients", "rougeL", "chexpert_micro_f1", "clean_share", "beats_floors", "failed")

HEADLINE = "rougeL"
"""The metric by which the model is said to beat a floor, and which is told for every subset of rows."""


@dataclass(frozen=True)
class Scored:
    """What one system scored on one row; no text."""

    pair_id: str
    report_id: str
    patient_id: str
    task: str
    system: str
    """`model`, or one of FLOORS."""
    subsets: list[str]
    """Those of the subsets that the row is in, beside all and its task."""
    scores: dict[str, float | None]
    """Metric of the row alone; None where it does not apply to it."""


def run(
    run: Run,
    predictions: Path,
    dataset: Path | None,
    reports: Path | None,
    evaluation: Evaluation,
    judge: Judge,
    prediction: config.Prediction,
    prompt: ChatPrompt,
    governance: DataUse,
    seed: int,
) -> None:
    """Score the model and the floors on the same rows.

    Writes all figures (`metrics.json`) and each row's scores without any text (`scores.jsonl`).
    """
    predicted = predictions_of(predictions)
    train = pairs_in(dataset / "train.jsonl") if dataset is not None else []
    asked = asked_in(predicted, dataset, prediction, prompt)
    shared = overlaps(train, asked, evaluation.near_duplicate) if train and asked is not None else None
    human = read_human_scores(Path(evaluation.human_scores).expanduser()) if evaluation.human_scores else []
    judgement = judged(run, judge, asked_by_judge(judge, asked), {MODEL: predicted}, governance, seed) if judge.is_asked else None

    scoring = Scoring.opened(evaluation)
    systems = {MODEL: scoring.model(MODEL, predicted)}
    floors = floor_answers([row.task for row in predicted], train, asked)
    systems |= {floor: scoring.floor(floor, predicted, answers) for floor, answers in floors.items()}
    metrics = scoring.metrics
    if judgement is not None:
        metrics = {**metrics, **judge_metrics(judgement)}
        of_judge = judge_columns(judgement, [row.pair_id for row in predicted], list(systems))
        systems = {system: of_system | of_judge[system] for system, of_system in systems.items()}

    patients = [row.patient_id for row in predicted]
    clean = None if shared is None else [overlap.clean for overlap in shared]
    subsets = subsets_of([row.task for row in predicted], [row.reference for row in predicted], clean)
    resampling = Resampling(evaluation.bootstrap_samples, evaluation.confidence, seed, evaluation.permutations)
    found = compare(metrics, systems, patients, subsets, [(MODEL, floor) for floor in floors], resampling)
    differences = found.differences[ALL_TASKS].get(MODEL, {})
    beats = {floor: outcome(differences[floor][HEADLINE], metrics[HEADLINE], evaluation.confidence) == BETTER for floor in floors}
    beats_floors = all(beats.values()) if beats else None

    with run.write("scores") as write:
        for row in rows_scored(predicted, systems, subsets):
            write(row)
    agreement = rater_agreement.agreements(human, judgement, resampling) if human else None
    result = {
        "rows": len(predicted),
        "patients": len(set(patients)),
        "finish_reasons": dict(sorted(Counter(row.finish_reason for row in predicted).items())),
        "floors": {floor: FLOORS[floor] for floor in floors},
        "beats": beats,
        "beats_floors": beats_floors,
        "contamination": contamination.counts(shared),
        "summarisation_against_impression": {HEADLINE: asdict(impression_score(predicted, reports, evaluation, resampling))},
        "judge": None if judgement is None else summary.as_result(judgement, resampling),
        "judge_and_people": None if agreement is None else rater_agreement.as_result(agreement),
        **how(scoring, metrics, resampling),
        **as_mapping(found),
    }
    write_text(run.path("metrics"), json.dumps(result, indent=2, allow_nan=False) + "\n")
    run.summarise(
        rows=len(predicted),
        patients=len(set(patients)),
        **headline(found, shared),
        beats_floors=None if beats_floors is None else int(beats_floors),
        failed=judgement.failed or None if judgement else None,
    )
    tell_what_is_missing(run, train, asked, found)
    tell(run, found, metrics, list(floors), evaluation)
    tell_contamination(run, shared, evaluation.near_duplicate)
    for told in (judgement and summary.told(judgement, resampling), agreement and rater_agreement.told(agreement)):
        if told:
            run.say("\n" + "\n".join(told))


def predictions_of(file: Path) -> list[Prediction]:
    """The rows to score; raises UserError where there is none, or one without a reference."""
    predicted = list(read_records(file, Prediction))
    if not predicted:
        raise UserError(f"{file} holds no prediction; run stage=predict on a split with pairs")
    if bare := sum(row.reference is None for row in predicted):
        raise UserError(
            f"{file}: {bare} of {len(predicted)} rows have no reference to be scored against; give every question of prediction.file a "
            "`reference`, or leave those without one out"
        )
    return predicted


def asked_by_judge(judge: Judge, asked: Sequence[Pair] | None) -> Sequence[Pair]:
    """The questions that a judge is shown; raises UserError where nobody knows what was asked."""
    if asked is None:
        raise UserError(
            f"judge={judge.provider.value}: the questions of these predictions stand neither in the dataset nor in prediction.file; set "
            "inputs.dataset or prediction.file to where they are from, or judge=none"
        )
    return asked


def rows_scored(predicted: Sequence[Prediction], systems: Mapping[str, Columns], subsets: Mapping[str, Sequence[bool]]) -> Iterable[Scored]:
    """Each system's row scores, in the order of the predictions."""
    tasks = {row.task for row in predicted}
    further = {name: members for name, members in subsets.items() if name != ALL_TASKS and name not in tasks}
    for system, columns in systems.items():
        values = {name: column.values().tolist() for name, column in columns.items()}
        for place, row in enumerate(predicted):
            yield Scored(
                row.pair_id,
                row.report_id,
                row.patient_id,
                row.task,
                system,
                [name for name, members in further.items() if members[place]],
                {name: None if value[place] != value[place] else value[place] for name, value in values.items()},
            )


def impression_score(predicted: Sequence[Prediction], reports: Path | None, evaluation: Evaluation, resampling: Resampling) -> Estimate:
    """ROUGE-L of summaries against the impression that the radiologist wrote, where the report has one.

    Raises:
        UserError: a report is missing.
    """
    summaries = [row for row in predicted if row.task == "summarisation"] if reports is not None else []
    impressions = impressions_of(summaries, reports) if reports is not None and summaries else {}
    score = rouge(stemmer=evaluation.stemmer)
    pairs = [(row, impressions[row.report_id]) for row in summaries if impressions[row.report_id]]
    values = [score(row.text, impression) for row, impression in pairs]
    return estimate([value[HEADLINE] if value else None for value in values], [row.patient_id for row, _ in pairs], resampling)


def impressions_of(predicted: Sequence[Prediction], reports: Path) -> dict[str, str]:
    """Report id to its impression, empty where it has none; raises UserError where a report that predictions are about is missing."""
    wanted = {row.report_id for row in predicted}
    found = {
        report.report_id: report.sections.get("impression", "") for report in read_records(reports, Report) if report.report_id in wanted
    }
    if missing := len(wanted) - len(found):
        raise UserError(f"{reports} lacks {missing} of the {len(wanted)} reports that were predicted on; set inputs.reports to their file")
    return found


def how(scoring: Scoring, metrics: Mapping[str, Metric], resampling: Resampling) -> dict[str, Any]:
    """What a reader needs to make the same figures again, and to compare them with others'."""
    return {
        "statistics": {
            **asdict(resampling),
            "interval": "percentile bootstrap over patients",
            "test": "paired permutation of systems within patients, two-sided; (k + 1) / (N + 1), exact where all permutations were taken",
            "p_holm": "adjusted by Holm's method over the metrics in which one pair of systems differs in one subset",
        },
        "metrics": {
            name: {"label": metric.label, "group": metric.group, "better": metric.better, "top": metric.top}
            for name, metric in metrics.items()
        },
        "signatures": scoring.about,
        "packages": {package: version(package) for package in ("numpy", "rouge-score", "sacrebleu", "scikit-learn")},
    }


def headline(found: Comparison, shared: Sequence[Overlap] | None) -> dict[str, float | None]:
    """The model's figures over all rows, ROUGE-L of each floor, the model's ROUGE-L in each subset, and how much of the test is clean."""
    overall = found.estimates[ALL_TASKS]
    shown = {metric: value.value for metric, value in overall[MODEL].items()}
    shown |= {f"{HEADLINE}_{system}": of_metric[HEADLINE].value for system, of_metric in overall.items() if system != MODEL}
    shown |= {f"{HEADLINE}_{subset}": by[MODEL][HEADLINE].value for subset, by in found.estimates.items() if subset != ALL_TASKS}
    return shown | {"clean_share": None if shared is None else sum(row.clean for row in shared) / len(shared)}


def tell_what_is_missing(run: Run, train: Sequence[Pair], asked: Sequence[Pair] | None, found: Comparison) -> None:
    """Print which floors there cannot be, and which rows have no score, and why."""
    if not train:
        run.say("evaluate: no training pairs at hand, so there is no majority floor, no nearest one, and nothing known of contamination")
    if asked is None:
        run.say("evaluate: the prompts stand neither in the dataset nor in prediction.file, so there is no lead, copy or nearest floor")
    unscored = found.rows[ALL_TASKS] - found.estimates[ALL_TASKS][MODEL][HEADLINE].rows
    if unscored:
        run.say(f"evaluate: {unscored} references have no Latin letter or digit; ROUGE cannot score them and leaves them out")


def tell(run: Run, found: Comparison, metrics: Mapping[str, Metric], floors: Sequence[str], evaluation: Evaluation) -> None:
    """Print the tables and the verdicts."""
    confidence, metric = evaluation.confidence, metrics[HEADLINE]
    run.say(
        f"\nall, {counted(found.rows[ALL_TASKS], 'row')}: model [{confidence:.0%} interval over patients]; model is + better than, - worse "
        "than, = not told from"
    )
    run.say(metrics_table(found, metrics, MODEL, floors, confidence))
    run.say(f"\n{metric.label} by task and subset, with rows")
    run.say(subsets_table(found, metric, MODEL, floors, confidence))
    if floors:
        tested = sum(
            of_metric.p_holm is not None and of_metric.differing > 0
            for of_metric in found.differences[ALL_TASKS][MODEL][floors[0]].values()
        )
        run.say(f"\n{metric.label} against the floors (p by Holm's method over {counted(tested, 'metric')}): the model")
        run.say("\n".join(verdicts(found, metric, MODEL, floors, confidence)))


def tell_contamination(run: Run, shared: Sequence[Overlap] | None, near_duplicate: float) -> None:
    """Print how much of the test stands in training."""
    counts = contamination.counts(shared)
    if counts is None:
        return
    rows = counts["rows"]
    run.say(
        f"\ncontamination: of {counted(rows, 'input')}, {counts['report']} ({share(counts['report'], rows)}) stand in training word for "
        f"word, {counts['near_report']} ({share(counts['near_report'], rows)}) at least nearly (ROUGE-L {near_duplicate:g}); "
        f"{counts['patient']} are of patients in training; {counts['clean']} are clean"
    )
