"""Token estimates learn how an endpoint counts, and nothing is downloaded for them."""

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from radgpt.config import Provider, Teacher
from radgpt.teacher.estimates import ENCODINGS, TokenEstimate, estimate_for

MESSAGES = [{"role": "system", "content": "Ask."}, {"role": "user", "content": "x" * 396}]


@pytest.mark.parametrize("counted", [70, 130])
def test_an_estimate_that_is_off_is_put_right_by_usage(counted: int) -> None:
    estimate = TokenEstimate()
    size = estimate.size(MESSAGES)
    assert size == estimate.tokens(size) == 100
    estimate.learn(size, counted)
    assert estimate.tokens(size) == counted  # the first reply already tells
    for _ in range(100):
        estimate.learn(size, counted)
    estimate.learn(size, 400)
    assert abs(estimate.tokens(size) - counted) < 20  # and no single one tells all


@pytest.fixture
def tiktoken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """A stand-in that reads its file through `load.read_file` where the kept one is damaged, as the real one does."""
    load = SimpleNamespace(read_file=lambda address: pytest.fail(f"downloads {address}"))

    def get_encoding(name: str) -> Any:
        if (tmp_path / hashlib.sha1(ENCODINGS.format(name).encode()).hexdigest()).read_text() != "whole":
            load.read_file(ENCODINGS.format(name))
        return SimpleNamespace(encode_ordinary=str.split)

    module = SimpleNamespace(load=load, get_encoding=get_encoding, encoding_name_for_model={"gpt-4o-mini": "o200k_base"}.__getitem__)
    monkeypatch.setitem(sys.modules, "tiktoken", module)
    monkeypatch.setitem(sys.modules, "tiktoken.load", load)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    return module


@pytest.mark.parametrize(
    ("model", "provider", "kept", "tokens"),
    [
        ("gpt-4o-mini", Provider.openai, "whole", 3 + 3),
        ("gpt-4o-mini", Provider.openai, "damaged", 13 / 4),
        ("gpt-4o-mini", Provider.openai, None, 13 / 4),
        ("my-deployment", Provider.azure, "whole", 13 / 4),
        ("gpt-4o-mini", Provider.local, "whole", 13 / 4),
    ],
)
def test_tiktoken_counts_only_where_its_file_is_there(
    model: str, provider: Provider, kept: str | None, tokens: float, tiktoken: SimpleNamespace, tmp_path: Path
) -> None:
    if kept:
        (tmp_path / hashlib.sha1(ENCODINGS.format("o200k_base").encode()).hexdigest()).write_text(kept)
    teacher = Teacher(provider=provider, model=model, base_url="http://127.0.0.1:1/v1", api_version="v", api_key_env="TEST_KEY")
    download = tiktoken.load.read_file
    assert estimate_for(teacher).size([{"role": "user", "content": "Lungs  clear."}]) == pytest.approx(tokens, abs=1.1)
    assert (estimate_for(teacher)._count is not None) is (tokens == 6)
    assert tiktoken.load.read_file is download
