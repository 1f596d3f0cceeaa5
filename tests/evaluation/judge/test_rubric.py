"""Rubrics are read from files, ours and users'; what is no rubric is refused by name."""

import re
from pathlib import Path

import pytest

from radgpt.config import RUBRICS
from radgpt.errors import UserError
from radgpt.evaluation.judge.rubric import FOLDER, read_rubric


def test_the_shipped_ones_are_those_that_the_settings_name() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(RUBRICS)
    original, asclepius = (read_rubric(name, "judge.rubric") for name in RUBRICS)
    assert original.names == ("accuracy", "conciseness", "understandability")
    assert asclepius.names == ("quality",)
    assert {(rubric.lowest, rubric.highest) for rubric in (original, asclepius)} == {(1, 4)}


def test_a_users_file_is_read_and_its_digest_is_of_its_content(tmp_path: Path) -> None:
    text = "criteria: {tone: {asks: 'Is it kind?', levels: {0: rude, 1: kind}}}\npreference: Which is kinder?\n"
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(f"# a comment\n{text}")
    (tmp_path / "c.yaml").write_text(text.replace("kinder", "nicer"))
    a, b, c = (read_rubric(str(tmp_path / f"{name}.yaml"), "judge.rubric") for name in "abc")
    assert (a.names, a.lowest, a.highest, a.criteria[0].levels) == (("tone",), 0, 1, {0: "rude", 1: "kind"})
    assert a.sha256 == b.sha256 != c.sha256


GOOD = "asks: 'Is it?', levels: {1: a, 2: b}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read (No such file or directory); name a YAML file, or one of original, asclepius"),
        ("a: [", "line 1: no YAML"),
        ("[]", "must hold the keys criteria and preference"),
        ("criteria: {}\npreference: x", "criteria: must name at least one"),
        (f"criteria: {{a: {{{GOOD}}}}}\npreference: ''", "preference: must ask which answer is better"),
        (f"criteria: {{A: {{{GOOD}}}}}\npreference: x", "criteria.A: a criterion's name must be of small letters"),
        (f"criteria: {{a b: {{{GOOD}}}}}\npreference: x", "criteria.a b: a criterion's name must be of small letters"),
        ("criteria: {a: {asks: x}}\npreference: x", "criteria.a: must hold asks (a question) and levels"),
        ("criteria: {a: {asks: x, levels: {1: a}}}\npreference: x", "criteria.a.levels: must give whole numbers"),
        ("criteria: {a: {asks: x, levels: {1: a, 3: b}}}\npreference: x", "criteria.a.levels: must be one digit each, without a gap"),
        ("criteria: {a: {asks: x, levels: {1: a, 2: 3}}}\npreference: x", "criteria.a.levels: every score needs a text"),
        (
            f"criteria: {{a: {{{GOOD}}}, b: {{asks: x, levels: {{0: a, 1: b}}}}}}\npreference: x",
            "criteria.b.levels: all criteria need the same scores, here those of a",
        ),
    ],
)
def test_what_is_no_rubric_is_told_by_place(tmp_path: Path, text: str | None, says: str) -> None:
    file = tmp_path / "own.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=re.escape(says)) as error:
        read_rubric(str(file), "rate.rubric")
    assert str(error.value).startswith(f"rate.rubric={file}")
