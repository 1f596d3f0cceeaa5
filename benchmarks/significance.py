"""What intervals and tests take, and whether they are those of scipy and of scoring every relabelling anew.

    python benchmarks/significance.py [--patients 343] [--draws 1000000] [--json]

Two systems answer the same made-up questions, one of each patient, with a reference each. Timed, in processor seconds, are:

    one mean      a permutation test of the difference in one mean, `--draws` relabellings
    all metrics   the same for every metric of radgpt.evaluation.metrics at once, corpus BLEU and micro-F1 among them
    intervals     10,000 resamples of patients for every metric of one system

beside scipy.stats.permutation_test (`samples`, vectorised) and scipy.stats.bootstrap (`percentile`) of one mean, reckoned to as many draws.
Checked are: the p-value of all relabellings of 12 patients against scipy's exact one; random ones of all patients against scipy's random
ones (both are estimates: so many standard errors apart); ends of an interval against scipy's, as a share of its width; and, for corpus BLEU
and chrF, values of relabellings against sacrebleu on the swapped texts, the largest difference.
"""

import argparse
import json
import random
import resource
import sys
import time
from pathlib import Path

import numpy as np
import sacrebleu
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.config import Evaluation
from radgpt.evaluation.resampling import Resampling
from radgpt.evaluation.scoring import Scoring
from radgpt.evaluation.statistics import Column, differences, estimates
from radgpt.records import Prediction

SENTENCES = (
    "No acute cardiopulmonary abnormality.",
    "Small left pleural effusion.",
    "The heart is mildly enlarged.",
    "No pneumothorax.",
    "Right lower lobe opacity, likely atelectasis.",
    "A 4.5 cm mass in the right upper lobe.",
    "Healed fracture of the left clavicle.",
    "Endotracheal tube 4 cm above the carina.",
)
SCIPY_DRAWS = 50_000


def answers(patients: int, seed: int, right: float) -> list[Prediction]:
    """Answers of a system that gives each sentence of a reference with probability `right`, else another one."""
    asked, said = random.Random(0), random.Random(seed)
    rows = []
    for patient in range(patients):
        reference = [asked.choice(SENTENCES) for _ in range(asked.randint(1, 4))]
        text = [sentence if said.random() < right else said.choice(SENTENCES) for sentence in reference]
        rows.append(Prediction(f"{patient}/0", f"{patient}", f"{patient}", "t", " ".join(text), " ".join(reference), "stop", 1))
    return rows


def timed(work, *arguments):
    """(result, processor seconds)."""
    start = time.process_time()
    return work(*arguments), time.process_time() - start


def mean_difference(one, other, axis):
    """As scipy wants a vectorised statistic."""
    return one.mean(axis=axis) - other.mean(axis=axis)


def furthest_from_sacrebleu(one: list[Prediction], other: list[Prediction], columns, name: str, corpus) -> float:
    """The largest difference between a metric of summed statistics and the package on the swapped texts, over 20 relabellings."""
    draw, furthest = np.random.default_rng(0), 0.0
    ours, theirs = (system[name] for system in columns)
    for _ in range(20):
        swapped = draw.integers(2, size=len(one)).astype(bool)
        summed = np.where(swapped[:, None], theirs.statistics, ours.statistics).sum(axis=0)
        texts = [second.text if swap else first.text for first, second, swap in zip(one, other, swapped, strict=True)]
        theirs_value = corpus(texts, [[row.reference or "" for row in one]]).score
        furthest = max(furthest, abs(float(ours.combine(summed)) - theirs_value))
    return furthest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=343, help="one row each (default 343, as in clin-summ's test split)")
    parser.add_argument("--draws", type=int, default=1_000_000, help="relabellings of a test (default 1000000)")
    parser.add_argument("--json", action="store_true", help="end with one JSON object of the figures")
    arguments = parser.parse_args()

    one, other = answers(arguments.patients, 1, 0.6), answers(arguments.patients, 2, 0.55)
    scoring = Scoring.opened(Evaluation())
    columns = scoring.model("one", one), scoring.model("other", other)
    patients = [row.patient_id for row in one]
    means = tuple({"rougeL": system["rougeL"]} for system in columns)
    scores = tuple(system["rougeL"].statistics[:, 0] for system in columns)
    million = Resampling(100, 0.95, 0, arguments.draws)
    found: dict[str, float] = {"patients": arguments.patients, "draws": arguments.draws, "metrics": len(columns[0])}

    tested, found["one_mean_seconds"] = timed(differences, *means, patients, million)
    _, found["all_metrics_seconds"] = timed(differences, *columns, patients, million)
    _, found["intervals_seconds"] = timed(estimates, columns[0], patients, Resampling(10_000, 0.95, 0))
    interval, _ = timed(estimates, means[0], patients, Resampling(100_000, 0.95, 0))

    def scipys_test():
        return stats.permutation_test(
            scores, mean_difference, permutation_type="samples", n_resamples=SCIPY_DRAWS, batch=1000, vectorized=True, rng=0
        )

    def scipys_interval():
        return stats.bootstrap((scores[0],), np.mean, n_resamples=SCIPY_DRAWS, batch=1000, method="percentile", rng=0)

    their_test, seconds = timed(scipys_test)
    found["scipy_one_mean_seconds"] = seconds * arguments.draws / SCIPY_DRAWS
    their_interval, _ = timed(scipys_interval)

    few = tuple({"rougeL": Column(system["rougeL"].statistics[:12], system["rougeL"].combine)} for system in columns)
    exact = stats.permutation_test(
        tuple(score[:12] for score in scores), mean_difference, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    found["exact_p_difference"] = abs(differences(*few, patients[:12], million)["rougeL"].p_value - exact.pvalue)
    ours = tested["rougeL"].p_value
    found["p_value"], found["scipy_p_value"] = ours, float(their_test.pvalue)
    # scipy doubles the smaller tail, so its standard error is twice that of a tail.
    found["standard_errors_apart"] = abs(ours - their_test.pvalue) / (2 * np.sqrt(ours / 2 * (1 - ours / 2) / SCIPY_DRAWS))
    ends, (low, high) = interval["rougeL"], their_interval.confidence_interval
    found["interval_ends_apart"] = max(abs(ends.low - low), abs(ends.high - high)) / (high - low)
    for name, corpus in (("bleu", sacrebleu.corpus_bleu), ("chrf", sacrebleu.corpus_chrf)):
        found[f"{name}_from_sacrebleu"] = furthest_from_sacrebleu(one, other, columns, name, corpus)
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    for name, value in found.items():
        print(f"{name:28} {value:,.4g}" if isinstance(value, float) else f"{name:28} {value:,}")
    if arguments.json:
        print(json.dumps({name: float(value) for name, value in found.items()}))


if __name__ == "__main__":
    main()
