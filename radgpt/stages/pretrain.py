"""Go on pre-training the base model on raw reports."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from radgpt.config import Dataset, DeepSpeed, Method, Model, Preflight, Pretraining, Tuning, refuse
from radgpt.errors import settings_of
from radgpt.records import Report, read_records
from radgpt.run import Run
from radgpt.training.data.held_out import record_trained
from radgpt.training.fit import Course, fit
from radgpt.training.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WRITES = {"pretrained": "pretrained"}

PARALLEL = True


def run(
    run: Run,
    reports: Path,
    dataset: Dataset,
    model: Model,
    tuning: Tuning,
    pretraining: Pretraining,
    deepspeed: DeepSpeed,
    preflight: Preflight,
    seed: int,
) -> None:
    """Train on the text of reports, every token of it, and write a folder of the same form as finetune's checkpoint.

    Patients are split as their pairs will be, by `dataset`, and those of validation and test are not trained on.
    `stage=finetune` starts from it with `tuning.after_pretraining=true`; as `inputs.checkpoint` it can be measured by itself.

    Raises:
        UserError: `tuning=none`, and whatever training refuses, said of `pretraining` where it is a setting of that.
    """
    refuse(
        tuning.method is Method.none, "tuning=none trains nothing, and stage=pretrain has nothing else to do; choose tuning=full or lora"
    )

    def tokens(tokenizer: "PreTrainedTokenizerBase", shared: Path) -> Path:
        from radgpt.training.data.tokens import prepared_tokens, write_report_tokens

        return prepared_tokens(write_report_tokens, reports, pretraining, seed, tokenizer, shared, dataset)

    if run.rank == 0 and not run.dry_run:
        from radgpt.training.data.tokens import patients_of, report_splits

        splits = report_splits(patients_of(reports), dataset, seed)
        record_trained(run.directory, [patient for patient, split in splits.items() if split == "train"])
    course = Course("pretrain", "pretrained", texts=lambda: texts_of(reports), tokens=tokens)
    with settings_of("pretraining", written="training"):
        fit(run, course, Recipe(model, tuning, pretraining, deepspeed, preflight, seed))


def texts_of(reports: Path) -> Iterator[str]:
    """What the reports say."""
    return (report.text for report in read_records(reports, Report))
