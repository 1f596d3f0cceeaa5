"""Which prompts are answered at evaluations, and what of their texts is kept where."""

import json

import datasets
from tiny_model import tiny_model

from radgpt.training.watching.samples import SAMPLES_FILE, Samples, split


def rows(count=6):
    tokenizer = tiny_model()[1]
    prompt, answer = tokenizer.encode("Is there a fracture?"), tokenizer.encode("No pneumothorax is seen.")
    ids, mask = prompt + answer, [0] * len(prompt) + [1] * len(answer)
    return datasets.Dataset.from_list(
        [{"input_ids": [3 + number, *ids], "mask": [0, *mask], "id": f"p{number}/0", "task": "t"} for number in range(count)]
    )


def test_a_prompt_ends_where_the_first_answer_begins():
    row = {"input_ids": [1, 2, 3, 4, 5, 6], "mask": [0, 0, 1, 1, 0, 1]}
    assert split(row) == ([1, 2], [3, 4])


def test_of_a_raw_report_the_second_half_is_asked_for():
    assert split({"input_ids": [1, 2, 3, 4, 5], "mask": [1, 1, 1, 1, 1]}) == ([1, 2, 3], [4, 5])


def test_the_same_prompts_each_time_and_text_in_the_file_alone(tmp_path):
    network, tokenizer = tiny_model()
    file = tmp_path / SAMPLES_FILE
    samples = Samples(rows(), 2, 0, tokenizer, file)
    numbers = [samples.take(network, step) for step in (0, 4)]
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 0, 4, 4]
    assert lines[0] | {"step": 4} == lines[2] and lines[0]["id"] != lines[1]["id"]
    assert set(lines[0]) == {"step", "id", "answer"}
    assert numbers[0] == numbers[1]
    assert all(isinstance(value, float) for value in numbers[0].values())
    assert set(numbers[0]) == {"sample_tokens", "sample_ended", "sample_rougeL"}


def test_none_are_taken_where_none_are_asked_for_or_there_is_no_validation():
    network, tokenizer = tiny_model()
    for samples in (Samples(rows(), 0, 0, tokenizer, None), Samples(None, 2, 0, tokenizer, None)):
        assert samples.take(network, 0) == {}


def test_samples_after_the_checkpoint_come_again(tmp_path):
    file = tmp_path / SAMPLES_FILE
    file.write_text("".join(json.dumps({"step": step, "id": "a", "answer": "b"}) + "\n" for step in (0, 2, 4)) + '{"step": 6, "id"')
    Samples(rows(), 1, 0, tiny_model()[1], file).begin(2)
    assert [json.loads(line)["step"] for line in file.read_text().splitlines()] == [0, 2]
