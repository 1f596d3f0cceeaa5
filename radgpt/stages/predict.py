"""Answer the prompts of one split with the trained model."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from radgpt import config, records
from radgpt.config import Decoding, Model
from radgpt.errors import UserError
from radgpt.inference.generation import Answer, Answerer, Batch, context_window, plan_batches
from radgpt.records import Pair, read_records
from radgpt.run import Run
from radgpt.teacher.journal import Journal

WRITES = {"predictions": "predictions.jsonl"}

OVERLONG = Answer(text="", finish_reason="overlong", new_tokens=0)


def run(run: Run, dataset: Path, checkpoint: Path, model: Model, decoding: Decoding, prediction: config.Prediction, seed: int) -> None:
    """Answer each pair's prompt, longest first, and write the answers in the split's order.

    Each finished batch is kept in a journal in the run's folder: a killed run goes on after its last batch and ends in the
    same bytes. A prompt that fills the model's window gets an empty answer with the finish reason `overlong`, so that it
    counts against the model.
    """
    from radgpt.chat_format import prompt_ids
    from radgpt.models import load_trained

    pairs = list(islice(read_records(dataset / f"{prediction.split}.jsonl", Pair), prediction.limit))
    if not pairs:
        raise UserError(f"prediction.split={prediction.split} holds no pair; choose another split, or make more reports with dataset.*")
    network, tokenizer = load_trained(checkpoint, model, run.cache)
    prompts = [prompt_ids(tokenizer, pair.prompt) for pair in pairs]
    window = context_window(network)
    batches, overlong = plan_batches(list(map(len, prompts)), prediction.batch_size, decoding.max_new_tokens, window)
    if overlong:
        run.say(f"predict: {len(overlong)} of {len(pairs)} prompts fill the model's window of {window} tokens; they count as unanswered")

    answerer = Answerer(network, tokenizer, decoding, seed)
    with Journal(run.directory / "answers.journal.jsonl") as journal:
        answered, tokens_per_second = answer_batches(run, answerer, pairs, prompts, batches, journal)
    answers = [answered.get(row, OVERLONG) for row in range(len(pairs))]

    with run.write("predictions") as write:
        for pair, answer in zip(pairs, answers, strict=True):
            write(
                records.Prediction(
                    pair_id=pair.pair_id,
                    report_id=pair.report_id,
                    patient_id=pair.patient_id,
                    task=pair.task,
                    text=answer.text,
                    reference=pair.reference,
                    finish_reason=answer.finish_reason,
                    new_tokens=answer.new_tokens,
                )
            )
    run.summarise(
        rows=len(pairs),
        overlong=len(overlong),
        stopped_share=sum(answer.finish_reason == "stop" for answer in answers) / len(pairs),
        mean_new_tokens=sum(answer.new_tokens for answer in answers) / len(pairs),
        tokens_per_second=tokens_per_second,
    )


def answer_batches(
    run: Run, answerer: Answerer, pairs: Sequence[Pair], prompts: Sequence[list[int]], batches: Sequence[Batch], journal: Journal
) -> tuple[dict[int, Answer], float | None]:
    """Answer the batches that do not stand in the journal yet.

    Returns:
        Position of each pair to its answer; tokens generated a second in this process, None if all came from the journal.
    """
    answers: dict[int, Answer] = {}
    tokens, seconds = 0, 0.0
    with tqdm(total=sum(len(batch.rows) for batch in batches), desc="predict", unit=" answers", disable=None) as bar:
        for step, batch in enumerate(batches, start=1):
            work = ([pairs[row].pair_id for row in batch.rows], [prompts[row] for row in batch.rows], batch.max_new_tokens)
            key = answerer.key(*work)
            if kept := journal.get(key):
                done = [Answer(**answer) for answer in kept["answers"]]
            else:
                start = time.perf_counter()
                done = answer_or_explain(answerer, *work)
                seconds += time.perf_counter() - start
                tokens += sum(answer.new_tokens for answer in done)
                journal.put(key, {"answers": [asdict(answer) for answer in done]})
                journal.sync()
                run.log({"predict/tokens_per_second": tokens / seconds}, step_name="predict/batch", step=step)
                bar.set_postfix({"tokens/s": f"{tokens / seconds:.1f}"}, refresh=False)
            answers |= dict(zip(batch.rows, done, strict=True))
            bar.update(len(batch.rows))
    return answers, tokens / seconds if tokens else None


def answer_or_explain(answerer: Answerer, names: list[str], prompts: list[list[int]], max_new_tokens: int) -> list[Answer]:
    """The answers; raises UserError naming the setting where the device has too little memory."""
    import torch

    try:
        return answerer.answer(names, prompts, max_new_tokens)
    except torch.OutOfMemoryError:
        raise UserError(
            f"prediction.batch_size: {len(prompts)} prompts of up to {max(map(len, prompts))} tokens do not fit into the device's memory; "
            "choose a smaller one"
        ) from None
