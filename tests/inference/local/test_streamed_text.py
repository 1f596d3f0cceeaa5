"""Text that grows id by id never shows half a character, and is in the end the whole text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_families import tokenizer_of
from tiny_model import tiny_model

from radgpt.inference.local.streamed_text import StreamedText, text_of

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\ufffd"), max_size=30)


def pieces(tokenizer: object, ids: list[int]) -> tuple[list[str], str]:
    growing = StreamedText(tokenizer)
    given = [growing.add(token) for token in ids]
    given.append(growing.end())
    assert "".join(given) == growing.text
    return given, growing.text


@given(TEXTS)
@pytest.mark.parametrize("family", ["qwen", "llama2", "gemma", "tiny"])
def test_pieces_make_the_text_without_broken_characters(family: str, text: str) -> None:
    tokenizer = tiny_model()[1] if family == "tiny" else tokenizer_of(family)
    ids = tokenizer.encode(text, add_special_tokens=False)
    whole = text_of(tokenizer, ids)
    given, told = pieces(tokenizer, ids)
    assert told == whole
    assert not any("\ufffd" in piece for piece in given)


def test_a_character_of_several_tokens_comes_whole() -> None:
    tokenizer = tokenizer_of("qwen")
    given, _ = pieces(tokenizer, tokenizer.encode("😀a", add_special_tokens=False))
    assert [piece for piece in given if piece] == ["😀", "a"]


def test_words_keep_their_spaces_and_the_ends_lose_theirs() -> None:
    tokenizer = tokenizer_of("llama2")
    given, told = pieces(tokenizer, tokenizer.encode("  The report says so.\n\n ", add_special_tokens=False))
    assert told == "The report says so."
    assert len([piece for piece in given if piece]) > 3


def test_special_tokens_are_no_text() -> None:
    tokenizer = tokenizer_of("qwen")
    ids = [*tokenizer.encode("It is", add_special_tokens=False), tokenizer.eos_token_id, *tokenizer.encode(" so", add_special_tokens=False)]
    assert pieces(tokenizer, ids)[1] == "It is so"


def test_bytes_that_are_no_text_do_not_hold_up_what_follows() -> None:
    tokenizer = tokenizer_of("qwen")
    broken = tokenizer.encode("😀", add_special_tokens=False)[0]
    growing = StreamedText(tokenizer)
    told = "".join(growing.add(token) for token in [broken] * 20)
    assert told == "\ufffd" * 17
    assert growing.end() == "\ufffd" * 3
