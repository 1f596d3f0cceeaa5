"""Lay out a dataset's card: as Markdown with Hugging Face's front matter, and as one HTML page that needs no network and no script."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from radgpt.config import Data, Dataset, Governance
from radgpt.instructions import filters, reasons
from radgpt.instructions.card import SCORES, Card, Pass
from radgpt.pages.histogram import Chart, histogram
from radgpt.pages.template import page_template
from radgpt.records import SPLITS
from radgpt.wording import cell, clipped, printable, ranked

MEANINGS = {**filters.MEANINGS, **reasons.MEANINGS}
"""Reason that a row is dropped for to what it says of it."""

LONGEST_NAME = 80
"""Characters of a name that a teacher gives itself; a longer one is cut."""

BANNERS = {
    Governance.credentialed: "Made from credentialed reports. Instructions and answers derive from them and stay under the same data "
    "use agreement: keep the dataset where the reports may be, and pass it on only to people, and in ways, that the agreement allows. "
    "This card holds figures alone.",
    Governance.restricted: "Made from reports under a licence that limits who may have them. Instructions and answers derive from them: "
    "pass the dataset on only where that licence lets you pass on the reports. This card holds figures alone.",
    Governance.open: "Made from open reports. Their licence, and the terms of the teacher's provider, hold for the dataset too.",
    Governance.synthetic: "Made from made-up reports: nothing here says anything about patients, or about "
    "how well a model does on real reports.",
}

TASK_CATEGORIES = {
    "question_answering": "question-answering",
    "summarisation": "summarization",
}
"""Task to its category on the Hugging Face hub; the others are text generation."""

DECISIONS = {"accept": "accepted", "reject": "rejected", "edit": "edited", "withdraw": "taken back"}

SCORE_KINDS = dict(zip(SCORES, ("all", "most", "half", "little", "nothing", "unchecked"), strict=True))
"""Class of score to the name of its colour."""

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))
"""Hugging Face's classes of size; one has more rows than the last bound of the one before."""


@dataclass(frozen=True)
class ScoreRow:
    """One class of faithfulness."""

    name: str
    kind: str
    kept: int
    dropped: int
    percent: float
    """Of all answers judged for it."""


def facts(data: Data, dataset: Dataset, seed: int, sources: Mapping[str, str]) -> dict[str, str]:
    """What a dataset was made of and how, in the order in which it is shown; `sources` gives digests of what was read, by name."""
    return {
        "Source": data.source.value + (f", {Path(data.path).name}" if data.path else ""),
        "Part": "all of it" if data.limit is None else f"the first {data.limit:,} reports",
        "Splits": data.split.value,
        "Least faithfulness": f"{dataset.min_faithfulness:g}",
        "Seed": str(seed),
        **{f"Read: {name}": f"sha256:{sha256}" for name, sha256 in sources.items()},
        "Made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by radgpt {version('radgpt')}",
    }


def markdown(card: Card, governance: Governance, facts: Mapping[str, str]) -> str:
    """The card as a README for the Hugging Face hub; it stands beside the folder `dataset`."""
    template = page_template(Path(__file__).with_name("card.md.j2"))
    return template.render(**_view(card, governance, facts), cell=cell)


def html(card: Card, governance: Governance, facts: Mapping[str, str]) -> str:
    """The card as a page of its own."""
    return page_template(Path(__file__).with_name("card.html.j2")).render(**_view(card, governance, facts))


def _view(card: Card, governance: Governance, facts: Mapping[str, str]) -> dict[str, Any]:
    tasks = sorted({task for task, _ in card.pairs})
    pairs = card.pairs.total()
    kept = card.judged - card.dropped_answers.total()
    # Each kept instruction has an answer, be it one without a text.
    asked = card.judged + card.dropped_instructions.total() if card.instruction_pass.calls else 0
    return {
        "governance": governance.name,
        "banner": BANNERS[governance],
        "facts": {name: printable(value) for name, value in facts.items()},
        "pairs": pairs,
        "patients": card.all_patients,
        "straddling": card.straddling,
        "reports": card.reports.total(),
        "splits": SPLITS,
        "tasks": [(task, [card.pairs[task, split] for split in SPLITS]) for task in tasks],
        "by_split": [
            ("pairs", [sum(card.pairs[task, split] for task in tasks) for split in SPLITS]),
            ("patients", [card.patients(split) for split in SPLITS]),
            ("reports", [card.reports[split] for split in SPLITS]),
        ],
        "judged": card.judged,
        "kept": kept,
        "instructions": asked,
        "instructions_kept": card.judged,
        "dropped": [
            ("Instructions", asked, _reasons(card.dropped_instructions)),
            ("Answers", card.judged, _reasons(card.dropped_answers)),
        ],
        "scores": _scores(card.scores),
        "scored": card.scores.total(),
        "supported": sum(card.scores[SCORES[0], kept] for kept in (True, False)),
        "checked": sum(times for (name, _), times in card.scores.items() if name != SCORES[-1]),
        "problems": _problems(card.problems),
        "turns": sorted(card.turns.items()),
        "charts": _charts(card),
        "passes": [
            (name, one, _names(one.teachers), _names(one.prompt_versions), ranked(one.outcomes))
            for name, one in (("instructions", card.instruction_pass), ("answers", card.answer_pass))
            if one.calls
        ],
        "usd": _usd(card.usd),
        "usd_of": _usd_of,
        "tokens": card.tokens,
        "decisions": [(words, card.decisions[name]) for name, words in DECISIONS.items() if card.decisions[name]],
        "decided": card.decisions.total(),
        "categories": sorted({TASK_CATEGORIES.get(task, "text-generation") for task in tasks}),
        "size": next((name for bound, name in SIZES if pairs < bound), "n>10M"),
    }


def _reasons(counts: Counter[str]) -> list[tuple[str, int, str]]:
    """(reason, rows, what it says), the commonest first."""
    return [(reason, times, MEANINGS.get(reason, "")) for reason, times in ranked(counts)]


def _scores(counts: Counter[tuple[str, bool]]) -> list[ScoreRow]:
    whole = counts.total()
    rows = [(name, counts[name, True], counts[name, False]) for name in SCORES]
    return [
        ScoreRow(name, SCORE_KINDS[name], kept, dropped, 100 * (kept + dropped) / whole) for name, kept, dropped in rows if kept or dropped
    ]


def _problems(counts: Counter[tuple[str, bool]]) -> list[tuple[str, int, int]]:
    """(kind, answers dropped, answers kept all the same), the commonest first."""
    kinds = sorted({kind for kind, _ in counts}, key=lambda kind: (-counts[kind, True] - counts[kind, False], kind))
    return [(kind, counts[kind, False], counts[kind, True]) for kind in kinds]


def _charts(card: Card) -> list[tuple[Chart, str]]:
    """Histograms, each with the noun for what it counts."""
    drawn: Sequence[tuple[Chart | None, str]] = (
        (histogram(card.instruction_words, "Instruction", "words"), "turn"),
        (histogram(card.answer_words, "Answer", "words"), "turn"),
        (histogram(card.context_words, "Context", "words"), "pair"),
    )
    return [(chart, noun) for chart, noun in drawn if chart]


def _names(counts: Counter[str]) -> list[tuple[str, int]]:
    """Names that come from outside, fit to be shown."""
    return [(clipped(printable(name), LONGEST_NAME), times) for name, times in ranked(counts)]


def _usd(amount: float) -> str:
    """An amount in US dollars that says 0 only where nothing was charged."""
    return f"{amount:,.2f}" if amount >= 0.01 or not amount else "<0.01"


def _usd_of(one: Pass) -> str:
    return _usd(one.usd)
