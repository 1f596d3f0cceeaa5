"""Answer a few validation prompts at each evaluation: texts into the run's folder, numbers for the curves."""

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.artifacts import write_text
from radgpt.config import Decoding

if TYPE_CHECKING:
    import datasets
    from transformers import PreTrainedTokenizerBase

SAMPLES_FILE = "samples.jsonl"
"""In the run's folder: `step`, `id` and `answer` of each sample. It holds report text and goes nowhere else."""

MAX_NEW_TOKENS = 128
"""Longest sample."""

GREEDY = Decoding(max_new_tokens=MAX_NEW_TOKENS, do_sample=False, temperature=1.0, top_p=1.0, top_k=50, repetition_penalty=1.0)


class Samples:
    """The same prompts at each evaluation, drawn by seed."""

    def __init__(
        self, rows: "datasets.Dataset | None", count: int, seed: int, tokenizer: "PreTrainedTokenizerBase", file: Path | None
    ) -> None:
        """Answer `count` of the validation rows (none where `count` is 0), and write to `file`, or nowhere on ranks other than 0."""
        chosen = random.Random(seed).sample(range(len(rows)), min(count, len(rows))) if rows is not None else []
        self._rows = [rows[number] for number in sorted(chosen)] if rows is not None else []
        self._tokenizer = tokenizer
        self._file = file

    def begin(self, step: int) -> None:
        """Forget the samples after the step that training goes on from: they come again."""
        if self._file is not None and self._file.exists():
            lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(self._file, "".join(line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step))

    def take(self, network: Any, step: int) -> dict[str, float]:
        """Answer all prompts, on every rank alike: where weights are sharded, ranks can only compute together.

        Args:
            network: the model as it is trained, not wrapped; left in evaluation mode.

        Returns:
            `sample_tokens` (mean length of an answer), `sample_ended` (share that the model ended itself) and `sample_rougeL`
            (mean ROUGE-L F1 against the references); nothing without prompts.
        """
        if not self._rows:
            return {}
        from radgpt.evaluation.overlap import rouge
        from radgpt.inference.local.decoding import Row, ends_of
        from radgpt.inference.local.network import Network
        from radgpt.inference.local.streamed_text import text_of
        from radgpt.inference.local.transformers_generate import answer_alone

        network.eval()
        answering = Network(network)
        ends = frozenset(ends_of(answering.core, self._tokenizer))
        parts = [split(row) for row in self._rows]
        # One by one: no padding, which not every attention that trains takes.
        answers = [Row(prompt, MAX_NEW_TOKENS, 0, ends) for prompt, _ in parts]
        for answer in answers:
            answer_alone(answering, answer, GREEDY, self._tokenizer.pad_token_id)
        texts = [text_of(self._tokenizer, answer.text_ids) for answer in answers]
        if self._file is not None:
            with open(self._file, "a", encoding="utf-8") as file:
                for row, text in zip(self._rows, texts, strict=True):
                    file.write(json.dumps({"step": step, "id": row["id"], "answer": text}, ensure_ascii=False) + "\n")
        references = [str(self._tokenizer.decode(reference, skip_special_tokens=True)).strip() for _, reference in parts]
        score = rouge(stemmer=False)
        overlaps = [score(text, reference) for text, reference in zip(texts, references, strict=True)]
        numbers = {
            "sample_tokens": [float(len(answer.new)) for answer in answers],
            "sample_ended": [float(answer.finish_reason == "stop") for answer in answers],
            "sample_rougeL": [overlap["rougeL"] for overlap in overlaps if overlap is not None],
        }
        return {name: sum(values) / len(values) for name, values in numbers.items() if values}


def split(row: dict[str, Any]) -> tuple[list[int], list[int]]:
    """(prompt, reference) of an example as token ids: all before its first learned token, and the learned tokens that follow.

    Of a raw report, which is learned from its first token on, the prompt is the first half.
    """
    ids, mask = list(row["input_ids"]), list(row["mask"])
    start = mask.index(1) or -(-len(ids) // 2)
    end = next((position for position in range(start, len(mask)) if not mask[position]), len(mask))
    return ids[:start], ids[start:end]
