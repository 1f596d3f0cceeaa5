"""The prompts behind predictions, found by id."""

from pathlib import Path

import jsonlines
import pytest

from radgpt.config import ChatPrompt
from radgpt.config import Prediction as PredictionSettings
from radgpt.inference.asked_pairs import asked_in, pairs_in
from radgpt.records import Pair, Prediction, as_row

CHAT = ChatPrompt(system="", first_turn="{report}\n\n{instruction}")


def prediction(pair_id: str) -> Prediction:
    return Prediction(pair_id, "r", "p", "t", "answer", "reference", "stop", 3)


def pair(pair_id: str, split: str) -> Pair:
    messages = [{"role": "user", "content": f"{split} {pair_id}"}, {"role": "assistant", "content": "reference"}]
    return Pair(pair_id, "r", "p", "t", split, messages, "", "", "")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for split, ids in {"train": ["a", "b"], "test": ["b", "c"]}.items():
        with jsonlines.open(tmp_path / f"{split}.jsonl", "w") as file:
            file.write_all(as_row(pair(pair_id, split)) for pair_id in ids)
    return tmp_path


def shown(rows: list[Pair] | None) -> list[str] | None:
    return None if rows is None else [row.prompt[0]["content"] for row in rows]


def test_the_configured_split_is_looked_through_first_then_the_others(dataset: Path) -> None:
    wanted = [prediction(pair_id) for pair_id in ("c", "b", "a", "b")]
    assert shown(asked_in(wanted, dataset, PredictionSettings(), CHAT)) == ["test c", "test b", "train a", "test b"]
    assert shown(asked_in(wanted, dataset, PredictionSettings(split="train"), CHAT)) == ["test c", "train b", "train a", "train b"]


def test_one_that_is_not_found_leaves_all_unknown(dataset: Path) -> None:
    assert asked_in([prediction("a"), prediction("z")], dataset, PredictionSettings(), CHAT) is None
    assert asked_in([prediction("a")], None, PredictionSettings(), CHAT) is None


def test_a_file_of_questions_is_asked_instead_of_the_dataset(dataset: Path) -> None:
    file = dataset / "questions.jsonl"
    with jsonlines.open(file, "w") as rows:
        rows.write_all([{"id": "c", "question": "Why?", "report": "Clear lungs."}, {"id": "d", "question": "Where?", "reference": "Left."}])
    found = asked_in([prediction("d"), prediction("c")], dataset, PredictionSettings(file=str(file)), CHAT)
    assert shown(found) == ["Where?", "Clear lungs.\n\nWhy?"]
    assert found is not None and [row.reference for row in found] == ["Left.", ""]
    assert asked_in([prediction("a")], dataset, PredictionSettings(file=str(file)), CHAT) is None


def test_a_split_that_is_missing_holds_no_pair(dataset: Path) -> None:
    assert pairs_in(dataset / "validation.jsonl") == []
    assert [row.pair_id for row in pairs_in(dataset / "test.jsonl")] == ["b", "c"]
