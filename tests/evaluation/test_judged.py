"""A judge's scores become columns like any metric's: in the order of the questions, missing where nothing usable was said."""

from pathlib import Path

from fake_openai import serve
from judging import grading, judge_at, judged, question, three

from radgpt.evaluation.judged import judge_columns, judge_metrics

QUESTIONS = [question("a", tuned="Yes.", base="Yes, it is."), question("b", tuned="No.", base="No, none.")]


def test_scores_stand_in_the_order_of_the_questions(tmp_path: Path) -> None:
    with serve(reply=grading(lambda answer: three(len(answer.split())) if answer != "No." else "nonsense")) as server:
        judgement = judged(tmp_path, judge_at(server), QUESTIONS)
    metrics = judge_metrics(judgement)
    assert list(metrics) == ["judge_accuracy", "judge_conciseness", "judge_understandability"]
    accuracy = metrics["judge_accuracy"]
    assert (accuracy.label, accuracy.top, accuracy.better) == ("judge: accuracy", 4, "higher")
    columns = judge_columns(judgement, ["b", "a", "unknown"], ["tuned", "base", "majority"])
    assert columns["base"]["judge_accuracy"].values().tolist()[:2] == [2, 3]
    assert columns["tuned"]["judge_accuracy"].applies.tolist() == [False, True, False]
    assert not columns["majority"]["judge_accuracy"].applies.any()
