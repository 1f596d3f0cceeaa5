"""Logits are taken without rounding, and a difference is found wherever it is."""

import pytest
import torch
from pairs_dataset import write_dataset
from tiny_model import tiny_model

from radgpt.errors import UserError
from radgpt.export.verification import (
    Agreement,
    agreement,
    in_float32,
    layers,
    logits_of,
    refuse_other_prompts,
    refuse_unlike,
    roomy_device,
    sample,
)


def test_layers_are_taken_whole_and_what_stands_outside_of_them_alone() -> None:
    model, _ = tiny_model()
    assert [type(layer).__name__ for layer in layers(model)] == [
        "Embedding",
        "LlamaDecoderLayer",
        "LlamaDecoderLayer",
        "LlamaRMSNorm",
        "Linear",
    ]


def test_short_weights_compute_in_float32_and_stay_short() -> None:
    from copy import deepcopy

    short = deepcopy(tiny_model()[0]).bfloat16()
    wide = deepcopy(short).float()
    (found,) = logits_of(short, [[3, 4, 5, 6]])
    with torch.no_grad():
        assert torch.equal(found, wide(input_ids=torch.tensor([[3, 4, 5, 6]])).logits[0])
        assert not torch.equal(found, short(input_ids=torch.tensor([[3, 4, 5, 6]])).logits[0].float())
    assert {weights.dtype for weights in short.parameters()} == {torch.bfloat16}


def test_hooks_are_gone_after_an_error() -> None:
    layer = torch.nn.Linear(2, 2).bfloat16()
    with pytest.raises(ZeroDivisionError), in_float32(layer):
        raise ZeroDivisionError
    assert layer(torch.zeros(1, 2, dtype=torch.bfloat16)).dtype is torch.bfloat16


def test_only_the_last_places_are_kept() -> None:
    model, _ = tiny_model()
    long, short = logits_of(model, [[3, 4] * 60, [3, 4]])
    assert (long.shape, short.shape) == ((64, model.config.vocab_size), (2, model.config.vocab_size))


def test_agreement_by_hand() -> None:
    reference = [torch.tensor([[1.0, -4.0]]), torch.tensor([[2.0, 0.0], [0.0, 2.0]])]
    exported = [torch.tensor([[1.0, -4.0]]), torch.tensor([[2.0, 3.0], [0.0, 2.0]])]
    found = agreement(reference, exported)
    assert found.largest_difference == 3.0
    assert found.typical_difference == pytest.approx((9 / 6) ** 0.5)
    assert found.largest_logit == 4.0
    assert found.same_choice == pytest.approx(2 / 3)
    assert found.relative == 0.75


def test_what_is_not_a_number_is_refused() -> None:
    found = agreement([torch.tensor([[1.0, 2.0]])], [torch.tensor([[1.0, float("nan")]])])
    with pytest.raises(UserError, match=r"export\.dtype=float16"):
        refuse_unlike(found, "float16")


@pytest.mark.parametrize(("dtype", "difference"), [("float32", 0.0009), ("float16", 0.049), ("bfloat16", 0.49)])
def test_tolerances_follow_the_number_format(dtype: str, difference: float) -> None:
    refuse_unlike(Agreement(difference, difference, 10.0, 1.0), dtype)
    with pytest.raises(UserError, match="nothing was exported"):
        refuse_unlike(Agreement(1.2 * difference, difference, 10.0, 1.0), dtype)


def test_other_prompts_are_refused() -> None:
    refuse_other_prompts([[1, 2]], [[1, 2]])
    with pytest.raises(UserError, match="renders conversations otherwise"):
        refuse_other_prompts([[1, 2]], [[1, 3]])


def test_conversations_are_taken_from_the_test_split_first(tmp_path) -> None:
    dataset = write_dataset(tmp_path / "dataset", train=6, other=2)
    assert [pair.split for pair in sample(dataset)] == ["test", "test"]
    (dataset / "test.jsonl").unlink()
    (dataset / "validation.jsonl").write_text("")
    assert [pair.split for pair in sample(dataset)] == ["train"] * 4


@pytest.mark.parametrize(("free", "device"), [(48, "cpu"), (49, "cuda")])
def test_the_gpu_is_used_where_it_has_room_for_the_weights_and_as_much_again(
    free: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radgpt.export.verification.best_device", lambda: torch.device("cuda", 0))
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (free, 80))
    assert roomy_device(torch.nn.Linear(2, 2)).type == device  # 4 weights and 2 biases, in float32
