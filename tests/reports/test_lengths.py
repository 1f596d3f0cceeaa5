"""Words and tokens of texts."""

from pathlib import Path

import pytest

from radgpt.errors import UserError
from radgpt.reports.lengths import count_words, token_counter


def test_words_are_what_stands_between_white_space() -> None:
    texts = ["", " one ", "two\nwords", "\tthree  more words\r\n", "nul\0 is\0none", "é è", "last"]
    assert count_words(texts) == [0, 1, 2, 3, 3, 2, 1]
    assert count_words([]) == [] and count_words([""]) == [0]


@pytest.mark.slow
def test_token_counter_of_a_folder(tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "clear": 1, ".": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", model_max_length=2).save_pretrained(str(tmp_path))
    count_tokens = token_counter(str(tmp_path))
    assert count_tokens(["Lungs clear.", "clear", ""]) == [3, 1, 0]
    assert count_tokens([]) == []


@pytest.mark.slow
def test_a_tokenizer_that_is_not_there_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.tokenizer=.*nowhere cannot be loaded \(.*\); give a folder"):
        token_counter(str(tmp_path / "nowhere"))
