"""Eight reports whose counts are known by hand, and what counts them."""

from collections.abc import Callable

from radgpt.records import Report, Section
from radgpt.reports.quality import Quality


def report(report_id: str, patient_id: str, *stretches: tuple[str, str, str, str], **more: object) -> Report:
    """A report of stretches (section, header, what vouches for it, text)."""
    text, spans, sections = "", [], {}
    for name, header, provenance, body in stretches:
        text += f"{header}: " if header else ""
        spans.append(Section(name, header, provenance, len(text), len(text) + len(body)))
        text += f"{body}\n"
        if body and name != "other":
            sections[name] = f"{sections[name]}\n\n{body}" if name in sections else body
    return Report(report_id, patient_id, text, sections, spans=spans, **more)  # type: ignore[arg-type]


EIGHT = [
    report(
        "r1",
        "p1",
        ("findings", "FINDINGS", "header", "Both lungs clear."),
        ("impression", "IMPRESSION", "header", "Normal."),
        split="train",
    ),
    # The same words, other capitals and spaces.
    report(
        "r2",
        "p2",
        ("findings", "Findings", "header", "Both  lungs clear."),
        ("impression", "Impression", "header", "normal."),
        split="test",
    ),
    report("r3", "p2", ("findings", "FINDINGS AND IMPRESSION", "merged", "A nodule on the left."), split="train", flags=["merged"]),
    report("r4", "p3", ("indication", "INDICATION", "header", "Cough."), ("findings", "", "last_paragraph", "Clear."), flags=["unheaded"]),
    report("r5", "p3", ("findings", "FINDINGS", "header", ""), ("impression", "IMPRESSION", "header", "Stable small nodule.")),
    report("r6", "p4", ("history", "HISTORY", "header", "Fever."), ("impression", "IMPRESSION", "header", ""), flags=["no_narrative"]),
    report(
        "r7",
        "p5",
        ("other", "Lung volumes", "none", "Low."),
        ("findings", "FINDINGS", "header", "Tube in place."),
        ("other", "LUNG  VOLUMES", "none", "Still low."),
        ("findings", "FINDINGS", "header", ""),
        ("wet_read", "WET READ", "none", "Tube seen."),
        metadata={"views": ["AP", "AP", "LATERAL"], "chexpert": {"Edema": 1.0, "Fracture": -1, "Pneumonia": None}, "images": 3, "mesh": []},
    ),
    Report("r8", "p6", "", {}, flags=["no_narrative", "split_conflict"]),
]


def quality_of(reports: list[Report], count_tokens: Callable[[list[str]], list[int]] | None = None) -> Quality:
    """The counts of reports."""
    found = Quality()
    found.add(reports, count_tokens)
    return found
