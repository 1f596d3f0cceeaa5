"""Questions are the same for all raters, orders of answers are not, and equal answers are shown once."""

from rating_desk import ROWS, compared

from radgpt.rating.blinding import blinded, drawn, sha256_of

MANY = [compared(f"r{number}/0", "Is it?", a="Yes.", b="No.", c="Perhaps.") for number in range(40)]


def test_a_seed_draws_the_same_questions_for_everybody() -> None:
    ids = [[row.pair_id for row in drawn(MANY, 10, seed)] for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2] and len(set(ids[0])) == 10
    assert ids[0] == [row.pair_id for row in drawn(reversed(MANY), 10, 0)]
    assert len(drawn(MANY, None, 0)) == 40


def test_orders_differ_by_question_and_by_rater_and_come_back() -> None:
    def orders(rater: str) -> list[tuple[str, ...]]:
        return [tuple(answer.systems[0] for answer in blinded(row, 0, rater).answers) for row in MANY]

    assert orders("rose") == orders("rose") != orders("mary")
    assert {order[0] for order in orders("rose")} == {"a", "b", "c"}


def test_equal_answers_are_one() -> None:
    (answer,) = blinded(ROWS[2], 0, "rose").answers
    assert (answer.text, answer.systems) == ("Its size is normal.", ("tuned", "base"))


def test_other_texts_have_another_digest() -> None:
    same, other = compared("r1/0", "Is it?", a="Yes.", b="No."), compared("r1/0", "Is it?", a="Yes.", b="No")
    assert sha256_of(same) == sha256_of(compared("r1/0", "Is it?", a="Yes.", b="No.")) != sha256_of(other)
