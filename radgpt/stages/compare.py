"""Compare models on the same questions: a table with intervals and tests, win rates, and a page with answers side by side."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import combinations, product
from math import isnan
from pathlib import Path
from typing import Any

from radgpt import config
from radgpt.artifacts import digest, write_text
from radgpt.config import ChatPrompt, Compare, DataUse, Evaluation, Judge
from radgpt.errors import UserError
from radgpt.evaluation.compared import Answering, Compared, pair_lines
from radgpt.evaluation.comparison import ALL_TASKS, Columns, affirms_finding, subsets_of
from radgpt.evaluation.comparison import compare as side_by_side
from radgpt.evaluation.contamination import counts, overlaps
from radgpt.evaluation.extras import extra_metrics
from radgpt.evaluation.floors import FLOORS, floor_answers
from radgpt.evaluation.judge import rater_agreement
from radgpt.evaluation.judge.human_scores import read_human_scores
from radgpt.evaluation.judge.summary import PREFIX, as_result, told
from radgpt.evaluation.judged import judge_columns, judge_metrics, judged
from radgpt.evaluation.metrics import METRICS
from radgpt.evaluation.model_facts import facts_of
from radgpt.evaluation.page.comparison_page import html
from radgpt.evaluation.resampling import Resampling
from radgpt.evaluation.same_questions import aligned
from radgpt.evaluation.scoring import Scoring
from radgpt.evaluation.table import metrics_table, subsets_table
from radgpt.inference.asked_pairs import asked_in, pairs_in
from radgpt.records import ComparedAnswer, Pair, Prediction, read_records
from radgpt.run import Run
from radgpt.validation import suggestion
from radgpt.wording import counted

WRITES = {"comparison": "comparison.json", "page": "comparison.html", "compared_answers": "compared_answers.jsonl"}
OPTIONAL = {"dataset": "evaluates_dataset"}

CONSOLE = (
    *("rouge1", "rouge2", "rougeL", "bleu", "chrf"),
    *("findings", "numbers", "laterality", "chexpert_micro_f1"),
    *("ended_itself", "perplexity"),
)
"""Metrics that the console shows, beside the one compared by and those of extras and judges."""


def run(
    run: Run,
    dataset: Path | None,
    compare: Compare,
    evaluation: Evaluation,
    judge: Judge,
    prediction: config.Prediction,
    prompt: ChatPrompt,
    governance: DataUse,
    seed: int,
) -> None:
    """Score every model and the floors on the same rows, and set them side by side.

    Whose predictions they are says `compare.predictions`, filled before the stage runs. Writes all figures (`comparison.json`), and, with
    texts, the page (`comparison.html`) and each question with all answers and scores (`compared_answers.jsonl`).
    """
    human = read_human_scores(Path(evaluation.human_scores).expanduser()) if evaluation.human_scores else []
    files = {model: Path(file).expanduser() for model, file in compare.predictions.items()}
    refuse_unfit(compare, evaluation, judge, list(files))
    scoring = Scoring.opened(evaluation)
    predictions = aligned({model: list(read_records(file, Prediction)) for model, file in files.items()})
    ours = next(iter(predictions.values()))
    asked = asked_in(ours, dataset, prediction, prompt)
    if asked is None:
        raise UserError(
            "compare: the questions of these predictions stand neither in the dataset nor in prediction.file; set inputs.dataset or "
            "prediction.file to where they are from"
        )
    train = pairs_in(dataset / "train.jsonl") if dataset is not None else []
    shared = overlaps(train, asked, evaluation.near_duplicate) if train else None

    judgement = judged(run, judge, asked, predictions, governance, seed) if judge.is_asked else None
    metrics = {**scoring.metrics, **(judge_metrics(judgement) if judgement else {})}
    if compare.metric not in metrics:
        raise no_metric(compare.metric, list(metrics))
    floors = floor_answers([row.task for row in ours], train, asked)
    systems = {model: scoring.model(f"compare: {model}", rows) for model, rows in predictions.items()}
    systems |= {floor: scoring.floor(f"compare: {floor}", ours, texts) for floor, texts in floors.items()}
    if judgement:
        of_judge = judge_columns(judgement, [row.pair_id for row in ours], list(systems))
        systems = {system: of_system | of_judge[system] for system, of_system in systems.items()}

    resampling = Resampling(evaluation.bootstrap_samples, evaluation.confidence, seed, evaluation.permutations)
    patients = [row.patient_id for row in ours]
    clean = None if shared is None else [overlap.clean for overlap in shared]
    subsets = subsets_of([row.task for row in ours], [row.reference for row in ours], clean)
    found = side_by_side(metrics, systems, patients, subsets, list(combinations(files, 2)), resampling)
    # Floors are tested over all rows only: most of the time that a comparison takes is tests.
    against_floors = side_by_side(metrics, systems, patients, {ALL_TASKS: subsets[ALL_TASKS]}, list(product(files, floors)), resampling)
    for one, tested in against_floors.differences[ALL_TASKS].items():
        found.differences[ALL_TASKS].setdefault(one, {}).update(tested)
        found.win_rates[ALL_TASKS].setdefault(one, {}).update(against_floors.win_rates[ALL_TASKS][one])
    agreement = rater_agreement.agreements(human, judgement, resampling) if human else None
    compared = Compared(
        models=list(files),
        floors=list(floors),
        metrics=metrics,
        metric=compare.metric,
        found=found,
        rows=answers_of(asked, predictions, systems),
        questions=[question_of(pair) for pair in asked],
        abnormal=[affirms_finding(row.reference or "") for row in ours],
        contamination=counts(shared),
        answering={model: Answering.of(predictions[model], facts_of(file)) for model, file in files.items()},
        resampling=resampling,
        judgement=as_result(judgement, resampling) if judgement else None,
        people=rater_agreement.as_result(agreement) if agreement else None,
    )
    write_all(run, compared, facts(scoring, dataset, files, seed), compare.examples)
    run.summarise(**headline(compared), failed=judgement.failed or None if judgement else None)
    tell(run, compared)
    for lines in (judgement and told(judgement, resampling), agreement and rater_agreement.told(agreement)):
        if lines:
            run.say("\n" + "\n".join(lines))
    run.say(f"\ncompare: plots, and answers side by side, are in {run.path('page')}")


def refuse_unfit(compare: Compare, evaluation: Evaluation, judge: Judge, models: Sequence[str]) -> None:
    """Raise UserError for a name that a floor has, and, before anything is paid for, for a metric that there will not be."""
    if taken := next((model for model in models if model in FLOORS), None):
        raise UserError(f"models.{taken}: a floor has that name, which stands beside the models; choose another")
    known = [*METRICS, *extra_metrics(evaluation), *([f"{PREFIX}…"] if judge.is_asked else [])]
    if compare.metric not in known and not (judge.is_asked and compare.metric.startswith(PREFIX)):
        raise no_metric(compare.metric, known)


def no_metric(metric: str, known: Sequence[str]) -> UserError:
    """What is said of a metric that there is none of."""
    near = suggestion(metric, list(known), "compare.metric={}")
    return UserError(f"compare.metric={metric} is no metric here{near}; there are {', '.join(known)}")


def answers_of(
    asked: Sequence[Pair], predictions: Mapping[str, Sequence[Prediction]], systems: Mapping[str, Columns]
) -> list[ComparedAnswer]:
    """Each question with every model's answer and its scores."""
    values = {model: {name: column.values().tolist() for name, column in systems[model].items()} for model in predictions}
    return [
        ComparedAnswer(
            pair.pair_id,
            pair.report_id,
            pair.patient_id,
            pair.task,
            pair.prompt,
            rows[0].reference,
            {model: row.text for model, row in zip(predictions, rows, strict=True)},
            {
                model: {name: None if isnan(of_row[place]) else of_row[place] for name, of_row in values[model].items()}
                for model in predictions
            },
        )
        for place, (pair, *rows) in enumerate(zip(asked, *predictions.values(), strict=True))
    ]


def question_of(pair: Pair) -> str:
    """What is asked last, without the report where it is known where that ends."""
    last = pair.prompt[-1]["content"]
    if pair.report_span is None or sum(message["role"] == "user" for message in pair.prompt) > 1:
        return last
    start, end = pair.report_span
    return f"{last[:start].strip()}\n{last[end:].strip()}".strip()


def facts(scoring: Scoring, dataset: Path | None, files: Mapping[str, Path], seed: int) -> dict[str, str]:
    """How the comparison was made, for the page."""
    evaluation = scoring.evaluation
    return {
        **{f"Predictions of {model}": f"sha256:{digest(file)}" for model, file in files.items()},
        **({"Dataset": f"sha256:{digest(dataset)}"} if dataset is not None else {}),
        **{LABELS.get(name, name): told_plainly(about) for name, about in scoring.about.items()},
        "Intervals": f"percentile bootstrap over patients, {evaluation.bootstrap_samples:,} resamples",
        "Tests": f"paired permutation within patients, up to {evaluation.permutations:,} relabellings, two-sided",
        "Seed": str(seed),
        "Made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by radgpt {version('radgpt')}",
    }


LABELS = {"rouge": "ROUGE"} | {name: metric.label for name, metric in METRICS.items()}
"""What makes scores comparable, to what it is called."""


def told_plainly(about: Any) -> str:
    """What makes a score comparable, in one line."""
    return about if isinstance(about, str) else json.dumps(about, ensure_ascii=False)


def write_all(run: Run, compared: Compared, facts: Mapping[str, str], examples: int) -> None:
    """Write the stage's files, and hand W&B the table of scores."""
    with run.write("compared_answers") as write:
        for row in compared.rows:
            write(row)
    write_text(run.path("comparison"), json.dumps(compared.as_result(), indent=2, allow_nan=False) + "\n")
    write_text(run.path("page"), html(compared, run.governance, facts, examples))
    values = compared.found.estimates[ALL_TASKS]
    run.log_scores("scores", {system: {name: found.value for name, found in of_metric.items()} for system, of_metric in values.items()})
    run.log_texts(
        "answers",
        ["id", "question", "reference", *compared.models],
        (
            [row.pair_id, question, row.reference, *row.answers.values()]
            for row, question in list(zip(compared.rows, compared.questions, strict=True))[:examples]
        ),
    )


def headline(compared: Compared) -> dict[str, float | int | str | None]:
    """How many questions, every system's value of the metric compared by, and the model that beats all others in it, if one does."""
    values = compared.found.estimates[ALL_TASKS]
    return {
        "rows": len(compared.rows),
        "patients": compared.patients,
        "models": len(compared.models),
        **{f"{compared.metric}_{system}": of_metric[compared.metric].value for system, of_metric in values.items()},
        "best": compared.best,
    }


def tell(run: Run, compared: Compared) -> None:
    """Print the tables and who beats whom; all metrics stand on the page."""
    first, *others = [*compared.models, *compared.floors]
    metric, confidence = compared.metrics[compared.metric], compared.resampling.confidence
    run.say(
        f"\nall, {counted(len(compared.rows), 'row')}: {first} [{confidence:.0%} interval over patients]; {first} is + better than, "
        "- worse than, = not told from"
    )
    shown = {name: of for name, of in compared.metrics.items() if name in (*CONSOLE, compared.metric) or of.group in ("extra", "judge")}
    run.say(metrics_table(compared.found, shown, first, others, confidence))
    run.say(f"\n{metric.label} by task and subset, with rows")
    run.say(subsets_table(compared.found, metric, first, others, confidence))
    run.say(f"\n{metric.label}, question by question (p by Holm's method over {counted(len(compared.pairs), 'pair')} of models)")
    run.say("\n".join(pair_lines(compared)))
