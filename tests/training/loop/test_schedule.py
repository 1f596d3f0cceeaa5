"""When the Trainer evaluates, saves, logs and stops."""

from types import SimpleNamespace

from radgpt.training.loop.schedule import Schedule, evaluated_at, evaluations_since_best
from radgpt.training.watching.meter import Meter


def schedule(patience=None, log=(), step=0, max_steps=100, stops=False, eval_strategy="epoch", save_strategy="epoch"):
    """A schedule in a training of five steps an epoch, with the Trainer's arguments, state and flags."""
    meter = Meter(1, lambda: False)
    made = Schedule(meter, patience, "eval_loss")
    args = SimpleNamespace(gradient_accumulation_steps=4, eval_strategy=eval_strategy, save_strategy=save_strategy)
    state = SimpleNamespace(global_step=step, max_steps=max_steps, eval_steps=3, log_history=list(log))
    control = SimpleNamespace(should_log=False, should_evaluate=False, should_save=False, should_training_stop=False)
    evaluations = []
    made.trainer = SimpleNamespace(
        callback_handler=SimpleNamespace(train_dataloader=range(18)),
        evaluate=lambda: evaluations.append(state.global_step) or {"eval_loss": 1.0},
        _determine_best_metric=lambda metrics, trial: None,
    )
    made.on_train_begin(args, state, control)
    meter.stops = stops
    return made, args, state, control, evaluations


def flags(control):
    return {name.removeprefix("should_") for name, value in vars(control).items() if value}


def after(step, **given):
    made, args, state, control, _ = schedule(**given)
    state.global_step = step
    made.on_step_end(args, state, control)
    return flags(control)


def test_the_end_of_an_epoch_belongs_to_its_last_step():
    assert after(4) == set()
    assert after(5) == {"log", "evaluate", "save"}
    assert after(7, max_steps=7) == {"log", "evaluate", "save"}
    made, args, state, control, _ = schedule()
    control.should_evaluate = control.should_save = True
    made.on_epoch_end(args, state, control)
    assert flags(control) == set()


def test_what_is_asked_to_stop_saves_and_does_not_evaluate():
    assert after(3, stops=True) == {"log", "save", "training_stop"}
    assert after(5, stops=True) == {"log", "save", "training_stop"}


def test_a_resumed_training_makes_up_for_the_evaluation_that_was_left_out():
    *_, evaluations = schedule(step=10)
    assert evaluations == [10]
    *_, evaluations = schedule(step=10, log=[{"eval_loss": 1.0, "step": 10}])
    assert evaluations == []
    *_, evaluations = schedule(step=9)
    assert evaluations == []
    *_, evaluations = schedule(step=9, eval_strategy="steps")
    assert evaluations == [9]
    *_, evaluations = schedule(step=10, eval_strategy="no")
    assert evaluations == []


def test_a_resumed_training_may_have_nothing_left_to_do():
    assert flags(schedule(step=100, eval_strategy="no")[3]) == {"training_stop"}
    log = [{"eval_loss": 1.0, "step": 5}, {"eval_loss": 1.2, "step": 10}, {"eval_loss": 1.1, "step": 15}]
    assert flags(schedule(step=15, patience=2, log=log)[3]) == {"training_stop"}
    assert flags(schedule(step=15, patience=3, log=log)[3]) == set()


def test_evaluations_without_a_better_one():
    log = [{"eval_loss": 0.1, "step": 0}, *({"eval_loss": loss, "step": step} for step, loss in enumerate([3.0, 2.0, 2.0, 2.5], start=1))]
    assert evaluations_since_best(log, "eval_loss") == 2
    assert evaluations_since_best(log[:3], "eval_loss") == 0
    assert evaluations_since_best([], "eval_loss") == 0
    assert evaluated_at(log, 2) == {"eval_loss": 2.0, "step": 2}
    assert evaluated_at(log, 9) is None
