"""A Trainer of transformers' on micro-batches and with a loss of our own."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.config import Training
from radgpt.errors import UserError
from radgpt.run import Run
from radgpt.training.data.batching import MicroBatches
from radgpt.training.data.collation import collator
from radgpt.training.data.prefixes import shared_with_previous
from radgpt.training.data.tokens import Tokens
from radgpt.training.engine.ranks import wait_for_all
from radgpt.training.engine.world_size import to_universal
from radgpt.training.loop.interrupts import Interrupts
from radgpt.training.loop.keeper import room_for
from radgpt.training.loop.loss import selects_logits, summed_loss
from radgpt.training.loop.validation import validate
from radgpt.training.watching.meter import Meter
from radgpt.training.watching.samples import SAMPLES_FILE, Samples
from radgpt.training.watching.speed import Speed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, TrainingArguments


class Pieces:
    """What the Trainer is given beside its arguments."""

    def __init__(self, run: Run, tokens: Tokens, training: Training, tokenizer: "PreTrainedTokenizerBase", seed: int) -> None:
        """For the tokens, on each rank alike."""
        import pyarrow.compute

        self.run = run
        self.training = training
        self.seed = seed
        self.validation = tokens.validation
        self.train_rows = tokens.train.select_columns(["input_ids", "mask"])
        self.lengths: list[int] = pyarrow.compute.list_value_length(tokens.train.data.column("input_ids")).to_pylist()
        self.names = tokens.train["id"]
        shared = shared_with_previous(tokens.train) if training.share_prefixes else None
        self.batches = MicroBatches(self.lengths, training, run.world_size, run.rank, seed, shared)
        self.collate = collator(training, int(tokenizer.pad_token_id), tokenizer.bos_token_id)
        self.interrupts = Interrupts()
        self.meter = Meter(run.world_size, lambda: self.interrupts.asked)
        self.samples = Samples(
            tokens.validation, training.sample_generations, seed, tokenizer, run.directory / SAMPLES_FILE if run.rank == 0 else None
        )

    def examples_of(self, step: int) -> list[list[str]]:
        """The ids of the examples in each micro-batch of an optimizer step (from 1) of all ranks, as `Guard` takes them."""
        steps_in_epoch = -(-len(self.batches) // self.training.gradient_accumulation_steps)
        self.batches.set_epoch((step - 1) // steps_in_epoch)
        chosen = next(islice(self.batches.steps(), (step - 1) % steps_in_epoch, None))
        return [[self.names[row] for row in batch] for batch in chosen]


def build_trainer(
    model: Any, arguments: "TrainingArguments", pieces: Pieces, speed: Speed, watchers: list[Any], universal: bool = False
) -> Any:
    """A Trainer with our micro-batches, and losses that are exact means over the learned tokens of a step, and of all validation.

    Its order of examples follows from the seed and the epoch alone, so that a resumed training goes on with the same one.
    """
    from torch.utils.data import DataLoader
    from transformers import PrinterCallback, Trainer

    run, meter = pieces.run, pieces.meter
    selects = selects_logits(model.get_base_model() if hasattr(model, "get_base_model") else model)

    class EpochLoader(DataLoader[Any]):
        def set_epoch(self, epoch: int) -> None:
            pieces.batches.set_epoch(epoch)

    class TokenTrainer(Trainer):
        def get_train_dataloader(self) -> Any:
            import torch

            # Not prepared by accelerate, which would split among ranks what is split already. Workers are seeded by a generator of
            # their own: drawing from torch's would shift the dropout that follows.
            return EpochLoader(
                pieces.train_rows,
                batch_sampler=pieces.batches,
                collate_fn=pieces.collate,
                num_workers=self.args.dataloader_num_workers,
                pin_memory=self.args.dataloader_pin_memory,
                generator=torch.Generator().manual_seed(pieces.seed),
            )

        def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: Any) -> tuple[list[Any], Any]:
            meter.begin()
            batches = list(islice(epoch_iterator, num_batches))
            return batches, meter.took(batches, device)

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            total, _ = summed_loss(model, inputs, selects)
            # DDP and DeepSpeed take the mean over ranks of what each gives; the count is that of all of them.
            loss = total / num_items_in_batch * run.world_size
            meter.losses.append(loss.detach())
            return loss

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            # Kept in checkpoints, with the rest of the log.
            super().log(logs | (speed.since_last(self.state.num_input_tokens_seen) if "loss" in logs else {}), start_time)

        def floating_point_ops(self, inputs: Any) -> int:
            return 0

        def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
            norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
            meter.grad_norm = None if norm is None else float(norm)
            return norm

        def evaluate(self, *given: Any, **settings: Any) -> dict[str, float]:
            args = self.args
            with self.compute_loss_context_manager():
                found = validate(
                    self.model_wrapped,
                    selects,
                    pieces.validation,
                    pieces.collate,
                    pieces.training,
                    run.rank,
                    run.world_size,
                    args.device,
                )
                metrics = found.metrics | {
                    f"eval_{name}": value for name, value in pieces.samples.take(self.model, self.state.global_step).items()
                }
            refuse_unknown_metric(args.metric_for_best_model, metrics, pieces.training)
            self.log(metrics)
            self.control = self.callback_handler.on_evaluate(args, self.state, self.control, metrics)
            return metrics

        def _run_epoch(self, *given: Any, **settings: Any) -> None:
            # A resumed training may have nothing left to do; the Trainer would take one more step.
            if not self.control.should_training_stop:
                super()._run_epoch(*given, **settings)  # type: ignore[no-untyped-call]

        def _load_best_model(self) -> None:
            if universal:
                if run.rank == 0:
                    to_universal(Path(str(self.state.best_model_checkpoint)))
                wait_for_all()
            super()._load_best_model()

        def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
            super()._save(output_dir, None if state_dict is None else without_copies(self.model, state_dict))

        def _save_checkpoint(self, *given: Any, **settings: Any) -> None:
            with room_for(Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"):
                super()._save_checkpoint(*given, **settings)

    trainer = TokenTrainer(
        model=model,
        args=arguments,
        train_dataset=pieces.train_rows,
        eval_dataset=pieces.validation,
        callbacks=[listening(w) for w in watchers],
    )
    trainer.remove_callback(PrinterCallback)
    # The Trainer leaves the loss as it is.
    trainer.model_accepts_loss_kwargs = True
    return trainer


def listening(watcher: Any) -> Any:
    """A watcher as a TrainerCallback: it has the methods of one that it needs, and gets the rest from it.

    The base class cannot stand where watchers are defined, as transformers is imported only where it is used.
    """
    from transformers import TrainerCallback

    watcher.__class__ = type(type(watcher).__name__, (type(watcher), TrainerCallback), {})
    return watcher


def without_copies(model: Any, state: dict[str, Any]) -> dict[str, Any]:
    """A model's state without tied weights' second names: DeepSpeed's is a copy of each, which no longer shows that they are one."""
    once, all_names = (dict(model.named_parameters(remove_duplicate=each)).keys() for each in (True, False))
    return {name: value for name, value in state.items() if name not in all_names - once}


def refuse_unknown_metric(metric: str | None, metrics: dict[str, float], training: Training) -> None:
    """Raise UserError where `metric_for_best_model` is wanted and is no loss that an evaluation gives."""
    wanted = training.load_best_model_at_end or training.early_stopping_patience is not None
    losses = [name for name in metrics if not name.startswith("eval_sample_")]
    if wanted and metric not in losses:
        raise UserError(f"training.metric_for_best_model={metric} is none of {', '.join(losses)}")
