"""The training benchmark gives every library the same chats, and radgpt settings that it knows."""

import json
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from conftest import composed

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from training import ANSWER_WORDS, PROMPT_WORDS, Bench, made_up_chats, prepare, radgpt, ways

from radgpt.config import Batching


def test_made_up_chats_are_as_long_as_real_ones():
    messages = [[message["content"] for message in pair.messages] for pair in made_up_chats(400, "train")]
    prompts = [len(f"{system} {user}".split()) for system, user, _ in messages]
    answers = [len(answer.split()) for _, _, answer in messages]
    for lengths, deciles in ((prompts, PROMPT_WORDS), (answers, ANSWER_WORDS)):
        assert deciles[0] <= min(lengths) and max(lengths) <= deciles[-1]
        assert sorted(lengths)[200] == pytest.approx(deciles[5], rel=0.15)
    reports = {user.partition("\n\n")[0] for _, user, _ in messages}
    assert len(reports) / len(messages) == pytest.approx(3137 / 5074, abs=0.05)


def test_all_read_the_same_chats(tmp_path):
    bench = prepare(tmp_path, None, pairs=6, validation=2)
    chats = [json.loads(line)["messages"] for line in (tmp_path / "chats.jsonl").read_text().splitlines()]
    assert chats == [json.loads(line)["messages"] for line in (tmp_path / "dataset" / "train.jsonl").read_text().splitlines()]
    assert (len(chats), bench.pad_token_id) == (6, 0)


def test_radgpts_command_line_is_valid():
    bench = Bench(Path("inputs"), 0)
    for mode in Batching:
        training = composed(*radgpt(mode.value)(bench, Path("out"))).training
        assert (training.batching, training.num_train_epochs, training.save_strategy) == (mode, 1, "no")


def test_libraries_without_a_python_are_left_out():
    options = Namespace(only=None, trl_python="python", llamafactory_python=None, axolotl_python=None)
    assert [way.name for way in ways(options) if not way.name.startswith("radgpt")] == ["alpaca", "trl", "trl_packed"]
