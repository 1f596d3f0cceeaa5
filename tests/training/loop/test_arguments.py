"""Settings of `training` and `tuning` reach transformers and peft under their own names."""

import pytest
import torch

from radgpt.config import DeepSpeed, Dtype, Method, Model, Training, Tuning
from radgpt.errors import UserError
from radgpt.training.loop.arguments import training_arguments, weight_format

MODEL = Model(name_or_path="any/model")
LORA = Tuning(method=Method.lora, r=4, lora_alpha=8, lora_dropout=0.1)


def arguments(tmp_path, training, **given):
    return training_arguments(training, DeepSpeed(), MODEL, 3, output=tmp_path, evaluate=True, resumed=False, **given)


def test_settings_keep_their_value(tmp_path):
    training = Training(
        num_train_epochs=1.5,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=3,
        learning_rate=1e-3,
        weight_decay=0.1,
        lr_scheduler_type="linear",
        max_grad_norm=0.5,
        save_strategy="steps",
        save_steps=7,
        ddp_timeout=11,
        optim="adafactor",
        adam_beta1=0.8,
        adam_beta2=0.95,
        adam_epsilon=1e-6,
    )
    made = arguments(tmp_path, training)
    same = (
        "num_train_epochs",
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "learning_rate",
        "weight_decay",
        "lr_scheduler_type",
        "max_grad_norm",
        "save_strategy",
        "save_steps",
        "ddp_timeout",
        "optim",
        "adam_beta1",
        "adam_beta2",
        "adam_epsilon",
    )
    assert {name: getattr(made, name) for name in same} == {name: getattr(training, name) for name in same}
    assert (made.seed, made.data_seed, made.report_to) == (3, 3, [])


def test_warm_up_is_a_share_of_the_steps(tmp_path):
    assert arguments(tmp_path, Training(warmup_ratio=0.03)).get_warmup_steps(200) == 6
    assert arguments(tmp_path, Training(warmup_ratio=0.0)).get_warmup_steps(200) == 0
    assert arguments(tmp_path, Training(warmup_ratio=0.03, warmup_steps=20)).get_warmup_steps(200) == 20
    assert arguments(tmp_path, Training(warmup_ratio=0.03, warmup_steps=0)).get_warmup_steps(200) == 0


def test_the_loss_before_the_first_step_is_taken_once(tmp_path):
    def on_start(evaluate, resumed, **training):
        return training_arguments(
            Training(**training), DeepSpeed(), MODEL, 0, output=tmp_path, evaluate=evaluate, resumed=resumed
        ).eval_on_start

    assert on_start(True, False)
    assert not on_start(True, True)
    assert not on_start(False, False)
    assert not on_start(True, False, eval_strategy="no")


def test_the_best_checkpoint_is_chosen_by_what_is_measured_and_saved(tmp_path):
    made = arguments(tmp_path, Training(load_best_model_at_end=True, metric_for_best_model="eval_loss/summarization"))
    assert (made.load_best_model_at_end, made.metric_for_best_model, made.greater_is_better) == (True, "eval_loss/summarization", False)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"load_best_model_at_end": True, "eval_strategy": "no"}, "load_best_model_at_end=true needs evaluations"),
        ({"early_stopping_patience": 3, "eval_strategy": "no"}, "early_stopping_patience=3 needs evaluations"),
        ({"load_best_model_at_end": True, "save_strategy": "steps"}, "set training.save_strategy=epoch"),
        (
            {"load_best_model_at_end": True, "save_strategy": "steps", "eval_strategy": "steps", "save_steps": 10, "eval_steps": 4},
            "training.save_steps=10 must be a multiple of training.eval_steps=4",
        ),
    ],
)
def test_a_best_that_is_never_measured_or_saved_is_refused(tmp_path, settings, told):
    with pytest.raises(UserError, match=told):
        arguments(tmp_path, Training(**settings))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"warmup_steps": -1}, "warmup_steps=-1 must not be negative"),
        ({"sample_generations": -1}, "sample_generations=-1 must not be negative"),
        ({"adam_beta2": 1.0}, r"adam_beta2=1.0 must lie in \[0, 1\)"),
        ({"early_stopping_patience": 0}, "early_stopping_patience=0 must be at least 1"),
        ({"save_total_limit": 0}, "save_total_limit=0 must be at least 1"),
        ({"max_loss_spike": 1.0}, "max_loss_spike=1.0 must be above 1"),
        ({"learning_rate": float("nan")}, "learning_rate=nan must be a finite number"),
        ({"max_grad_norm": float("inf")}, "max_grad_norm=inf must be a finite number"),
        ({"max_steps": 0}, "max_steps=0 must be at least 1, or -1"),
        ({"max_steps": -7}, "max_steps=-7 must be at least 1, or -1"),
        ({"dataloader_num_workers": -1}, "dataloader_num_workers=-1 must not be negative"),
        ({"save_strategy": "weekly"}, "save_strategy=weekly is unknown; choose one of no, steps, epoch"),
        ({"eval_steps": 0}, "eval_steps=0 must be above 0"),
        ({"early_stopping_patience": 3, "eval_strategy": "no"}, "early_stopping_patience=3 needs evaluations"),
        ({"load_best_model_at_end": True, "save_strategy": "steps"}, r"set training\.save_strategy=epoch"),
    ],
)
def test_settings_out_of_range_are_refused(settings, told):
    with pytest.raises(UserError, match=told):
        Training(**settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [("save_strategy", "sometimes"), ("eval_strategy", "best"), ("lr_scheduler_type", "cosin"), ("optim", "adamw_torsh")],
)
def test_unknown_values_are_refused(tmp_path, name, value):
    with pytest.raises(UserError, match=rf"training\.{name}={value} is unknown;.* choose one of .*"):
        arguments(tmp_path, Training(**{name: value}))


@pytest.mark.parametrize("name", ["save_steps", "eval_steps", "logging_steps"])
def test_intervals_of_no_steps_are_refused(tmp_path, name):
    with pytest.raises(UserError, match=rf"training\.{name}=0 must be above 0"):
        arguments(tmp_path, Training(**{name: 0}))


def test_a_best_without_validation_pairs_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"load_best_model_at_end=true needs evaluations, and there is no validation pair"):
        training_arguments(Training(load_best_model_at_end=True), DeepSpeed(), MODEL, 0, output=tmp_path, evaluate=False, resumed=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="tells what happens on a CPU")
def test_number_formats_on_a_cpu():
    assert weight_format(MODEL, LORA, DeepSpeed()) is torch.float32
    assert weight_format(Model(name_or_path="m", dtype=Dtype.bfloat16), Tuning(), DeepSpeed()) is torch.bfloat16
    with pytest.raises(UserError, match=r"model\.dtype=float16"):
        weight_format(Model(name_or_path="m", dtype=Dtype.float16), LORA, DeepSpeed())
