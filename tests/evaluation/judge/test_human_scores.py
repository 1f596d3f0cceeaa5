"""People's scores are read as they were written; a file that is wrong is refused by line, without quoting it."""

import re
from pathlib import Path

import pytest

from radgpt.errors import UserError
from radgpt.evaluation.judge.human_scores import HumanScore, read_human_scores


def test_columns_may_stand_in_any_order_and_others_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_bytes(
        '\ufeffScore,id,Criterion,note,rater,system\r\n3,s1/0,Accuracy,"two\nlines",rose,base\r\n\r\n 2.5 ,s1/1,accuracy,,,\r\n'.encode()
    )
    assert read_human_scores(file) == [
        HumanScore("s1/0", "accuracy", 3.0, "base", "rose"),
        HumanScore("s1/1", "accuracy", 2.5, "", ""),
    ]
    file.write_text("id,criterion,score\ns1/0,accuracy,3\n")
    assert read_human_scores(file) == [HumanScore("s1/0", "accuracy", 3.0, "", "")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: no column 'id'"),
        ("id,score\n", "line 1: no column 'criterion' (wanted: id, criterion, score, perhaps system, rater)"),
        ("id,criterion,score,id\n", "line 1: two columns 'id'; delete one"),
        ("id,criterion,score\n", "holds no score"),
        ("id,criterion,score\ns1,a,3\ns2,a\n", "line 3: 2 columns, and the header has 3"),
        ("id,criterion,score\ns1,a,3\ns2,a,SECRET\n", "line 3: its score is no number"),
        ("id,criterion,score\ns1,a,nan\n", "line 2: its score is no number"),
        ("id,criterion,score\n,a,3\n", "line 2: no id"),
        ("id,criterion,score\ns1,a,\n", "line 2: no score"),
        ("id,criterion,score\ns1,a,3\n\"SECRET", "line 3: broken CSV"),
        ("id,criterion,score,rater\ns1,a,3,x\ns1,a,3,y\ns1,a,4,x\n", "line 4: same id, criterion, system and rater as line 2"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_and_not_quoted(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=re.escape(says)) as error:
        read_human_scores(file)
    assert str(error.value).startswith(f"evaluation.human_scores={file}") and "SECRET" not in str(error.value)


def test_what_is_no_file_of_text_is_told(tmp_path: Path) -> None:
    for place, says in ((tmp_path, "a folder"), (tmp_path / "none.csv", "cannot be read (No such file or directory)")):
        with pytest.raises(UserError, match=re.escape(says)):
            read_human_scores(place)
    (tmp_path / "binary.csv").write_bytes(b"id,criterion,score\n\xff")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        read_human_scores(tmp_path / "binary.csv")
