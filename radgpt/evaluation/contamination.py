"""Find what a test shares with training: inputs, exactly or nearly, whole prompts, references, patients."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from radgpt.evaluation.floors import asked_text, copied
from radgpt.records import Pair


@dataclass(frozen=True)
class Overlap:
    """What one test row shares with the training pairs."""

    report: bool
    """What it shows of its report is shown in training too, but for case and white space."""
    near_report: bool
    """The same, or so alike that ROUGE-L F1 reaches the threshold."""
    prompt: bool
    """All that the user says is the same, question included."""
    reference: bool
    """The reference answer is one of training's: likely for short answers, and no fault by itself."""
    patient: bool
    """The patient is in training."""

    @property
    def clean(self) -> bool:
        """Whether training holds neither the patient nor anything like the input."""
        return not (self.near_report or self.prompt or self.patient)


def overlaps(train: Sequence[Pair], asked: Sequence[Pair], near_duplicate: float) -> list[Overlap]:
    """What each of the pairs asked about shares with training.

    Nearness is exact: no pair of reports is passed over that comparing all with all would find.

    Args:
        near_duplicate: ROUGE-L F1, in (0, 1], from which two reports count as nearly the same.
    """
    from radgpt.instructions.deduplication import Duplicates

    reports = {folded(copied(pair)) for pair in train}
    prompts = {folded(asked_text(pair)) for pair in train}
    references = {folded(pair.reference) for pair in train}
    patients = {pair.patient_id for pair in train}
    # `Duplicates` wants a similarity above its threshold, not at it.
    trained_on = Duplicates(math.nextafter(near_duplicate, 0), sorted(reports))
    near = {report: report in reports or trained_on.knows(report) for report in {folded(copied(pair)) for pair in asked}}
    return [
        Overlap(
            report=(report := folded(copied(pair))) in reports,
            near_report=near[report],
            prompt=folded(asked_text(pair)) in prompts,
            reference=folded(pair.reference) in references,
            patient=pair.patient_id in patients,
        )
        for pair in asked
    ]


def folded(text: str) -> str:
    """A text without differences of case and white space."""
    return " ".join(text.casefold().split())


def counts(shared: Sequence[Overlap] | None) -> dict[str, int] | None:
    """How many test rows share what with training, and how many are clean; None where that is not known."""
    if shared is None:
        return None
    names = ("report", "near_report", "prompt", "reference", "patient", "clean")
    return {"rows": len(shared), **{name: sum(getattr(row, name) for row in shared) for name in names}}
