"""Bring the predictions of several models together by question; refuse those that answer other questions."""

from collections.abc import Mapping, Sequence

from radgpt.errors import UserError
from radgpt.records import Prediction


def aligned(predictions: Mapping[str, Sequence[Prediction]]) -> dict[str, list[Prediction]]:
    """Name of a model to its predictions, all in the order of the first model's.

    Raises:
        UserError: models were not asked the same questions, or were asked them against other references; counts, never ids or texts.
    """
    (first, ours), *others = predictions.items()
    if not ours:
        raise UserError(f"{first} has no predictions; run stage=predict on questions")
    together = {first: list(ours)}
    asked = by_id(first, ours)
    for name, theirs in others:
        answers = by_id(name, theirs)
        missing, further = len(asked.keys() - answers.keys()), len(answers.keys() - asked.keys())
        if missing or further:
            raise UserError(
                f"{name} and {first} did not answer the same questions: {name} lacks {missing} of the {len(asked)} that {first} answered, "
                f"and answered {further} others; give predictions on the same split or file, with the same prediction.limit"
            )
        changed = sum(answers[pair_id].reference != row.reference for pair_id, row in asked.items())
        if changed:
            raise UserError(
                f"{name} and {first} were given other references for {changed} of {len(asked)} questions; give predictions on the same "
                "dataset"
            )
        together[name] = [answers[row.pair_id] for row in ours]
    return together


def by_id(name: str, rows: Sequence[Prediction]) -> dict[str, Prediction]:
    """Predictions by the id of their question; raises UserError where one stands twice."""
    found = {row.pair_id: row for row in rows}
    if len(found) < len(rows):
        raise UserError(f"{name} has {len(rows) - len(found)} questions twice; each may be answered once")
    return found
