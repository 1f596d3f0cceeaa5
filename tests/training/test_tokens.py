"""Pairs become ids and masks; what is too long is counted, never cut."""

import pytest
import torch

from radgpt.artifacts import write_records
from radgpt.config import Model, ModelSource, Training
from radgpt.errors import UserError
from radgpt.models import load_tokenizer
from radgpt.records import Pair
from radgpt.training.tiny import make_tiny
from radgpt.training.tokens import Collator, drawn, read_tokens, write_tokens


def pair(number: int, split: str, answer: str) -> Pair:
    messages = [{"role": "user", "content": f"Report {number}. Effusion?"}, {"role": "assistant", "content": answer}]
    return Pair(f"{number}/0", str(number), str(number), "question_answering", split, messages, "", "", "")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    model = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=16, tiny_layers=1, tiny_vocab_size=300)
    make_tiny(model, ["Report 1. Effusion?", "No."], 0, folder)
    return load_tokenizer(model, str(folder))


@pytest.fixture
def dataset(tmp_path):
    for split, answers in (("train", ["No.", "Yes. " * 100, "Small.", "Large."]), ("validation", ["No."])):
        with write_records(tmp_path / f"{split}.jsonl") as write:
            for number, answer in enumerate(answers):
                write(pair(number, split, answer))
    return tmp_path


def test_pairs_that_are_too_long_are_dropped_whole_and_counted(dataset, tokenizer):
    write_tokens(dataset, Training(model_max_length=100), 0, tokenizer, dataset / "tokens")
    tokens = read_tokens(dataset / "tokens")
    assert tokens.dropped_too_long == 1
    learned = [tokenizer.decode([i for i, m in zip(row["input_ids"], row["mask"], strict=True) if m]) for row in tokens.train]
    assert learned == ["No.<|end|>", "Small.<|end|>", "Large.<|end|>"]
    assert len(tokens.validation) == 1


def test_no_pair_short_enough(dataset, tokenizer):
    with pytest.raises(UserError, match=r"training\.model_max_length=5: all 4 training pairs are longer"):
        write_tokens(dataset, Training(model_max_length=5), 0, tokenizer, dataset / "tokens")
    assert not (dataset / "tokens").exists()


def test_a_dataset_without_validation_pairs(dataset, tokenizer):
    (dataset / "validation.jsonl").write_text("")
    write_tokens(dataset, Training(), 0, tokenizer, dataset / "tokens")
    assert read_tokens(dataset / "tokens").validation is None


def test_samples_are_drawn_by_seed_and_keep_their_order(dataset):
    def ids(seed):
        return [pair.pair_id for pair in drawn(dataset / "train.jsonl", 2, seed)]

    assert ids(1) == ids(1) == sorted(ids(1))
    assert len({tuple(ids(seed)) for seed in range(20)}) > 1
    assert [pair.pair_id for pair in drawn(dataset / "train.jsonl", 9, 0)] == ["0/0", "1/0", "2/0", "3/0"]


def test_labels_go_by_the_mask_though_the_padding_token_also_ends_turns():
    end = 7
    batch = Collator(pad_token_id=end)(
        [{"input_ids": [1, 2, end], "mask": [0, 1, 1]}, {"input_ids": [3, 4, 5, 6, end], "mask": [0, 0, 0, 1, 1]}]
    )
    assert torch.equal(batch["input_ids"], torch.tensor([[1, 2, 7, 7, 7], [3, 4, 5, 6, 7]]))
    assert torch.equal(batch["attention_mask"], torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]))
    assert torch.equal(batch["labels"], torch.tensor([[-100, 2, 7, -100, -100], [-100, -100, -100, 6, 7]]))
