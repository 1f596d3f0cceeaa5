"""Means are over what there is, with intervals by patient; what is missing is told and counts as nothing."""

import json
from pathlib import Path

from fake_openai import serve
from judging import grading, judge_at, judged, question, shown, three

from radgpt.config import Grading
from radgpt.evaluation.judge.summary import as_result, means, metrics_by_row, told, win_rates_of_pairs
from radgpt.evaluation.resampling import Resampling

RESAMPLING = Resampling(samples=200, confidence=0.95, seed=0)


def scored(answer: str) -> str:
    """`three 2` is graded 2; anything else gets no usable reply."""
    return three(int(answer[-1])) if answer[-1].isdigit() else "Hm."


def test_a_missing_score_is_none_and_no_zero(tmp_path: Path) -> None:
    questions = [question("s1/0", "p1", tuned="is 4", base="is 1"), question("s2/0", "p2", tuned="is 2", base="none")]
    with serve(reply=grading(scored)) as server:
        judgement = judged(tmp_path, judge_at(server), questions)
    found = means(judgement, RESAMPLING)
    tuned, base = found["tuned"]["accuracy"], found["base"]["accuracy"]
    assert (tuned.value, tuned.low, tuned.high, tuned.rows, tuned.patients) == (3.0, 2.0, 4.0, 2, 2)
    assert (base.value, base.low, base.rows) == (1.0, None, 1)
    assert metrics_by_row(judgement)["s2/0", "base"] == dict.fromkeys(("judge_accuracy", "judge_conciseness", "judge_understandability"))
    lines = "\n".join(told(judgement, RESAMPLING))
    assert "tuned  accuracy 3.00 [2.00, 4.00]" in lines and "base   accuracy 1.00 " in lines
    assert "1 of 4 replies (25.0 %) could not be used and count as missing: unreadable 1" in lines
    assert "missing by system: tuned 0, base 1" in lines
    assert "5 requests, 1 of them a second asking" in lines
    assert "says nothing" not in lines


def test_a_judge_without_one_usable_reply_says_nothing(tmp_path: Path) -> None:
    with serve(reply=lambda messages: "A very good answer!") as server:
        judgement = judged(tmp_path, judge_at(server), [question("s1/0", a="x"), question("s2/0", a="y")])
    lines = "\n".join(told(judgement, RESAMPLING))
    assert "a  accuracy -  conciseness -  understandability -" in lines
    assert "2 of 2 replies (100.0 %) could not be used" in lines and "this judge does not answer in the form asked for" in lines
    assert as_result(judgement, RESAMPLING)["means"]["a"]["accuracy"]["value"] is None


def test_wins_are_counted_by_question_over_both_orders(tmp_path: Path) -> None:
    questions = [question(f"s{n}/0", tuned=f"t{n}", base=f"b{n}") for n in range(3)]

    def reply(messages: list[dict[str, str]]) -> str:
        labels = {text: label for label, text in shown(messages).items()}
        wanted = {"t0": labels.get("t0"), "t1": labels.get("b1"), "t2": "A"}  # the last is preferred by place: a tie over both orders
        return f'{{"better": "{next(wanted[text] for text in labels if text.startswith("t"))}"}}'

    with serve(reply=reply) as server:
        judgement = judged(tmp_path, judge_at(server, grading=Grading.pairwise), questions)
    rate = win_rates_of_pairs(judgement, RESAMPLING)["tuned", "base"]
    assert (rate.wins, rate.ties, rate.losses, rate.value) == (1, 1, 1, 0.5)
    lines = "\n".join(told(judgement, RESAMPLING))
    assert "tuned against base: 1 won, 1 tied, 1 lost" in lines
    assert "the answer shown first is preferred in 0.67" in lines and "the verdict changes with the order in 0.33" in lines


def test_the_result_is_plain_and_holds_no_text(tmp_path: Path) -> None:
    with serve(reply=grading(scored)) as server:
        judgement = judged(tmp_path, judge_at(server, grading=Grading.together), [question("s1/0", "p1", a="is 4", b="is 3")])
    result = json.dumps(as_result(judgement, RESAMPLING))
    assert not any(word in result for word in ("effusion", "is 4", "s1/0", "p1"))
    made = json.loads(result)
    assert made["provenance"]["judge"] == ["fake-model-2026"] and len(made["provenance"]["prompt_sha256"]) == 64
    assert made["position_bias"]["earlier_minus_later"]["value"] == 0.0 and made["scale"] == [1.0, 4.0]
