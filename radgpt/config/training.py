"""How it is trained."""

import math
from dataclasses import dataclass
from enum import Enum

from radgpt.config.markers import operational, refuse
from radgpt.errors import settings_of


class TooLong(Enum):
    """What becomes of an example above `training.model_max_length`: left out, or its report cut from the end; counted either way."""

    drop = "drop"
    cut_report = "cut_report"


class Batching(Enum):
    """How examples become micro-batches.

    `padded`, `grouped` and `padding_free` take the same examples into an optimizer step and give the same gradients: padded in
    the order drawn; padded among examples of similar length; or laid end to end without padding, balanced by tokens. `packed`
    fills rows of `model_max_length` tokens with whole examples by best fit, so that a step holds more of them.
    """

    padded = "padded"
    grouped = "grouped"
    padding_free = "padding_free"
    packed = "packed"


STRATEGIES = ("no", "steps", "epoch")
"""When the Trainer saves, or evaluates."""


@dataclass
class Training:
    """How it is trained, named as in transformers' TrainingArguments."""

    model_max_length: int = 4096
    """Longest training example, in tokens."""
    too_long: TooLong = TooLong.drop
    faithful: bool = False
    """Make token files and batches as the original Radiology-GPT does, after Stanford Alpaca with `<s>` as its padding token. Only for
    `batching: padded`, and only to repeat its results; where the tokenizer has a token that opens texts:

    - that token pads, and is masked out of attention wherever it stands, the start of each example included;
    - prompts are counted without it, so that the mask is one token short: the prompt's last token is learned too (with several
      answers, as many tokens before each as such tokens stand before it);
    - an example above `model_max_length` is cut on the right, answer and end token included, and none is dropped."""
    batching: Batching = Batching.padding_free
    share_prefixes: bool = False
    """Compute what examples of a row have in common at their beginning (a system message, a report that several questions are about)
    once for all of them, which changes no gradient; with `batching: packed`, neighbours that share most of it are put into one row."""
    max_train_samples: int | None = None
    max_eval_samples: int | None = None
    """Use only so many pairs of the split, drawn by seed."""
    num_train_epochs: float = 3.0
    max_steps: int = -1
    """Optimizer steps; above 0 it overrides `num_train_epochs`."""
    per_device_train_batch_size: int = 4
    """Micro-batch: examples a device takes at once; with `batching: packed`, rows of `model_max_length` tokens."""
    per_device_eval_batch_size: int = 4
    gradient_accumulation_steps: int = 8
    learning_rate: float = 2e-4
    weight_decay: float = 0.0
    optim: str = "adamw_torch_fused"
    """As transformers names optimizers (`adamw_torch_fused`, `paged_adamw_8bit`, ...)."""
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    neftune_noise_alpha: float | None = None
    """Strength of the noise on input embeddings (NEFTune, arXiv 2310.05914); null: none."""
    warmup_ratio: float = 0.03
    warmup_steps: int | None = None
    """Optimizer steps of warm-up; where set, it stands instead of `warmup_ratio`."""
    lr_scheduler_type: str = "cosine"
    max_grad_norm: float = 1.0
    gradient_checkpointing: bool = True
    save_strategy: str = "epoch"
    save_steps: float = operational(500)
    save_total_limit: int | None = operational(2)
    eval_strategy: str = "epoch"
    eval_steps: float | None = None
    sample_generations: int = operational(2)
    """Validation prompts answered greedily at each evaluation; their text is kept in the run's folder alone."""
    load_best_model_at_end: bool = False
    """Keep the checkpoint with the best `metric_for_best_model` rather than the last."""
    metric_for_best_model: str = "eval_loss"
    early_stopping_patience: int | None = None
    """Evaluations without a better `metric_for_best_model` after which training ends; null: it goes to the end."""
    max_loss_spike: float | None = 10.0
    """A step whose loss exceeds this many times the median of the last steps' ends the training; null: only NaN and infinity do."""
    fsdp: bool = False
    """Shard weights, gradients and optimizer states by PyTorch's FSDP2 instead of DeepSpeed."""
    logging_steps: int = operational(1)
    workers: int | None = operational()
    """Processes that tokenise; null: one for each CPU core."""
    dataloader_num_workers: int = operational(0)
    ddp_timeout: int = operational(18000)
    """Seconds that a rank waits for the others."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            refuse(isinstance(value, float) and not math.isfinite(value), f"training.{name}={value} must be a finite number")
        for name in (
            "model_max_length",
            "num_train_epochs",
            "per_device_train_batch_size",
            "per_device_eval_batch_size",
            "gradient_accumulation_steps",
            "learning_rate",
        ):
            refuse(getattr(self, name) <= 0, f"training.{name}={getattr(self, name)} must be above 0")
        for name in ("max_train_samples", "max_eval_samples"):
            value = getattr(self, name)
            refuse(value is not None and value < 1, f"training.{name}={value} must be at least 1")
        refuse(not 0 <= self.warmup_ratio < 1, f"training.warmup_ratio={self.warmup_ratio} must lie in [0, 1)")
        refuse(self.workers is not None and self.workers < 1, f"training.workers={self.workers} must be at least 1")
        refuse(
            self.max_steps < 1 and self.max_steps != -1,
            f"training.max_steps={self.max_steps} must be at least 1, or -1 to train for training.num_train_epochs",
        )
        self._refuse_misplanned()
        if self.faithful:
            refuse(
                self.batching is not Batching.padded,
                f"training.faithful=true pads as the original does, not training.batching={self.batching.value}; set "
                "training.batching=padded",
            )
            refuse(
                self.too_long is not TooLong.drop,
                f"training.faithful=true cuts long examples on the right, not by training.too_long={self.too_long.value}; leave that out",
            )
        refuse(
            self.share_prefixes and self.batching not in (Batching.padding_free, Batching.packed),
            f"training.share_prefixes=true has no meaning with training.batching={self.batching.value}; choose packed or padding_free",
        )
        refuse(self.warmup_steps is not None and self.warmup_steps < 0, f"training.warmup_steps={self.warmup_steps} must not be negative")
        for name in ("sample_generations", "weight_decay", "max_grad_norm", "adam_epsilon", "dataloader_num_workers"):
            refuse(getattr(self, name) < 0, f"training.{name}={getattr(self, name)} must not be negative")
        for name in ("adam_beta1", "adam_beta2"):
            refuse(not 0 <= getattr(self, name) < 1, f"training.{name}={getattr(self, name)} must lie in [0, 1)")
        for name in ("early_stopping_patience", "save_total_limit"):
            value = getattr(self, name)
            refuse(value is not None and value < 1, f"training.{name}={value} must be at least 1")
        refuse(
            self.neftune_noise_alpha is not None and self.neftune_noise_alpha <= 0,
            f"training.neftune_noise_alpha={self.neftune_noise_alpha} must be above 0; null adds no noise",
        )
        refuse(
            self.max_loss_spike is not None and self.max_loss_spike <= 1, f"training.max_loss_spike={self.max_loss_spike} must be above 1"
        )

    def _refuse_misplanned(self) -> None:
        """Refuse times of saving and evaluating that there are not, or of which the best checkpoint or an early end cannot come."""
        for name in ("save_strategy", "eval_strategy"):
            value = getattr(self, name)
            refuse(value not in STRATEGIES, f"training.{name}={value} is unknown; choose one of {', '.join(STRATEGIES)}")
        for name in ("save_steps", "eval_steps", "logging_steps"):
            value = getattr(self, name)
            refuse(value is not None and value <= 0, f"training.{name}={value} must be above 0")
        best, patience = self.load_best_model_at_end, self.early_stopping_patience
        asked = "training.load_best_model_at_end=true" if best else f"training.early_stopping_patience={patience}"
        refuse(
            (best or patience is not None) and self.eval_strategy == "no",
            f"{asked} needs evaluations: set training.eval_strategy=epoch or steps",
        )
        refuse(
            best and self.save_strategy != self.eval_strategy,
            f"{asked} keeps what is saved when it is evaluated: set training.save_strategy={self.eval_strategy}, "
            "as training.eval_strategy is",
        )
        every = self.eval_steps or self.logging_steps
        refuse(
            best and self.eval_strategy == "steps" and (self.save_steps / every) % 1 > 1e-9,
            f"{asked}: training.save_steps={self.save_steps:g} must be a multiple of training.eval_steps={every:g}",
        )


@dataclass
class Pretraining(Training):
    """`stage=pretrain`: continued pre-training on raw reports, with settings of its own under the same names."""

    def __post_init__(self) -> None:
        with settings_of("pretraining", written="training"):
            super().__post_init__()
        windows = "has no meaning with raw reports: one above pretraining.model_max_length is cut into windows, and none is lost"
        refuse(self.too_long is not TooLong.drop, f"pretraining.too_long={self.too_long.value} {windows}; leave it out")
        refuse(self.faithful, "pretraining.faithful=true has no meaning: the original Radiology-GPT does not pre-train; leave it out")
