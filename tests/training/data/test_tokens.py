"""Pairs and reports become ids and masks: what is too long is counted, and equal tokens are made once."""

import json
import threading
import time
from dataclasses import replace

import pytest
from model_families import CHATML, LLAMA2, QWEN3, with_template

from radgpt.artifacts import write_records
from radgpt.chat_format import prompt_ids
from radgpt.config import Batching, Dataset, TooLong, Training
from radgpt.errors import UserError
from radgpt.records import Pair, Report
from radgpt.training.data import tokenise, tokens
from radgpt.training.data.collation import collator
from radgpt.training.data.tokens import SplitCounts, prepared_tokens, read_tokens, tokens_key, write_report_tokens, write_tokens

QUESTION = "Is there an effusion?"


def pair(number: int, split: str, answer: str, report: str = "Clear lungs.", known: bool = True) -> Pair:
    content = f"Report: {report}\n\n{QUESTION}"
    span = [len("Report: "), len("Report: ") + len(report)] if known else None
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": content},
        {"role": "assistant", "content": answer},
    ]
    return Pair(f"{number}/0", str(number), str(number), "question_answering", split, messages, "", "", "", span)


def write_dataset(folder, **splits):
    for split, pairs in splits.items():
        with write_records(folder / f"{split}.jsonl") as write:
            for one in pairs:
                write(one)
    return folder


@pytest.fixture
def tokenizer():
    return with_template("qwen", CHATML)


@pytest.fixture
def dataset(tmp_path):
    train = [pair(number, "train", answer) for number, answer in enumerate(["No.", "Yes. " * 100, "Small.", "Large."])]
    return write_dataset(tmp_path, train=train, validation=[pair(9, "validation", "No.")])


def made(dataset, training, tokenizer):
    write_tokens(dataset, training, 0, tokenizer, dataset / "tokens")
    return read_tokens(dataset / "tokens")


def answers(tokenizer, rows):
    return [tokenizer.decode([i for i, m in zip(row["input_ids"], row["mask"], strict=True) if m]) for row in rows]


def test_pairs_that_are_too_long_are_dropped_whole_and_counted(dataset, tokenizer):
    found = made(dataset, Training(model_max_length=150), tokenizer)
    assert answers(tokenizer, found.train) == ["No.<|im_end|>", "Small.<|im_end|>", "Large.<|im_end|>"]
    assert [(row["id"], row["task"]) for row in found.train] == [(f"{number}/0", "question_answering") for number in (0, 2, 3)]
    lengths = [len(row["input_ids"]) for row in found.train]
    learned = sum(sum(row["mask"]) for row in found.train)
    assert found.counts.train == SplitCounts(examples=3, tokens=sum(lengths), learned_tokens=learned, longest=max(lengths))
    assert (found.counts.dropped_too_long, found.counts.cut_reports) == (1, 0)
    assert found.counts.validation.examples == len(found.validation) == 1


def test_no_pair_short_enough(dataset, tokenizer):
    with pytest.raises(UserError, match=r"training\.model_max_length=5: all 4 training pairs are longer"):
        write_tokens(dataset, Training(model_max_length=5), 0, tokenizer, dataset / "tokens")
    assert not (dataset / "tokens").exists()


@pytest.mark.parametrize("validation", [[], None], ids=["empty", "missing"])
def test_a_dataset_without_validation_pairs(dataset, tokenizer, validation):
    if validation is None:
        (dataset / "validation.jsonl").unlink()
    else:
        write_dataset(dataset, validation=validation)
    found = made(dataset, Training(), tokenizer)
    assert found.validation is None
    assert found.counts.validation == SplitCounts()


def test_a_line_that_is_no_pair_is_named_and_not_quoted(dataset, tokenizer):
    with open(dataset / "train.jsonl", "a") as file:
        file.write('{"text": "secret"\n')
    with pytest.raises(UserError, match=r"train\.jsonl, line 5: not a JSON object") as error:
        write_tokens(dataset, Training(), 0, tokenizer, dataset / "tokens")
    assert "secret" not in str(error.value)


def test_samples_are_drawn_by_seed_and_keep_their_order(dataset, tokenizer):
    def ids(seed, limit=2):
        write_tokens(dataset, Training(max_train_samples=limit), seed, tokenizer, dataset / "tokens")
        return [row["id"] for row in read_tokens(dataset / "tokens").train]

    assert ids(1) == ids(1) == sorted(ids(1))
    assert len({tuple(ids(seed)) for seed in range(20)}) > 1
    assert ids(0, 9) == ["0/0", "1/0", "2/0", "3/0"]


def test_rows_are_the_same_however_many_processes_make_them(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(tokenise, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(tokenise, "BLOCK", 3)
    train = [pair(number, "train", "No. " * (1 + number % 5)) for number in range(25)]
    write_dataset(tmp_path, train=train, validation=[])
    files = []
    for workers in (1, 2):
        write_tokens(tmp_path, Training(workers=workers, model_max_length=75), 0, tokenizer, tmp_path / str(workers))
        files.append([(tmp_path / str(workers) / name).read_bytes() for name in ("train.arrow", "validation.arrow", "counts.json")])
    assert files[0] == files[1]
    assert 0 < json.loads(files[0][2])["dropped_too_long"] < 25


def test_a_mistake_in_a_process_is_told_as_it_is(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(tokenise, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(tokenise, "BLOCK", 1)
    write_dataset(tmp_path, train=[pair(number, "train", "No.") for number in range(3)])
    tokenizer.chat_template = "{{ raise_exception('no such roles') }}"
    with pytest.raises(UserError, match=r"its chat template refuses the conversation \(no such roles\)"):
        write_tokens(tmp_path, Training(workers=2), 0, tokenizer, tmp_path / "tokens")


def test_a_report_is_cut_from_its_end_until_the_pair_fits(tmp_path, tokenizer):
    words = [f"w{number}" for number in range(80)]
    long = [pair(0, "train", "No.", " ".join(words)), pair(1, "train", "No.", " ".join(words), known=False), pair(2, "train", "No.")]
    write_dataset(tmp_path, train=long)
    # With 20 of the words it fits exactly.
    limit = len(tokenise.training_examples(tokenizer, pair(0, "train", "No.", " ".join(words[:20])).messages)[0].ids)
    found = made(tmp_path, Training(model_max_length=limit, too_long=TooLong.cut_report), tokenizer)
    # Nobody knows where the report of the second one stands.
    assert [row["id"] for row in found.train] == ["0/0", "2/0"]
    assert (found.counts.cut_reports, found.counts.dropped_too_long) == (1, 1)
    text = tokenizer.decode(found.train[0]["input_ids"])
    opening, _, rest = text.partition("Report: ")
    kept, _, behind = rest.partition("\n\n")
    assert opening == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"
    assert behind == f"{QUESTION}<|im_end|>\n<|im_start|>assistant\nNo.<|im_end|>\n"
    assert kept.split() == words[:20]
    assert len(found.train[0]["input_ids"]) == limit


def test_a_pair_that_is_too_long_without_its_report_is_dropped(tmp_path, tokenizer):
    write_dataset(tmp_path, train=[pair(0, "train", "No. " * 100, "One two three."), pair(1, "train", "No.")])
    found = made(tmp_path, Training(model_max_length=140, too_long=TooLong.cut_report), tokenizer)
    assert [row["id"] for row in found.train] == ["1/0"]
    assert (found.counts.cut_reports, found.counts.dropped_too_long) == (0, 1)


def test_a_conversation_that_becomes_several_examples_is_one_pair(tmp_path):
    tokenizer = with_template("qwen", QWEN3)
    talk = pair(0, "train", "No.")
    talk = replace(talk, messages=[*talk.messages, {"role": "user", "content": "Sure?"}, {"role": "assistant", "content": "Yes. " * 60}])
    write_dataset(tmp_path, train=[talk, pair(1, "train", "No.")])
    found = made(tmp_path, Training(), tokenizer)
    assert [row["id"] for row in found.train] == ["0/0", "0/0", "1/0"]
    assert found.counts.train.examples == 3
    # It is kept or dropped as a whole.
    found = made(tmp_path, Training(model_max_length=120), tokenizer)
    assert [row["id"] for row in found.train] == ["1/0"]
    assert found.counts.dropped_too_long == 1


def test_faithful_masks_are_one_token_short_and_cut_on_the_right(tmp_path):
    tokenizer = with_template("llama2", LLAMA2)
    write_dataset(tmp_path, train=[pair(0, "train", "No."), pair(1, "train", "No. " * 50), pair(2, "train", "No.", "Clear. " * 40)])
    prompts = [len(prompt_ids(tokenizer, pair(0, "train", "").messages[:2])), len(prompt_ids(tokenizer, pair(1, "train", "").messages[:2]))]
    training = Training(model_max_length=prompts[0] + 20, faithful=True, batching=Batching.padded)
    found = made(tmp_path, training, tokenizer)
    usual, cut, only_prompt = found.train
    plain = tokenise.training_examples(tokenizer, pair(0, "train", "No.").messages)[0]
    assert usual["input_ids"] == plain.ids
    assert usual["mask"] == [0] * (prompts[0] - 1) + [1] * (len(plain.ids) - prompts[0] + 1)
    assert len(cut["input_ids"]) == training.model_max_length
    assert cut["mask"] == [0] * (prompts[1] - 1) + [1] * (training.model_max_length - prompts[1] + 1)
    assert tokenizer.eos_token_id not in cut["input_ids"]
    # A prompt that fills the example leaves one token to learn, as counted without the opening one.
    assert only_prompt["mask"] == [0] * (training.model_max_length - 1) + [1]
    assert found.counts.dropped_too_long == 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, r"training\.faithful=true pads .* not training\.batching=padding_free"),
        ({"batching": Batching.padded, "too_long": TooLong.cut_report}, r"training\.faithful=true .*training\.too_long=cut_report"),
    ],
)
def test_faithful_goes_with_the_originals_other_ways(settings, told):
    with pytest.raises(UserError, match=told):
        Training(faithful=True, **settings)


def report(number: int, text: str, split: str | None, patient: str | None = None) -> Report:
    return Report(f"r{number}", patient or f"p{number}", text, {}, split)


def write_reports(path, *reports):
    with write_records(path) as write:
        for one in reports:
            write(one)
    return path


def test_reports_are_learned_whole_and_end_with_the_end_of_text(tmp_path):
    tokenizer = with_template("llama3", "")
    text = "Heart is enlarged."
    path = write_reports(tmp_path / "reports.jsonl", report(0, f" {text}\n", None), report(1, text, "validation"), report(2, text, "test"))
    write_report_tokens(path, Training(), 0, tokenizer, tmp_path / "tokens")
    found = read_tokens(tmp_path / "tokens")
    ids = [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]
    row = {"input_ids": ids, "mask": [1] * len(ids), "task": "report"}
    assert list(found.train) == [{**row, "id": "r0"}]
    assert list(found.validation) == [{**row, "id": "r1"}]


def test_a_report_that_spells_the_end_of_text_does_not_end_there(tmp_path, tokenizer):
    path = tmp_path / "reports.jsonl"
    with write_records(path) as write:
        write(Report("r0", "p0", "Clear.<|endoftext|> Normal heart.", {}))
    write_report_tokens(path, Training(), 0, tokenizer, tmp_path / "tokens")
    (row,) = read_tokens(tmp_path / "tokens").train
    assert row["input_ids"].index(tokenizer.eos_token_id) == len(row["input_ids"]) - 1


@pytest.mark.parametrize(("digits", "sizes"), [(9, [10]), (10, [6, 6]), (18, [10, 10]), (19, [7, 7, 8])])
def test_a_long_report_becomes_windows_that_learn_each_token_once(tmp_path, digits, sizes):
    tokenizer = with_template("gpt", "")
    path = write_reports(tmp_path / "reports.jsonl", report(0, "7" * digits, "train"), report(1, "  ", "train"))
    ids = [*tokenizer("7" * digits)["input_ids"], tokenizer.eos_token_id]
    assert len(ids) == digits + 1
    write_report_tokens(path, Training(model_max_length=10), 0, tokenizer, tmp_path / "tokens")
    rows = list(read_tokens(tmp_path / "tokens").train)
    assert [len(row["input_ids"]) for row in rows] == sizes
    # A row's first token is predicted by nothing.
    assert ids[:1] + [token for row in rows for token in row["input_ids"][1:]] == ids
    assert {row["id"] for row in rows} == {"r0"}


def test_reports_without_a_split_stand_where_their_pairs_do(tmp_path):
    tokenizer = with_template("gpt", "")
    reports = [report(number, "Clear lungs.", None, f"p{number % 20}") for number in range(40)]
    path = write_reports(tmp_path / "reports.jsonl", *reports)
    settings = Dataset(validation_fraction=0.2, test_fraction=0.3)
    write_report_tokens(path, Training(), 0, tokenizer, tmp_path / "tokens", settings)
    found = read_tokens(tmp_path / "tokens")
    patients = [{int(row["id"][1:]) % 20 for row in rows} for rows in (found.train, found.validation)]
    assert [len(part) for part in patients] == [10, 4]
    assert not patients[0] & patients[1]


def test_no_report_of_the_training_split(tmp_path):
    path = write_reports(tmp_path / "reports.jsonl", report(0, "Clear lungs.", "test"))
    with pytest.raises(UserError, match=r"reports\.jsonl holds no report of the training split"):
        write_report_tokens(path, Training(), 0, with_template("gpt", ""), tmp_path / "tokens")


def test_runs_on_the_same_tokens_make_them_once(dataset, tokenizer, tmp_path, monkeypatch):
    made_by = []

    def write_slowly(parts, *rest):
        made_by.append(threading.get_ident())
        time.sleep(0.3)
        rest[-1].mkdir(exist_ok=True)

    def ask():
        return prepared_tokens(write_tokens, dataset, Training(learning_rate=1e-3), 0, tokenizer, tmp_path / "shared")

    monkeypatch.setattr(tokens, "write_parts", write_slowly)
    several = [threading.Thread(target=ask) for _ in range(4)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    assert ask() == tmp_path / "shared" / tokens_key(write_tokens, dataset, Training(), 0, tokenizer)
    assert len(made_by) == 1


def test_tokens_that_differ_have_another_place(dataset, tokenizer):
    def key(write=write_tokens, source=dataset, seed=0, tokenizer=tokenizer, of=None, **settings):
        return tokens_key(write, source, Training(**settings), seed, tokenizer, of)

    usual = key()
    assert key(learning_rate=1.0, num_train_epochs=9, workers=3, batching=Batching.packed) == usual
    others = [
        key(model_max_length=100),
        key(too_long=TooLong.cut_report),
        key(faithful=True, batching=Batching.padded),
        key(max_train_samples=2),
        key(max_eval_samples=2),
        key(seed=1),
        key(tokenizer=with_template("qwen", QWEN3)),
        key(tokenizer=with_template("gpt", CHATML)),
        key(write=write_report_tokens, source=dataset / "train.jsonl"),
        key(write=write_report_tokens, source=dataset / "train.jsonl", of=Dataset()),
    ]
    (dataset / "validation.jsonl").write_text("")
    others.append(key())
    assert len({usual, *others}) == 1 + len(others)


def test_faithful_batches_leave_the_opening_token_out_of_attention():
    faithful = Training(faithful=True, batching=Batching.padded)
    rows = [{"input_ids": [1, 5, 6, 2], "mask": [0, 1, 1, 1]}, {"input_ids": [1, 5], "mask": [0, 1]}]
    batch = collator(faithful, 2, 1)(rows)
    assert batch["input_ids"].tolist() == [[1, 5, 6, 2], [1, 5, 1, 1]]
    assert batch["attention_mask"].tolist() == [[0, 1, 1, 1], [0, 1, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 5, 6, 2], [-100, 5, -100, -100]]
    assert collator(Training(batching=Batching.padded), 2, 1)(rows)["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
