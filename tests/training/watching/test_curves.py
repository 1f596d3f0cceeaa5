"""What W&B is sent, and what it is sent again after a kill."""

from types import SimpleNamespace

from radgpt.run import Run
from radgpt.training.watching.curves import SINCE_FILE, Curves

LOG = [
    {"eval_loss": 3.0, "eval_perplexity": 20.1, "step": 0},
    {"loss": 2.5, "grad_norm": 1.0, "tokens_seen": 10.0, "step": 1},
    {"loss": 2.0, "grad_norm": 0.5, "tokens_seen": 20.0, "step": 2},
]


class Recorder:
    def __init__(self):
        self.points = []

    def log(self, metrics, step_name, step):
        assert step_name == "train/step"
        self.points.append((step, dict(metrics)))


def curves(folder, rank=0):
    recorder = Recorder()
    return Curves(Run(directory=folder, writes={}, tracker=recorder, rank=rank), "finetune"), recorder


def state(step, log=()):
    return SimpleNamespace(global_step=step, max_steps=9, log_history=list(log))


def test_names(tmp_path, capsys):
    made, recorder = curves(tmp_path)
    made.on_log(None, state(2), None, {"loss": 2.0, "mfu": 0.4, "train_runtime": 1.0, "step": 2})
    made.on_log(None, state(2), None, {"eval_loss": 1.0, "eval_perplexity": 2.7, "eval_loss/summarization": 0.9})
    made.on_log(None, state(2), None, {"train_runtime": 9.0})
    assert recorder.points == [
        (2, {"train/loss": 2.0, "train/mfu": 0.4}),
        (2, {"eval/loss": 1.0, "eval/perplexity": 2.7, "eval/loss/summarization": 0.9}),
    ]
    assert "finetune: step 2 of 9, validation loss 1.0000, perplexity 2.7" in capsys.readouterr().out


def test_points_that_a_kill_may_have_cost_are_sent_again(tmp_path):
    curves(tmp_path)[0].on_train_begin(None, state(0), None)
    again, recorder = curves(tmp_path)
    again.on_train_begin(None, state(2, LOG), None)
    assert [step for step, _ in recorder.points] == [0, 1, 2]
    assert recorder.points[1] == (1, {"train/loss": 2.5, "train/grad_norm": 1.0, "train/tokens_seen": 10.0})


def test_after_an_orderly_end_nothing_is_sent_twice(tmp_path):
    first, _ = curves(tmp_path)
    first.on_train_begin(None, state(0), None)
    first.close()
    second, recorder = curves(tmp_path)
    second.on_train_begin(None, state(2, LOG), None)
    assert recorder.points == []
    # Killed now: what the first one sent is safe.
    third, recorder = curves(tmp_path)
    third.on_train_begin(None, state(3, [*LOG, {"loss": 1.5, "step": 3}]), None)
    assert recorder.points == [(3, {"train/loss": 1.5})]


def test_other_ranks_leave_it_to_the_first(tmp_path):
    other, recorder = curves(tmp_path, rank=1)
    other.on_train_begin(None, state(0), None)
    other.close()
    assert not (tmp_path / SINCE_FILE).exists() and recorder.points == []
