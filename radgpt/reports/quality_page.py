"""Lay out the counts of a preprocess run as one HTML page that needs no network and no script."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from radgpt.config import Governance
from radgpt.pages.histogram import Chart, histogram
from radgpt.pages.template import page_template, unbroken_share
from radgpt.records import EXTRA_SECTIONS, PROVENANCES, SECTIONS, SPLITS
from radgpt.reports.quality import FLAGGED_IDS, LABEL_VALUES, MEASURED, Quality
from radgpt.reports.repeats import Duplicates
from radgpt.wording import ranked

HEADERS_SHOWN = 200
"""Unknown headers in the page's table."""

VOUCHERS = {
    "header": "a header of its own",
    "merged": "one header for findings and impression",
    "title": "the study's title",
    "last_paragraph": "its place: no header claims it",
    "override": "MIT-LCP's list of odd reports",
    "source": "the source, which tells sections apart",
    "none": "nothing",
}
"""What vouches for a section, in words."""
assert tuple(VOUCHERS) == PROVENANCES

FLAGS = {
    "merged": "One header stands for findings and impression; the text counts as findings.",
    "unheaded": "No header stands above the findings; they are known by their place.",
    "no_narrative": "Neither findings nor impression: nothing to train on.",
    "override": "MIT-LCP's published list says where the section is.",
    "split_conflict": "Images of the study stand in several splits; the most held-out one counts.",
}

NARRATIVES = {
    "both": "findings and impression",
    "findings": "findings only",
    "impression": "impression only",
    "neither": "neither",
}

BANNERS = {
    Governance.credentialed: "Credentialed data. Keep this file where the reports may be: it holds header text and report ids. "
    "Show figures from it, do not pass it on.",
    Governance.restricted: "Data under a licence that limits who may have them. This file holds header text and report ids: "
    "pass it on only where the licence lets you pass on the reports.",
    Governance.open: "Open data. This file holds header text and report ids.",
    Governance.synthetic: "Made-up reports: these figures say nothing about real ones.",
}


@dataclass(frozen=True)
class Part:
    """A stretch of a stacked bar."""

    kind: str
    label: str
    count: int
    percent: float
    """Of the bar's whole length."""
    share: str


def render(quality: Quality, duplicates: Duplicates, governance: Governance, facts: Mapping[str, str]) -> str:
    """The page of a run; `facts` tells what it was made of (digest, parser, source, date, versions), in the order in which it is shown."""
    headers = quality.common_headers()
    return page_template(Path(__file__).with_name("quality.html.j2")).render(
        quality=quality,
        patients=quality.patients(),
        duplicates=duplicates,
        governance=governance.name,
        banner=BANNERS[governance],
        facts=facts,
        share=lambda part: unbroken_share(part, quality.reports),
        narrative=parts(Counter({kind: quality.narrative[kind] for kind in NARRATIVES}), NARRATIVES, quality.reports),
        seven=section_rows(quality, SECTIONS),
        extra=section_rows(quality, EXTRA_SECTIONS),
        legend={kind: words for kind, words in VOUCHERS.items() if any(vouched == kind for _, vouched in quality.provenance)},
        charts=[chart for unit in ("words", "tokens") for part in MEASURED if (chart := chart_of(quality, part, unit))],
        splits=[(name, quality.splits[name]) for name in (*SPLITS, "none") if quality.splits[name]],
        flags=[(name, count, FLAGS.get(name, ""), quality.flagged_ids[name]) for name, count in ranked(quality.flags)],
        flagged_ids=FLAGGED_IDS,
        headers=headers[:HEADERS_SHOWN],
        more_headers=len(headers) - HEADERS_SHOWN,
        header_occurrences=sum(header.count for _, header in headers) + quality.headers_dropped,
        metadata=ranked(quality.metadata),
        views=sorted(
            ((label, times) for (kind, label, _), times in quality.labels.items() if kind == "views"), key=lambda row: (-row[1], row)
        ),
        labels=label_tables(quality),
    )


def section_rows(quality: Quality, names: tuple[str, ...]) -> list[tuple[str, int, int, list[Part]]]:
    """(section, reports with text, reports with an empty header, what vouches for the text), without sections that no report has."""
    rows = [(name, quality.present(name), quality.empty[name], Counter(dict(quality.vouchers(name)))) for name in names]
    return [
        (name, present, empty, parts(vouchers, VOUCHERS, quality.reports, present))
        for name, present, empty, vouchers in rows
        if present or empty
    ]


def parts(counts: Counter[str], labels: Mapping[str, str], whole: int, shared: int | None = None) -> list[Part]:
    """A stacked bar that `whole` reports would fill, in the order of `labels`; shares are of `shared`, or else of the whole."""
    return [
        Part(kind, label, counts[kind], 100 * counts[kind] / whole, unbroken_share(counts[kind], shared or whole))
        for kind, label in labels.items()
        if counts[kind]
    ]


def label_tables(quality: Quality) -> dict[str, list[tuple[str, list[int]]]]:
    """Metadata to rows (label, reports for each of LABEL_VALUES), the commonest label first."""
    tables: dict[str, dict[str, list[int]]] = {}
    for (kind, label, value), times in quality.labels.items():
        if kind != "views":
            tables.setdefault(kind, {}).setdefault(label, [0] * len(LABEL_VALUES))[LABEL_VALUES.index(value)] += times
    return {kind: sorted(tables[kind].items(), key=lambda row: (-row[1][0], row[0])) for kind in sorted(tables)}


def chart_of(quality: Quality, part: str, unit: str) -> Chart | None:
    """The histogram of a part's lengths; None where no report has the part, or nothing was counted."""
    return histogram(quality.lengths(part, unit), "Whole report" if part == "text" else part.capitalize(), unit)
