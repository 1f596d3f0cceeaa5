"""A conversation ends before its first dropped turn, its turns become one pair, and a person's decision outweighs the filters."""

from radgpt.config import ChatPrompt
from radgpt.records import Decision, JudgedAnswer, Report
from radgpt.review.decisions import judged_sha256
from radgpt.stages.postprocess_answers import cut_conversations, decided, pair

REPORT = Report("s1", "p1", "FINDINGS: Small left effusion.", {"findings": "Small left effusion."})


def turn(number: str, reason: str | None = None, task: str = "question_answering") -> JudgedAnswer:
    return JudgedAnswer(
        f"s1/{number}", "s1", "p1", task, f"Question {number}?", f"Answer {number}.", reason, 1.0, [], [], "i", f"a{number}"
    )


def test_turns_after_a_dropped_one_are_dropped_and_other_conversations_are_not() -> None:
    rows = [turn("0"), turn("0.2", "unfaithful"), turn("0.3"), turn("0.4", "loop"), turn("1"), turn("1.2")]
    reasons = [row.reason for row in cut_conversations(iter(rows))]
    assert reasons == [None, "unfaithful", "earlier_turn_dropped", "loop", None, None]


def test_an_accepted_turn_mends_its_conversation() -> None:
    rows = [turn("0"), turn("0.2", "unfaithful"), turn("0.3")]
    accepted = Decision("s1/0.2", "accept", judged_sha256("Question 0.2?", "Answer 0.2."))
    assert [row.reason for row in cut_conversations(decided(iter(rows), {"s1/0.2": accepted}))] == [None, None, None]
    of_other_texts = Decision("s1/0.2", "accept", judged_sha256("Question 0.2?", "Another answer."))
    kept = [row.reason for row in cut_conversations(decided(iter(rows), {"s1/0.2": of_other_texts}))]
    assert kept == [None, "unfaithful", "earlier_turn_dropped"]


def test_the_turns_of_a_conversation_are_one_pair() -> None:
    made = pair([turn("0"), turn("0.2", task="follow_up")], REPORT, "train", ChatPrompt(system="", first_turn="{report}\n{instruction}"))
    assert (made.pair_id, made.task, made.answer_prompt_sha256) == ("s1/0", "question_answering", "a0.2")
    assert [(message["role"], message["content"]) for message in made.messages] == [
        ("user", f"{REPORT.text}\nQuestion 0?"),
        ("assistant", "Answer 0."),
        ("user", "Question 0.2?"),
        ("assistant", "Answer 0.2."),
    ]
    assert made.report_span == [0, len(REPORT.text)]
