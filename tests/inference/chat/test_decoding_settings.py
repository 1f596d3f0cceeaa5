"""One setting at a time is read as typed, and mistakes name it."""

import pytest
from tiny_model import greedy

from radgpt.config import Decoding
from radgpt.errors import UserError
from radgpt.inference.chat.decoding_settings import changed, in_short


def test_values_are_read_by_their_kind_and_the_old_decoding_stays() -> None:
    old = Decoding()
    assert changed(old, "temperature", "0.2").temperature == 0.2
    assert changed(old, "decoding.max_new_tokens", "7").max_new_tokens == 7
    assert changed(old, "do-sample", "No").do_sample is False
    assert old == Decoding()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("temprature", "1", r"decoding\.temprature is no setting; did you mean decoding\.temperature\?"),
        ("top_k", "1.5", r"decoding\.top_k takes a whole number"),
        ("do_sample", "perhaps", r"decoding\.do_sample takes true or false"),
        ("temperature", "inf", r"decoding\.temperature takes a finite number"),
        ("temperature", "0", r"decoding\.temperature=0\.0 must be above 0"),
    ],
)
def test_mistakes_name_the_setting(name: str, value: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        changed(Decoding(), name, value)


def test_a_decoding_in_short() -> None:
    assert in_short(Decoding()) == "sampled: temperature 0.75, top_p 0.9, top_k 100, repetition_penalty 1.2"
    assert in_short(greedy()) == "greedy"
    assert in_short(greedy(repetition_penalty=1.1)) == "greedy: repetition_penalty 1.1"
