"""What a finished line proposes can be typed as it stands."""

from radgpt.execute import next_commands


def test_measuring_the_base_model_leaves_out_how_it_was_tuned() -> None:
    talk, base, sweep = next_commands(["model=tiny", "stage=pipeline", "tuning=lora", "tuning.r=4"]).splitlines()
    assert "model=tiny tuning=none" in base and "tuning.r" not in base
    assert all("model=tiny tuning=lora tuning.r=4" in line for line in (talk, sweep))
