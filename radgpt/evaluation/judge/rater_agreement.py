"""Say how well a judge agrees with people, beside how well people agree with each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from radgpt.evaluation.judge.human_scores import HumanScore
from radgpt.evaluation.judge.judgement import PREFERENCE, Judgement
from radgpt.evaluation.resampling import Resampling
from radgpt.wording import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Statistic = Callable[[Numbers, Numbers], float]

JUDGE = "judge"
PEOPLE = "people"
"""All raters, each score of theirs for itself."""

Scores = Mapping[tuple[str, str], float]
"""(question, system) to a score."""


@dataclass(frozen=True)
class Figure:
    """A measure of agreement with its interval."""

    value: float | None
    """None where it is not defined, as where all scores are the same."""
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Agreement:
    """How two who graded the same answers agree."""

    criterion: str
    one: str
    """JUDGE, or a rater."""
    other: str
    """A rater, or PEOPLE."""
    scores: int
    """Pairs of scores compared."""
    questions: int
    kappa: Figure
    """Cohen's kappa with quadratic weights."""
    spearman: Figure
    """Rank correlation."""
    exact: Figure
    """Share of equal scores; a judge's mean over repeats and orders counts as equal up to half a step of the scale."""


@dataclass(frozen=True)
class Agreements:
    """All of it."""

    rows: list[Agreement]
    """By criterion: the judge with all raters, with each of them, and every two raters."""
    compared: int
    """Scores of people that the judge graded too."""
    unmatched: int
    """Scores of people that are of no answer, or by no criterion, that the judge graded."""


def agreements(human: Sequence[HumanScore], judgement: Judgement | None, resampling: Resampling) -> Agreements:
    """Compare a judge, if there is one, with people, and people with each other.

    Where the judge graded a single system, scores that name none are that system's, and so are all if they name but one.
    """
    by_rater: dict[str, dict[str, dict[tuple[str, str], float]]] = {}
    alone = judgement.systems[0] if judgement is not None and len(judgement.systems) == 1 else None
    named = {score.system for score in human}
    for score in human:
        system = alone if alone is not None and (len(named) == 1 or not score.system) else score.system
        by_rater.setdefault(score.criterion, {}).setdefault(score.rater or "a person", {})[score.id, system] = score.score
    by_judge: dict[str, dict[tuple[str, str], float]] = {}
    for row in judgement.scores() if judgement is not None else ():
        if row.score is not None:
            by_judge.setdefault(row.criterion, {})[row.id, row.system] = row.score
    graded = {(row.criterion, row.id, row.system) for row in judgement.scores()} if judgement is not None else set()
    of_people = [(criterion, *key) for criterion, raters in by_rater.items() for given in raters.values() for key in given]
    rows = []
    for criterion, raters in by_rater.items():
        judged = by_judge.get(criterion, {})
        rows.append(agreement(criterion, JUDGE, PEOPLE, [(judged, given) for given in raters.values()], resampling))
        if len(raters) > 1:
            rows += [agreement(criterion, JUDGE, rater, [(judged, given)], resampling) for rater, given in raters.items()]
            pairs = list(combinations(raters, 2))
            rows += [agreement(criterion, one, other, [(raters[one], raters[other])], resampling) for one, other in pairs]
            if len(pairs) > 1:
                every_two = [(raters[one], raters[other]) for one, other in pairs]
                rows.append(agreement(criterion, PEOPLE, PEOPLE, every_two, resampling))
    matched = sum(key in graded for key in of_people)
    return Agreements([row for row in rows if row.scores], matched, len(of_people) - matched)


def agreement(criterion: str, one: str, other: str, graders: Sequence[tuple[Scores, Scores]], resampling: Resampling) -> Agreement:
    """The figures over all answers that both of a pair of graders scored, every pair's together."""
    import numpy as np

    shared = [(key, ours[key], theirs[key]) for ours, theirs in graders for key in theirs if key in ours]
    x, y = np.array([row[1] for row in shared], dtype=float), np.array([row[2] for row in shared], dtype=float)
    questions = [row[0][0] for row in shared]
    half_a_step = 0.25 if criterion == PREFERENCE else 0.5
    statistics: dict[str, Statistic] = {
        "kappa": quadratic_kappa,
        "spearman": spearman,
        "exact": lambda x, y: float((abs(x - y) < half_a_step).mean()) if len(x) else float("nan"),
    }
    figures = bootstrapped(statistics, x, y, questions, resampling)
    return Agreement(criterion, one, other, len(shared), len(set(questions)), **figures)


def quadratic_kappa(x: "Numbers", y: "Numbers") -> float:
    """Cohen's kappa with quadratic weights of two graders' scores, each (rows,); nan where no disagreement is possible.

    1 - mean (x - y)^2 / what it would be if the scores were paired at random (Cohen 1968, https://doi.org/10.1037/h0026256). For whole
    numbers it is what scikit-learn's `cohen_kappa_score(weights="quadratic")` gives with all scores of the scale as labels; means over
    repeats need no rounding.
    """
    if not len(x):
        return float("nan")
    by_chance = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return float(1 - ((x - y) ** 2).mean() / by_chance) if by_chance > 0 else float("nan")


def spearman(x: "Numbers", y: "Numbers") -> float:
    """Spearman's rank correlation of scores, each (rows,), ties at their mean rank; nan where one grader gave all the same."""
    from scipy.stats import rankdata

    if len(x) < 2:
        return float("nan")
    ranks, others = rankdata(x), rankdata(y)
    spread = ranks.std() * others.std()
    return float(((ranks - ranks.mean()) * (others - others.mean())).mean() / spread) if spread > 0 else float("nan")


def bootstrapped(
    statistics: "Mapping[str, Statistic]", x: "Numbers", y: "Numbers", questions: Sequence[str], resampling: Resampling
) -> dict[str, Figure]:
    """Each statistic with a percentile interval over resampled questions, each drawn with all of its scores."""
    import numpy as np

    places: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        places.setdefault(question, []).append(place)
    rows_of = [np.array(rows, dtype=np.int64) for rows in places.values()]
    drawn: dict[str, list[float]] = {name: [] for name in statistics}
    generator = np.random.default_rng(resampling.seed % 2**32)
    for _ in range(resampling.samples if len(rows_of) > 1 else 0):
        rows = np.concatenate([rows_of[one] for one in generator.integers(len(rows_of), size=len(rows_of))])
        for name, statistic in statistics.items():
            drawn[name].append(statistic(x[rows], y[rows]))
    return {name: figure(statistic(x, y), drawn[name], resampling.confidence) for name, statistic in statistics.items()}


def figure(value: float, drawn: Sequence[float], confidence: float) -> Figure:
    """A value with the middle of its resampled ones; those that are not defined say nothing."""
    import numpy as np

    known = np.array([one for one in drawn if one == one])
    if value != value:
        return Figure(None, None, None)
    if not len(known):
        return Figure(value, None, None)
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Figure(value, float(low), float(high))


def as_result(found: Agreements) -> dict[str, Any]:
    """All of it as plain values, for a file of metrics."""
    return asdict(found)


def told(found: Agreements) -> list[str]:
    """Lines for the console."""
    lines = []
    if any(row.one == JUDGE for row in found.rows):
        lines.append(f"judge and people agree (kappa: quadratic weights), {counted(found.compared, 'score')}:")
    elif found.unmatched:
        lines.append(f"people's scores ({counted(found.unmatched, 'score')}) are of no answer that the judge graded")
    for row in found.rows:
        kappa, rank, exact = map(in_words, (row.kappa, row.spearman, row.exact))
        lines.append(f"  {row.criterion}, {row.one} and {row.other}: kappa {kappa}, Spearman {rank}, equal {exact}, n {row.scores}")
    if found.compared and found.unmatched:
        lines.append(f"  {counted(found.unmatched, 'score')} of people are of answers or criteria that the judge did not grade")
    return lines


def in_words(found: Figure) -> str:
    """`0.61 [0.40, 0.78]`, `-` where there is no value."""
    if found.value is None:
        return "-"
    return f"{found.value:.2f}" if found.low is None else f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"
