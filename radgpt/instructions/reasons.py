"""Why instructions and answers are dropped, beside what the filters find in their texts."""

DUPLICATE = "duplicate"
UNFAITHFUL = "unfaithful"
EARLIER_TURN_DROPPED = "earlier_turn_dropped"
REJECTED = "rejected_by_reviewer"
MISSING_TURN = "missing_turn"

MEANINGS = {
    DUPLICATE: "It repeats an earlier one.",
    UNFAITHFUL: "The report supports too small a share of what it says (dataset.min_faithfulness).",
    EARLIER_TURN_DROPPED: "An earlier turn of its conversation is dropped.",
    REJECTED: "A person rejected it.",
    MISSING_TURN: "The teacher did not write this turn of the conversation.",
    "teacher_length": "The reply reached the longest length allowed.",
    "teacher_content_filter": "The provider's filter withheld the reply.",
    "teacher_refusal": "The teacher refused.",
    "teacher_empty": "The reply was empty.",
    "teacher_invalid": "The reply was not in the form asked for.",
    "teacher_failed": "The teacher did not reply.",
    "teacher_earlier_turn": "It was not asked, as the turn before has no usable answer.",
}
"""Reason to what it says of a row; `teacher_…` are the outcomes of generations."""
