"""What a configuration may hold: one dataclass for each group, units beside each field, rules beside what they guard."""

from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from typing import Any

from radgpt.config.data import HOST_NAME, Data, DataUse, ExportReports, Governance, Sectioning, Source, SplitPolicy
from radgpt.config.engine import DeepSpeed, Launch, Launcher, OffloadDevice, OffloadOptimizer, OffloadParam, Preflight, Zero
from radgpt.config.evaluation import EXTRAS, Compare, Evaluation, Rate
from radgpt.config.export import Export
from radgpt.config.inference import SAMPLE, ApiEngine, Backend, Chat, Decoding, Prediction, Serve
from radgpt.config.instruction_data import (
    AnswerPrompt,
    ChatPrompt,
    Dataset,
    DuplicateScope,
    InstructionPrompt,
    Instructions,
    Language,
    Narrative,
    Prompt,
    Review,
)
from radgpt.config.markers import refuse
from radgpt.config.model import Dtype, Method, Model, ModelSource, Quantization, Tuning
from radgpt.config.teacher import RUBRICS, Budget, Grading, Judge, Provider, Service, Teacher, TeacherMode
from radgpt.config.tracking import Wandb, WandbMode
from radgpt.config.training import Batching, Pretraining, TooLong, Training

__all__ = [
    "EXTRAS",
    "HOST_NAME",
    "RUBRICS",
    "SAMPLE",
    "AnswerPrompt",
    "ApiEngine",
    "Backend",
    "Batching",
    "Budget",
    "Chat",
    "ChatPrompt",
    "Compare",
    "Config",
    "Data",
    "DataUse",
    "Dataset",
    "Decoding",
    "DeepSpeed",
    "Dtype",
    "DuplicateScope",
    "Evaluation",
    "Export",
    "ExportReports",
    "Governance",
    "Grading",
    "Inputs",
    "InstructionPrompt",
    "Instructions",
    "Judge",
    "Language",
    "Launch",
    "Launcher",
    "Method",
    "Model",
    "ModelSource",
    "Narrative",
    "OffloadDevice",
    "OffloadOptimizer",
    "OffloadParam",
    "Prediction",
    "Preflight",
    "Pretraining",
    "Prompt",
    "Provider",
    "Quantization",
    "Rate",
    "Review",
    "Sectioning",
    "Serve",
    "Service",
    "Source",
    "SplitPolicy",
    "Teacher",
    "TeacherMode",
    "TooLong",
    "Training",
    "Tuning",
    "WandbMode",
    "Zero",
    "as_mapping",
    "refuse",
]


@dataclass
class Inputs:
    """Files to read instead of what an earlier stage made, by artifact name."""

    reports: str | None = None
    raw_instructions: str | None = None
    instructions: str | None = None
    raw_answers: str | None = None
    dataset: str | None = None
    pretrained: str | None = None
    checkpoint: str | None = None
    exported: str | None = None
    predictions: str | None = None
    compared_answers: str | None = None


@dataclass
class Config:
    """The whole configuration."""

    name: str = "default"
    """The experiment: W&B group and folder under `outputs`."""
    stage: str = "pipeline"
    pipeline: list[str] = field(default_factory=list)
    """Stages that `stage=pipeline` runs, in order."""
    seed: int = 0
    outputs: str = "outputs"
    force: bool = False
    """Run a stage again although its outcome exists."""
    dry_run: bool = False
    """Tell what a stage would take, and do nothing: a teacher stage's calls, tokens and cost, a training stage's memory and steps."""
    objective: str | None = None
    """Headline metric that a sweeper optimises, such as `eval_loss`."""
    cache: str = "~/.cache/radgpt"
    """Folder for converted models."""
    models: dict[str, str] = field(default_factory=dict)
    """More models to talk to and compare: name to the settings by which each differs, as on the command line: `{base: "tuning=none"}`.
    The configuration's own model is `this`, unless a name without settings is given to it."""
    inputs: Inputs = field(default_factory=Inputs)
    data: Data = field(default_factory=Data)
    governance: DataUse = field(default_factory=DataUse)
    export_reports: ExportReports = field(default_factory=ExportReports)
    prompt: Prompt = field(default_factory=Prompt)
    instructions: Instructions = field(default_factory=Instructions)
    dataset: Dataset = field(default_factory=Dataset)
    teacher: Teacher = field(default_factory=Teacher)
    model: Model = field(default_factory=Model)
    tuning: Tuning = field(default_factory=Tuning)
    training: Training = field(default_factory=Training)
    pretraining: Pretraining = field(default_factory=Pretraining)
    deepspeed: DeepSpeed = field(default_factory=DeepSpeed)
    launch: Launch = field(default_factory=Launch)
    preflight: Preflight = field(default_factory=Preflight)
    export: Export = field(default_factory=Export)
    wandb: Wandb = field(default_factory=Wandb)
    decoding: Decoding = field(default_factory=Decoding)
    prediction: Prediction = field(default_factory=Prediction)
    evaluation: Evaluation = field(default_factory=Evaluation)
    judge: Judge = field(default_factory=Judge)
    compare: Compare = field(default_factory=Compare)
    rate: Rate = field(default_factory=Rate)
    backend: Backend = field(default_factory=Backend)
    chat: Chat = field(default_factory=Chat)
    serve: Serve = field(default_factory=Serve)
    review: Review = field(default_factory=Review)

    def __post_init__(self) -> None:
        refuse(not 0 <= self.seed < 2**32, f"seed={self.seed} must lie between 0 and 2**32 - 1")

    @property
    def needs_checkpoint(self) -> bool:
        """Whether the model that answers is one that `stage=finetune` leaves: not one behind an endpoint, nor a base as it is published."""
        if not self.backend.in_process:
            return False
        return self.tuning.method is not Method.none or self.model.source is ModelSource.tiny or self.inputs.checkpoint is not None

    @property
    def page_needs_checkpoint(self) -> bool:
        """Whether `stage=serve` shows a model that `stage=finetune` leaves: not where it serves the exported one as an API."""
        return self.needs_checkpoint and not self.serve.api

    @property
    def page_offers_samples(self) -> bool:
        """Whether reports of the test split are offered on the page of `stage=serve`."""
        return self.chat.wants_sample and not self.serve.api

    @property
    def evaluates_dataset(self) -> bool:
        """Whether predictions are scored with a dataset at hand: not where they answer a file, unless a dataset is given with it."""
        return self.prediction.of_dataset or self.inputs.dataset is not None

    @property
    def evaluates_reports(self) -> bool:
        """Whether predictions are scored with the reports behind them at hand: not where only a dataset of the user's is."""
        return self.inputs.reports is not None or (self.prediction.of_dataset and self.inputs.dataset is None)


def as_mapping(section: Any) -> dict[str, Any]:
    """A section as plain values: sections inside it as dictionaries, enums by name."""
    return {
        name: as_mapping(value) if is_dataclass(value) else value.name if isinstance(value, Enum) else value
        for name, value in vars(section).items()
    }
