"""Lay out a comparison as one HTML page that needs no network; its one script filters the examples."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radgpt.config import Governance
from radgpt.evaluation.compared import Compared
from radgpt.evaluation.comparison import ABNORMAL, ALL_TASKS, BETTER, CLEAN, WORSE, direction, outcome
from radgpt.evaluation.floors import FLOORS
from radgpt.evaluation.metrics import GROUPS, Metric
from radgpt.evaluation.model_facts import differing
from radgpt.evaluation.page.examples import KINDS, Example, examples
from radgpt.evaluation.page.forest import Forest, forest, in_words
from radgpt.evaluation.page.gains import Gains, gains
from radgpt.evaluation.statistics import Estimate
from radgpt.evaluation.table import decimals
from radgpt.pages.template import page_template
from radgpt.wording import printable

COLOURS = 8
"""Colours that models have in turn."""
MOST_PAIRS = 6
"""Pairs of models whose differences are drawn."""

BANNERS = {
    Governance.credentialed: "Credentialed data. This page shows text of reports, questions and answers: it stays in the run’s folder, "
    "closed to others, under the same data use agreement as the reports. Pass on figures, never the page.",
    Governance.restricted: "Data under a licence that limits who may have them. This page shows text of reports, questions and answers: "
    "pass it on only where the licence lets you pass on the reports.",
    Governance.open: "Open data. This page shows text of reports, questions and answers; their licence holds for it too.",
    Governance.synthetic: "Made-up reports: these figures say nothing about how well a model does on real ones.",
}

SUBSETS = {
    ALL_TASKS: "all questions",
    ABNORMAL: "reference affirms a finding",
    CLEAN: "nothing like it in training",
}
"""Subset of rows that is no task, to what it holds."""

CONTAMINATION = {
    "report": "The report stands in training word for word",
    "near_report": "The report stands in training, at least nearly",
    "prompt": "Report and question stand in training word for word",
    "reference": "The reference answer is one of training’s",
    "patient": "The patient is in training",
    "clean": "None of report, prompt and patient",
}

GAP_MARKS = {BETTER: "▲", WORSE: "▼"}


@dataclass(frozen=True)
class Cell:
    """One system's value of one metric."""

    value: str
    interval: str
    best: bool
    """Whether no model has a better one."""
    mark: str
    """▲ better or ▼ worse than the first model, as far as tests can tell; else nothing."""


def html(compared: Compared, governance: Governance, facts: Mapping[str, str], wanted: int) -> str:
    """The page.

    Args:
        facts: how the comparison was made, in the order in which it is shown.
        wanted: questions to show side by side.
    """
    from markupsafe import Markup

    script = Path(__file__).with_name("filters.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    metric = compared.metrics[compared.metric]
    way = direction(metric) or 1
    systems = [*compared.models, *compared.floors]
    shown = examples(compared.rows, compared.questions, compared.abnormal, compared.metric, way, wanted)
    told = {model: answering.facts for model, answering in compared.answering.items()}
    return page_template(Path(__file__).with_name("comparison.html.j2")).render(
        script=Markup(script),
        script_digest=digest,
        governance=governance.name,
        banner=BANNERS[governance],
        facts={name: printable(value) for name, value in facts.items()},
        compared=compared,
        models=compared.models,
        floors=compared.floors,
        floor_meanings=FLOORS,
        systems=systems,
        colour={model: f"m{place % COLOURS}" for place, model in enumerate(compared.models)} | dict.fromkeys(compared.floors, "floor"),
        metric=metric,
        way=WAYS[metric.better],
        confidence=f"{compared.resampling.confidence:.0%}",
        verdicts=_verdicts(compared),
        groups=_groups(compared, systems),
        plots=_plots(compared, systems),
        matrix=_matrix(compared),
        gains=_gains(compared, way),
        subsets=[_subset(compared, name, systems) for name in compared.found.estimates],
        subset_names=SUBSETS,
        contamination=[(CONTAMINATION[name], compared.contamination[name]) for name in CONTAMINATION] if compared.contamination else [],
        reasons=list(dict.fromkeys(reason for answering in compared.answering.values() for reason in answering.reasons)),
        further=_further(compared),
        differing={name: {model: printable(value) for model, value in row.items()} for name, row in differing(told).items()},
        known=[model for model, of_model in told.items() if of_model.settings],
        judge=compared.judgement,
        people=_people(compared),
        examples=[(one, _data(one)) for one in shown],
        kinds=KINDS,
        tasks=sorted({one.row.task for one in shown}),
        number_of=lambda value: "–" if value is None else f"{value:.{decimals(metric)}f}",
        plainly=lambda value, of: "–" if value is None else f"{value:.{decimals(of)}f}",
    )


WAYS = {"higher": "more is better", "lower": "less is better", "neither": "neither more nor less is better"}


def _verdicts(compared: Compared) -> list[dict[str, Any]]:
    """A sentence's parts for every two models, the better one first."""
    metric = compared.metrics[compared.metric]
    found = []
    for (one, other), p_value in compared.pair_p_values(compared.metric).items():
        verdict = compared.verdict(one, other)
        if verdict == WORSE:
            one, other, verdict = other, one, BETTER
        difference = compared.difference(one, other, compared.metric)
        found.append(
            {
                "one": one,
                "other": other,
                "better": verdict == BETTER,
                "difference": _signed(
                    Estimate(difference.value, difference.low, difference.high, difference.rows, difference.patients), metric
                ),
                "p_value": p_value,
            }
        )
    return found


def _signed(found: Estimate, metric: Metric) -> str:
    """`+0.120 [+0.080, +0.161]`"""
    places = decimals(metric)
    if found.value is None:
        return "–"
    text = f"{found.value:+.{places}f}"
    if found.low is not None and found.high is not None:
        text += f" [{found.low:+.{places}f}, {found.high:+.{places}f}]"
    return text.replace("-", "\N{MINUS SIGN}")


def _groups(compared: Compared, systems: list[str]) -> list[tuple[str, list[tuple[Metric, dict[str, Cell]]]]]:
    """Metrics that apply to any row, by group, each with a cell for every system."""
    found: dict[str, list[tuple[Metric, dict[str, Cell]]]] = {}
    for name, metric in compared.metrics.items():
        cells = _cells(compared, ALL_TASKS, name, systems)
        if cells:
            found.setdefault(GROUPS.get(metric.group, metric.group), []).append((metric, cells))
    return list(found.items())


def _cells(compared: Compared, subset: str, name: str, systems: list[str]) -> dict[str, Cell]:
    """Every system's cell; none where the metric applies to nobody."""
    metric, values = compared.metrics[name], compared.found.estimates[subset]
    there = [value for model in compared.models if (value := values[model][name].value) is not None]
    if all(values[system][name].value is None for system in systems):
        return {}
    best = (max if direction(metric) > 0 else min)(there) if there and direction(metric) else None
    cells = {}
    for system in systems:
        found = values[system][name]
        shown, _, interval = in_words(found, decimals(metric)).partition(" ")
        mark = ""
        if system in compared.models[1:]:
            mark = GAP_MARKS.get(
                outcome(compared.difference(system, compared.models[0], name, subset), metric, compared.resampling.confidence), ""
            )
        cells[system] = Cell(shown, interval, found.value is not None and found.value == best and system in compared.models, mark)
    return cells


def _plots(compared: Compared, systems: list[str]) -> list[tuple[Metric, Forest]]:
    """A forest plot for each metric of which one direction is better, the one compared by first; the form of answers is no plot's."""
    plotted = [
        name for name, metric in compared.metrics.items() if name == compared.metric or (direction(metric) and metric.group != "form")
    ]
    names = sorted(plotted, key=lambda name: name != compared.metric)
    drawn = []
    for name in names:
        values = {system: compared.found.estimates[ALL_TASKS][system][name] for system in systems}
        if plot := forest(values, compared.floors, decimals(compared.metrics[name])):
            drawn.append((compared.metrics[name], plot))
    return drawn


def _matrix(compared: Compared) -> list[tuple[str, list[dict[str, Any] | None]]]:
    """How often the answers of each model (row) are better than those of each other one (column); none where nothing tells."""
    rows: list[tuple[str, list[dict[str, Any] | None]]] = []
    for one in compared.models:
        cells: list[dict[str, Any] | None] = []
        for other in compared.models:
            rate = None if one == other else compared.win_rate(one, other, compared.metric)
            if one == other or rate is None or rate.value is None:
                cells.append(None)
                continue
            cells.append({"rate": rate, "verdict": compared.verdict(one, other)})
        rows.append((one, cells))
    return rows if any(cell for _, cells in rows for cell in cells) else []


def _gains(compared: Compared, way: int) -> list[Gains]:
    """Histograms of differences: of the first model against the others, then of the other pairs."""
    drawn = []
    for one, other in compared.pairs[:MOST_PAIRS]:
        differences = []
        for row in compared.rows:
            ours, theirs = (row.scores.get(model, {}).get(compared.metric) for model in (one, other))
            if ours is not None and theirs is not None:
                differences.append(ours - theirs)
        if chart := gains(one, other, differences, way):
            drawn.append(chart)
    return drawn


def _subset(compared: Compared, name: str, systems: list[str]) -> tuple[str, int, dict[str, Cell], list[tuple[Metric, dict[str, Cell]]]]:
    """(subset, rows, cells of the metric compared by, cells of every other metric)."""
    others = [
        (metric, cells)
        for of_metric, metric in compared.metrics.items()
        if of_metric != compared.metric and (cells := _cells(compared, name, of_metric, systems))
    ]
    return name, compared.found.rows[name], _cells(compared, name, compared.metric, systems), others


def _further(compared: Compared) -> list[tuple[str, dict[str, str]]]:
    """What the runs tell of speed, tokens and cost, where any does."""
    wanted = {
        "tokens_per_second": ("Tokens generated a second", "{:,.1f}"),
        "prompt_tokens": ("Prompt tokens", "{:,.0f}"),
        "completion_tokens": ("Reply tokens", "{:,.0f}"),
        "usd": ("Cost, US$", "{:,.4f}"),
    }
    rows = []
    for name, (label, form) in wanted.items():
        values = {model: answering.facts.metrics.get(name) for model, answering in compared.answering.items()}
        if any(value is not None for value in values.values()):
            rows.append((label, {model: "–" if value is None else form.format(value) for model, value in values.items()}))
    return rows


def _people(compared: Compared) -> list[dict[str, str]]:
    """How those who graded the same answers agree: a judge with all people and with each, and every two people."""

    def told(figure: Mapping[str, Any]) -> str:
        if figure["value"] is None:
            return "–"
        ends = f" [{figure['low']:.2f}, {figure['high']:.2f}]" if figure["low"] is not None else ""
        return f"{figure['value']:.2f}{ends}".replace("-", "\N{MINUS SIGN}")

    return [
        {"criterion": row["criterion"], "who": f"{row['one']} and {row['other']}", "scores": f"{row['scores']:,}"}
        | {name: told(row[name]) for name in ("kappa", "spearman", "exact")}
        for row in (compared.people or {}).get("rows", [])
    ]


def _data(one: Example) -> dict[str, str]:
    """What the filters read."""
    return {
        "kinds": " ".join(one.kinds),
        "task": one.row.task,
        "abnormal": "yes" if one.abnormal else "no",
        "apart": f"{one.apart:.6f}",
        "mean": f"{one.mean:.6f}",
        "values": json.dumps(one.values),
    }
