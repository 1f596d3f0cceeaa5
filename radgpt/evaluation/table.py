"""Lay out a comparison for the console: one system's values with intervals, beside others' and whether they are told apart."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from radgpt.evaluation.comparison import ALIKE, ALL_TASKS, BETTER, UNKNOWN, WORSE, Comparison, outcome
from radgpt.evaluation.statistics import Estimate
from radgpt.wording import counted

if TYPE_CHECKING:
    from radgpt.evaluation.metrics import Metric

WIDTH = 100
"""Columns that a table may fill; further systems go into a block below."""
LABEL_WIDTH = 34
"""Columns for the name of a line; longer names are cut."""
GAP = 2
FEW_PATIENTS = 30
"""Below so many, resampled intervals are too narrow: 95 % ones of a mean held the truth in 88 % of simulated sets of 10 patients, and in
94 % of those of 30."""

MARKS = {BETTER: "+", WORSE: "-", ALIKE: "=", UNKNOWN: " "}
VERDICTS = {BETTER: "beats", WORSE: "is worse than", ALIKE: "does not beat", UNKNOWN: "cannot be compared with"}


def metrics_table(
    found: Comparison, metrics: Mapping[str, "Metric"], system: str, others: Sequence[str], confidence: float, width: int = WIDTH
) -> str:
    """All rows: a line for each metric that applies to any, with the system's interval, and the others' values.

    Behind another's value stands whether `system` is better (+) or worse (-) than it, or not told apart (=).
    """
    values = found.estimates[ALL_TASKS]
    lines = {
        metric.label: cells(found, ALL_TASKS, metric, system, others, confidence)
        for name, metric in metrics.items()
        if any(values[one][name].value is not None for one in (system, *others))
    }
    table = laid_out([system, *others], lines, width)
    patients = max((estimate.patients for estimate in values[system].values()), default=0)
    return f"{table}\n(only {counted(patients, 'patient')}: these intervals are too narrow)" if patients < FEW_PATIENTS else table


def subsets_table(found: Comparison, metric: "Metric", system: str, others: Sequence[str], confidence: float, width: int = WIDTH) -> str:
    """One metric: a line for each subset of rows but `all`, with its number of rows, else as `metrics_table`."""
    lines = {
        f"{subset}, {rows}": cells(found, subset, metric, system, others, confidence)
        for subset, rows in found.rows.items()
        if subset != ALL_TASKS
    }
    return laid_out([system, *others], lines, width)


def cells(found: Comparison, subset: str, metric: "Metric", system: str, others: Sequence[str], confidence: float) -> list[str]:
    """One metric in one subset: the system's value with its interval, then the others' with marks."""
    values, differences = found.estimates[subset], found.differences[subset].get(system, {})
    marks = {other: MARKS[outcome(of_metric[metric.name], metric, confidence)] for other, of_metric in differences.items()}
    return [
        with_interval(values[system][metric.name], metric),
        *(f"{plain(values[other][metric.name], metric)} {marks.get(other, '')}".rstrip() for other in others),
    ]


def verdicts(found: Comparison, metric: "Metric", system: str, others: Sequence[str], confidence: float) -> list[str]:
    """A line for each of the others: whether the system beats it in one metric, over all rows."""
    differences = found.differences[ALL_TASKS].get(system, {})
    words = max(map(len, VERDICTS.values()))
    names, places = max(map(len, others), default=0), decimals(metric)
    lines = []
    for other in others:
        difference = differences[other][metric.name]
        if difference.value is None:
            why = "one of them has no score"
        elif difference.low is None or difference.p_holm is None:
            why = f"{difference.value:+.{places}f}, but one patient gives no interval"
        else:
            why = (
                f"{difference.value:+.{places}f} [{difference.low:+.{places}f}, {difference.high:+.{places}f}], p = {difference.p_holm:.2g}"
            )
        lines.append(f"  {VERDICTS[outcome(difference, metric, confidence)]:<{words}} {other:<{names}}  {why}")
    return lines


def laid_out(columns: Sequence[str], lines: Mapping[str, Sequence[str]], width: int) -> str:
    """Lines of cells under column names, in blocks that fit the width; the first column stands in each block."""
    if not lines:
        return ""
    label = min(max(map(len, lines)), LABEL_WIDTH)
    widths = [max(len(name), *(len(cells[place]) for cells in lines.values())) for place, name in enumerate(columns)]
    blocks: list[list[int]] = [[0]]
    for place in range(1, len(columns)):
        if label + sum(GAP + widths[shown] for shown in [*blocks[-1], place]) > width and blocks[-1] != [0]:
            blocks.append([0])
        blocks[-1].append(place)
    told = []
    for block in blocks:
        rows = [("", columns), *((name if len(name) <= label else f"{name[: label - 1]}…", cells) for name, cells in lines.items())]
        told += [
            "".join([f"{name:<{label}}", *(f"{'':{GAP}}{cells[place]:<{widths[place]}}" for place in block)]).rstrip()
            for name, cells in rows
        ]
        told.append("")
    return "\n".join(told[:-1])


def plain(found: Estimate, metric: "Metric") -> str:
    """`0.512`, or `51.2` of a metric that goes up to 100; `-` where there is none."""
    return "-" if found.value is None else f"{found.value:.{decimals(metric)}f}"


def with_interval(found: Estimate, metric: "Metric") -> str:
    """`0.512 [0.431, 0.590]`, without the interval where there is none."""
    if found.low is None or found.high is None:
        return plain(found, metric)
    places = decimals(metric)
    return f"{plain(found, metric)} [{found.low:.{places}f}, {found.high:.{places}f}]"


def decimals(metric: "Metric") -> int:
    """Decimal places that are shown."""
    return 3 if metric.top == 1 else 2 if metric.top is None else 1
