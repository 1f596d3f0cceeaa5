"""What a finished stage and a finished line say on the console."""

from radgpt import stages
from radgpt.execute import next_commands


def test_measuring_the_base_model_leaves_out_how_it_was_tuned() -> None:
    talk, page, base, sweep = next_commands(["model=tiny", "stage=pipeline", "tuning=lora", "tuning.r=4"]).splitlines()
    assert "model=tiny tuning=none" in base and "tuning.r" not in base
    assert all("model=tiny tuning=lora tuning.r=4" in line for line in (talk, page, sweep))


def test_the_last_line_tells_what_the_stage_shows_of_its_metrics() -> None:
    metrics = {"rows": 8, "rouge1": 0.5, "rougeL": 0.51239, "rougeL_lead": 0.1, "beats_floors": 1}
    assert stages.load("evaluate").headline(metrics) == " | rows 8, rougeL 0.5124, beats_floors 1"
    assert stages.load("predict").headline(metrics) == " | rows 8, rouge1 0.5, rougeL 0.5124, rougeL_lead 0.1, beats_floors 1"
    assert stages.load("predict").headline({}) == ""
