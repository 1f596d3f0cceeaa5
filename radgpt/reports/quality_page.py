"""Lay out the counts of a preprocess run as one HTML page that needs no network and no script."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from radgpt.config import Governance
from radgpt.records import EXTRA_SECTIONS, PROVENANCES, SECTIONS, SPLITS
from radgpt.reports.lengths import Spread, spread
from radgpt.reports.quality import FLAGGED_IDS, LABEL_VALUES, MEASURED, Quality
from radgpt.reports.repeats import Duplicates
from radgpt.reports.wording import counted, ranked, share

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

WIDTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
"""Widths that a bin of a histogram may have, so that its bounds are round numbers."""
MOST_BINS = 24

CHART = (440, 250)
"""Width and height of a chart's drawing, in its own units; a page scales it to its column."""
PLOT = (60, 26, 432, 200)
"""Left, top, right and bottom of the area that bars stand in; the rest is for labels."""
LEAST_BETWEEN_X_LABELS = 56
"""Units between two labels under the bars, so that they never touch."""


@dataclass(frozen=True)
class Bar:
    """A bin of a histogram as it is drawn and read."""

    x: float
    y: float
    width: float
    height: float
    count: int
    bounds: str
    """`20–39`, or `480 or more` for the last bin where lengths go on."""
    open: bool
    """Whether it is that last bin."""


@dataclass(frozen=True)
class Chart:
    """A histogram, ready to draw."""

    title: str
    unit: str
    spread: Spread
    bars: list[Bar]
    x_labels: list[tuple[float, str]]
    y_labels: list[tuple[float, str]]
    median_x: float
    p95_x: float


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
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # Headers and ids come from reports: nothing of them may be read as markup.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": "{:,}".format, "one": "{:,.1f}".format, "xy": "{:.1f}".format, "counted": counted}
    headers = quality.common_headers()
    return environment.get_template("quality.html.j2").render(
        quality=quality,
        patients=quality.patients(),
        duplicates=duplicates,
        governance=governance.name,
        banner=BANNERS[governance],
        facts=facts,
        share=lambda part: unbroken_share(part, quality.reports),
        share_of=unbroken_share,
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


def unbroken_share(part: int, whole: int) -> str:
    """A percentage whose sign never stands alone on the next line."""
    return share(part, whole).replace(" ", "\N{NO-BREAK SPACE}")


def label_tables(quality: Quality) -> dict[str, list[tuple[str, list[int]]]]:
    """Metadata to rows (label, reports for each of LABEL_VALUES), the commonest label first."""
    tables: dict[str, dict[str, list[int]]] = {}
    for (kind, label, value), times in quality.labels.items():
        if kind != "views":
            tables.setdefault(kind, {}).setdefault(label, [0] * len(LABEL_VALUES))[LABEL_VALUES.index(value)] += times
    return {kind: sorted(tables[kind].items(), key=lambda row: (-row[1][0], row[0])) for kind in sorted(tables)}


def chart_of(quality: Quality, part: str, unit: str) -> Chart | None:
    """The histogram of a part's lengths; None where no report has the part, or nothing was counted."""
    lengths = quality.lengths(part, unit)
    if not lengths:
        return None
    found = spread(lengths)
    width = bin_width(found.p99)
    bins = binned(lengths, width, found)
    goes_on = (len(bins) - 1) * width + width <= found.max
    left, top, right, bottom = PLOT
    step = (right - left) / len(bins)
    ceiling, tick = y_axis(max(bins))

    def x_of(length: int) -> float:
        # The middle of a length's place, as a length of 3 fills the stretch from 3 to 4.
        return min(left + (length + 0.5) / width * step, right)

    bars = []
    for number, count in enumerate(bins):
        height = (bottom - top) * count / ceiling
        last = goes_on and number == len(bins) - 1
        first = number * width
        bounds = f"{first:,} or more" if last else f"{first:,}" if width == 1 else f"{first:,}–{first + width - 1:,}"
        bars.append(Bar(left + number * step + 0.5, bottom - height, step - 1, height, count, bounds, last))
    every = next(apart for apart in (1, 2, 5, 10, 20) if apart * step >= LEAST_BETWEEN_X_LABELS)
    title = "Whole report" if part == "text" else part.capitalize()
    return Chart(
        title,
        unit,
        found,
        bars,
        [(left + number * step, f"{number * width:,}") for number in range(0, len(bins), every)],
        [(bottom - (bottom - top) * level / ceiling, f"{level:,}") for level in range(0, ceiling + 1, tick)],
        x_of(found.median),
        x_of(found.p95),
    )


def bin_width(p99: int) -> int:
    """The least round width with which lengths up to the 99th percentile fill at most MOST_BINS."""
    return next((width for width in WIDTHS if p99 // width < MOST_BINS), p99 // MOST_BINS + 1)


def binned(lengths: Counter[int], width: int, found: Spread) -> list[int]:
    """Reports in each bin from 0 on; what lies beyond the bin of the 99th percentile is in one more, which ends the axis."""
    last = found.p99 // width
    bins = [0] * (last + (2 if found.max // width > last else 1))
    for length, times in lengths.items():
        bins[min(length // width, len(bins) - 1)] += times
    return bins


def y_axis(highest: int) -> tuple[int, int]:
    """(height of the axis, distance of its labels), both round, for a highest bar."""
    tick = next(digit * 10**power for power in range(12) for digit in (1, 2, 5) if highest <= 5 * digit * 10**power)
    return -(-highest // tick) * tick, tick
