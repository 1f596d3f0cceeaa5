"""Lay out metrics for the console."""

from io import StringIO

from radgpt.evaluation.comparison import Estimates
from radgpt.evaluation.metrics import METRICS
from radgpt.evaluation.statistics import Estimate

WIDTH = 88
"""Columns; holds the model and two floors with their intervals."""


def metrics_table(estimates: Estimates, confidence: float) -> str:
    """One block for each task: a line for each metric that applies to any row, a column for each system."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    systems = list(next(iter(estimates.values())))
    table = Table(box=box.SIMPLE_HEAD, caption=f"mean [{confidence:.0%} interval over patients]", caption_justify="left")
    table.add_column("task, metric", no_wrap=True)
    for system in systems:
        table.add_column(system, no_wrap=True)
    for task, by_system in estimates.items():
        rows = max(of_metric["exact_match"].rows for of_metric in by_system.values())
        table.add_row(f"{task} ({rows} rows)")
        for metric, name in METRICS.items():
            cells = [by_system[system][metric] for system in systems]
            if any(cell.mean is not None for cell in cells):
                table.add_row(f"  {name}", *map(cell_text, cells))
        table.add_section()
    text = StringIO()
    Console(file=text, width=WIDTH, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def cell_text(found: Estimate) -> str:
    """`0.512 [0.431, 0.590]`, without the interval where there is none."""
    if found.mean is None:
        return "-"
    return f"{found.mean:.3f}" if found.low is None else f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"
