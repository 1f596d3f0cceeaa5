"""Answer the questions of a split or of a file with a model, wherever it runs."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from radgpt import config, records
from radgpt.config import Backend, ChatPrompt, DataUse, Decoding, Model
from radgpt.errors import UserError
from radgpt.inference.backend import OVERLONG, STOP, Answer, Question
from radgpt.inference.questions import Asked, of_file, of_split
from radgpt.run import Run
from radgpt.teacher.journal import JOURNAL_FILE

WRITES = {"predictions": "predictions.jsonl"}
OPTIONAL = {"dataset": "prediction.of_dataset", "checkpoint": "needs_checkpoint"}

POINTS = 100
"""Points that the curve of a run's speed has."""


def run(
    run: Run,
    dataset: Path | None,
    checkpoint: Path | None,
    model: Model,
    backend: Backend,
    decoding: Decoding,
    prediction: config.Prediction,
    prompt: ChatPrompt,
    governance: DataUse,
    seed: int,
) -> None:
    """Write one Prediction for each question, in the order of the questions.

    Who answers is the run's own model, which `checkpoint`, `model` and `backend` describe. Every answer stands in a journal in the run's
    folder before its row is written: a killed run goes on from there and ends in the same bytes, but for the last digits of
    `reference_nll`. A prompt that fills the model's window gets an empty answer with the finish reason `overlong`, so that it counts
    against the model.
    """
    from radgpt.inference.opening import open_models

    asked = questions_of(dataset, prediction, prompt)
    total = counted(asked(), prediction)
    told = Told()
    ours = next(iter(run.models.values()))
    with (
        open_models(
            {ours.name: ours},  # not beside the others, for whom its adapter would be held apart from the base
            cache=run.cache,
            governance=run.governance,
            attestation=governance.attestation,
            batch_size=prediction.batch_size,
            earlier=run.earlier,
            dry_run=run.dry_run,
        ) as models,
        progress(run, total) as show,
        run.write("predictions") as write,
    ):

        def made(answer: Answer) -> None:
            told.now(answer)
            show(told)

        answers = models.open(ours.name).answer(
            (question(row, prediction.score_references) for row in asked()), decoding, seed, run.directory / JOURNAL_FILE, made
        )
        for row, answer in zip(asked(), answers, strict=True):
            write(predicted(row, answer))
            told.written(answer)
            show(told)
    if overlong := told.reasons[OVERLONG]:
        run.say(f"predict: {overlong} of {total} prompts leave no room in the model's window; they count as unanswered")
    run.summarise(**told.metrics())


def questions_of(dataset: Path | None, prediction: config.Prediction, prompt: ChatPrompt) -> Callable[[], Iterator[Asked]]:
    """A function that reads the questions from their beginning, so that files of any size need no room in memory."""
    if dataset is not None:
        file = dataset / f"{prediction.split}.jsonl"
        return lambda: islice(of_split(file), prediction.limit)
    path = prediction.file
    assert path is not None  # what OPTIONAL says
    return lambda: islice(of_file("prediction.file", path, prompt), prediction.limit)


def counted(asked: Iterator[Asked], prediction: config.Prediction) -> int:
    """How many questions there are; all of them are read, so that a line that is wrong ends the run before a model is loaded.

    Raises:
        UserError: there is none, or a line is wrong.
    """
    total = sum(1 for _ in asked)
    if not total and prediction.file is not None:
        raise UserError(f"prediction.file={prediction.file} holds no question")
    if not total:
        raise UserError(f"prediction.split={prediction.split} holds no pair; choose another split, or make more reports with dataset.*")
    return total


def question(row: Asked, score_references: bool) -> Question:
    """What the model is asked."""
    return Question(row.pair_id, row.messages, row.reference if score_references else None)


def predicted(row: Asked, answer: Answer) -> records.Prediction:
    """The row that is written of a question and its answer."""
    return records.Prediction(
        pair_id=row.pair_id,
        report_id=row.report_id,
        patient_id=row.patient_id,
        task=row.task,
        text=answer.text,
        reference=row.reference,
        finish_reason=answer.finish_reason,
        new_tokens=answer.new_tokens,
        reference_nll=answer.reference_nll,
        reference_tokens=answer.reference_tokens,
    )


@dataclass
class Told:
    """What is counted while answers come."""

    rows: int = 0
    """Written."""
    made: int = 0
    """Answers made in this process; the others stood in the journal."""
    made_tokens: int = 0
    new_tokens: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    nll: float = 0.0
    reference_tokens: int = 0
    started: float = field(default_factory=time.perf_counter)

    def now(self, answer: Answer) -> None:
        """Count an answer that was just made."""
        self.made += 1
        self.made_tokens += answer.new_tokens

    def written(self, answer: Answer) -> None:
        """Count an answer whose row is written."""
        self.rows += 1
        self.reasons[answer.finish_reason] += 1
        self.new_tokens += answer.new_tokens
        if answer.reference_nll is not None:
            self.nll += answer.reference_nll
            self.reference_tokens += answer.reference_tokens

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens generated a second in this process, reading of prompts and scoring of references included; None if it made none."""
        return self.made_tokens / (time.perf_counter() - self.started) if self.made_tokens else None

    def metrics(self) -> dict[str, float | None]:
        """The run's headline metrics: counts of every finish reason among them."""
        return {
            "rows": self.rows,
            **{reason: times for reason, times in sorted(self.reasons.items())},
            "stopped_share": self.reasons[STOP] / self.rows,
            "mean_new_tokens": self.new_tokens / self.rows,
            "reference_perplexity": math.exp(self.nll / self.reference_tokens) if self.reference_tokens else None,
            "tokens_per_second": self.tokens_per_second,
        }


@contextmanager
def progress(run: Run, total: int) -> Iterator[Callable[[Told], None]]:
    """A bar on the console and a curve of the speed in W&B; gives the function that moves both on."""
    logged = 0
    with tqdm(total=total, desc="predict", unit=" rows", disable=None) as bar:

        def show(told: Told) -> None:
            nonlocal logged
            # Answers are made in the order that suits the backend, and rows are written in their own.
            if (reached := max(told.made, told.rows)) > bar.n:
                if told.tokens_per_second:
                    bar.set_postfix({"tokens/s": f"{told.tokens_per_second:.1f}"}, refresh=False)
                bar.update(reached - bar.n)
            if told.made * POINTS // total > logged and told.tokens_per_second:
                logged = told.made * POINTS // total
                run.log({"predict/tokens_per_second": told.tokens_per_second}, step_name="predict/answers", step=told.made)

        yield show
