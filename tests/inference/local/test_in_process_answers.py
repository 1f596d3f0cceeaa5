"""Files are answered in batches that change nothing: not what refills them, what rows share, or how often a run was killed."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asked_questions import answered, backend, generated, questions, streamed
from tiny_model import greedy, sampled, tiny_model

from radgpt.chat_format import prompt_ids
from radgpt.errors import UserError
from radgpt.inference.backend import Answer, Question


@pytest.mark.parametrize("penalty", [1.0, 1.2])
def test_greedy_answers_are_those_of_generate_token_for_token(penalty: float, tmp_path: Path) -> None:
    asked = questions()
    model = tiny_model()[0]
    expected = [generated(model, question.messages, max_new_tokens=20, do_sample=False, repetition_penalty=penalty) for question in asked]
    answers = answered(asked, greedy(20, penalty), tmp_path / "journal.jsonl")
    assert [(answer.text, answer.new_tokens) for answer in answers] == expected
    assert len({answer.text for answer in answers}) > 8


def test_rows_that_end_early_make_room_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = questions()
    model = copy.copy(tiny_model()[0])
    free = answered(asked, greedy(20), tmp_path / "free.jsonl")
    tokenizer = tiny_model()[1]
    # A token that stands in many answers now ends them, at very different lengths.
    ids = [tokenizer.encode(answer.text, add_special_tokens=False) for answer in free]
    common = max({token for row in ids for token in row}, key=lambda token: sum(token in row for row in ids))
    model.generation_config = copy.deepcopy(model.generation_config)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, common]
    forward = model.forward
    widths: list[tuple[int, int]] = []
    monkeypatch.setattr(type(model), "forward", lambda self, **k: (widths.append(tuple(k["input_ids"].shape)), forward(**k))[1])
    answers = answered(asked, greedy(20), tmp_path / "ending.jsonl", model=model)
    expected = [
        generated(model, question.messages, max_new_tokens=20, do_sample=False, eos_token_id=[tokenizer.eos_token_id, common])
        for question in asked
    ]
    assert [answer.new_tokens for answer in answers] == [new for _, new in expected]
    assert {answer.finish_reason for answer in answers} == {"stop", "length"}
    assert max(rows for rows, new in widths if new == 1) == 4


def test_buffers_that_are_often_full_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = questions(14, 6)
    expected = answered(asked, greedy(30), tmp_path / "a.jsonl")
    monkeypatch.setattr("radgpt.inference.local.slot_cache.SPARE_COLUMNS", 2)
    assert answered(asked, greedy(30), tmp_path / "b.jsonl") == expected
    assert answered(asked, greedy(30), tmp_path / "c.jsonl", batch_size=3) == expected
    answering = backend()
    assert [streamed(answering, question.messages, greedy(30))[1].text for question in asked] == [answer.text for answer in expected]


def test_what_is_sampled_depends_on_question_and_seed_alone(tmp_path: Path) -> None:
    asked = questions()
    together = answered(asked, sampled(), tmp_path / "a.jsonl")
    assert answered(asked[::-1], sampled(), tmp_path / "b.jsonl", batch_size=1)[::-1] == together
    assert answered(asked[3:5], sampled(), tmp_path / "c.jsonl") == together[3:5]
    assert answered(asked, sampled(), tmp_path / "d.jsonl", seed=1) != together


def test_the_same_question_under_two_ids_is_answered_twice(tmp_path: Path) -> None:
    [question] = questions(1, 0)
    first, second = answered([question, replace(question, id="other")], sampled(30), tmp_path / "a.jsonl")
    assert first.text != second.text


def test_sampling_leaves_the_generators_outside_alone(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    answered(questions(2, 0), sampled(), tmp_path / "a.jsonl")
    assert torch.equal(torch.rand(1), expected)


def test_what_prompts_share_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()[0]
    asked = questions(alone=0, shared=8)
    lengths = [len(prompt_ids(tiny_model()[1], question.messages)) for question in asked]
    forward = model.forward
    read: list[int] = []
    monkeypatch.setattr(model, "forward", lambda **k: (read.append(k["input_ids"].numel()), forward(**k))[1])
    answered(asked, greedy(1), tmp_path / "a.jsonl", batch_size=8)
    assert sum(read) < 0.5 * sum(lengths)


def test_what_stands_in_the_journal_is_not_asked_again(tmp_path: Path) -> None:
    asked, journal = questions(), tmp_path / "journal.jsonl"
    made: list[Answer] = []
    answers = backend().answer(asked, greedy(8), 0, journal, made.append)
    first = list(answers)
    assert len(made) == len(asked) == len(journal.read_text().splitlines())
    again: list[Answer] = []
    assert list(backend().answer(asked, greedy(8), 0, journal, again.append)) == first
    assert again == []
    assert list(backend().answer(asked, greedy(9), 0, journal, again.append)) != first
    assert len(again) == len(asked)


def test_a_killed_run_asks_at_most_the_rows_in_the_making_again(tmp_path: Path) -> None:
    asked, journal = questions(), tmp_path / "journal.jsonl"
    expected = answered(asked, greedy(8), tmp_path / "whole.jsonl")

    def kill(answer: Answer) -> None:
        if len(journal.read_text().splitlines()) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(backend().answer(asked, greedy(8), 0, journal, kill))
    made: list[Answer] = []
    assert list(backend().answer(asked, greedy(8), 0, journal, made.append)) == expected
    assert len(made) == len(asked) - 6


def small_window(positions: int) -> Any:
    """The tiny model with less room."""
    model = copy.copy(tiny_model()[0])
    model.config = copy.deepcopy(model.config)
    model.config.max_position_embeddings = positions
    return model


def test_an_answer_has_the_room_that_its_own_prompt_leaves(tmp_path: Path) -> None:
    asked = questions()
    lengths = [len(prompt_ids(tiny_model()[1], question.messages)) for question in asked]
    window = sorted(lengths)[-3]
    answers = answered(asked, greedy(20), tmp_path / "a.jsonl", model=small_window(window))
    assert [answer.prompt_tokens for answer in answers] == lengths
    free = [answer.new_tokens for answer in answered(asked, greedy(20), tmp_path / "free.jsonl")]
    assert [answer.new_tokens for answer in answers] == [
        max(0, min(new, window - tokens)) for new, tokens in zip(free, lengths, strict=True)
    ]
    overlong = [answer for answer, length in zip(answers, lengths, strict=True) if length >= window]
    assert overlong and {(answer.text, answer.finish_reason) for answer in overlong} == {("", "overlong")}


def test_too_little_memory_names_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def full(**inputs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(tiny_model()[0], "forward", full)
    with pytest.raises(UserError, match=r"prediction\.batch_size=4: .* choose a smaller one"):
        answered(questions(), greedy(), tmp_path / "a.jsonl")


@pytest.mark.parametrize("beams", [1, 2])
def test_references_are_measured_as_training_learns_them(beams: int, tmp_path: Path) -> None:
    import torch

    from radgpt.chat_format import training_examples

    model, tokenizer = tiny_model()
    references = ["No pneumothorax is seen.", "Is there a fracture? unchanged. " * 4, ""]
    asked = [replace(question, reference=reference) for question, reference in zip(questions(2, 1), references, strict=True)]
    answers = (
        answered([*asked, Question("x", asked[0].messages)], greedy(3), tmp_path / "a.jsonl", batch_size=3)
        if beams == 1
        else list(
            backend(3).answer(
                [*asked, Question("x", asked[0].messages)], replace(greedy(3), num_beams=2), 0, tmp_path / "a.jsonl", lambda answer: None
            )
        )
    )
    for question, answer in zip(asked, answers, strict=False):
        [example] = training_examples(tokenizer, [*question.messages, {"role": "assistant", "content": question.reference}])
        ids = torch.tensor([example.ids])
        labels = torch.where(torch.tensor([example.mask]).bool(), ids, -100)
        with torch.no_grad():
            mean = model(input_ids=ids, labels=labels).loss
        assert answer.reference_tokens == sum(example.mask) >= 1
        assert answer.reference_nll == pytest.approx(float(mean) * sum(example.mask), rel=1e-4)
    assert (answers[3].reference_nll, answers[3].reference_tokens) == (None, 0)


def test_a_reference_that_does_not_fit_the_window_is_not_measured(tmp_path: Path) -> None:
    question = replace(questions(1, 0)[0], reference="The lungs are clear. " * 9)
    window = len(prompt_ids(tiny_model()[1], question.messages)) + 10
    [answer] = answered([question], greedy(3), tmp_path / "a.jsonl", model=small_window(window))
    assert (answer.new_tokens, answer.reference_nll, answer.reference_tokens) == (3, None, 0)


def test_the_journal_holds_what_answers_are(tmp_path: Path) -> None:
    [answer] = answered(questions(1, 0), greedy(3), tmp_path / "a.jsonl")
    row = json.loads((tmp_path / "a.jsonl").read_text())
    assert {name: row[name] for name in ("text", "finish_reason", "new_tokens")} == {
        "text": answer.text,
        "finish_reason": "length",
        "new_tokens": 3,
    }


def test_no_question_gets_no_answer(tmp_path: Path) -> None:
    assert answered([], greedy(), tmp_path / "a.jsonl") == []
