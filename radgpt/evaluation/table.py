"""Lay out metrics for the console."""

from io import StringIO

from radgpt.evaluation.comparison import Estimates
from radgpt.evaluation.metrics import METRICS
from radgpt.evaluation.statistics import Estimate

WIDTH = 80
"""Columns of a terminal; the model and two floors with their intervals fill them."""


def metrics_table(estimates: Estimates, confidence: float) -> str:
    """A block for each task: a line for each metric that applies to any of its rows, a column for each system."""
    from rich.console import Console
    from rich.table import Table

    text = StringIO()
    console = Console(file=text, width=WIDTH, color_system=None)
    for task, by_system in estimates.items():
        rows = max(of_metric["exact_match"].rows for of_metric in by_system.values())
        table = Table(box=None, pad_edge=False)
        table.add_column(min_width=max(map(len, METRICS.values())))
        for system in by_system:
            table.add_column(system, no_wrap=True, min_width=len("0.000 [0.000, 0.000]"))
        for metric, name in METRICS.items():
            cells = [of_metric[metric] for of_metric in by_system.values()]
            if any(cell.mean is not None for cell in cells):
                table.add_row(name, *map(cell_text, cells))
        console.print(f"\n{task}, {rows} row{'s' if rows > 1 else ''}", highlight=False)
        console.print(table)
    console.print(f"\nmeans [{confidence:.0%} intervals over patients]", markup=False, highlight=False)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def cell_text(found: Estimate) -> str:
    """`0.512 [0.431, 0.590]`, without the interval where there is none."""
    if found.mean is None:
        return "-"
    return f"{found.mean:.3f}" if found.low is None else f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"
