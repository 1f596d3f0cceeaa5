"""Two models and a floor with known values of three metrics, for tests of what is made of a comparison."""

from radgpt.evaluation.compared import Answering, Compared
from radgpt.evaluation.comparison import Columns, columns_of, compare, subsets_of
from radgpt.evaluation.metrics import METRICS
from radgpt.evaluation.model_facts import ModelFacts
from radgpt.evaluation.resampling import Resampling
from radgpt.records import ComparedAnswer, Prediction

KEPT = {name: METRICS[name] for name in ("rougeL", "looping", "length_ratio")}
RESAMPLING = Resampling(100, 0.95, 0, 500)
ROWS = 20
HOSTILE = "</p><script>alert('x')</script><img src=x onerror=alert(1)>"


def scores(rouge: float, looping: float = 0.0) -> Columns:
    """A system with the same scores on every row."""
    row = {"rougeL": (rouge, 1.0), "looping": (looping, 1.0), "length_ratio": (5.0, 4.0)}
    return columns_of(KEPT, [row] * ROWS)


def compared_models(**changed: object) -> Compared:
    """`tuned` is better than `base` in all; texts are hostile, and scores of single rows grow with their number."""
    systems = {"tuned": scores(0.8), "base": scores(0.2, looping=1.0), "majority": scores(0.1)}
    rows = [
        ComparedAnswer(
            f"r{number}/0",
            f"r{number}",
            f"p{number}",
            "question_answering" if number % 2 else "summarisation",
            [{"role": "user", "content": f"REPORT TEXT\n\nquestion {number}"}],
            HOSTILE,
            {"tuned": HOSTILE, "base": "" if number else "short"},
            {"tuned": {"rougeL": 0.8 + number / 100}, "base": {"rougeL": 0.2 + number / 100}},
        )
        for number in range(ROWS)
    ]
    subsets = subsets_of([row.task for row in rows], [None] * ROWS)
    pairs = [("tuned", "base"), ("tuned", "majority"), ("base", "majority")]
    found = compare(KEPT, systems, [row.patient_id for row in rows], subsets, pairs, RESAMPLING)
    predicted = [Prediction("a", "r", "p", "t", "x", None, "stop", 4)]
    answering = {
        "tuned": Answering.of(predicted, ModelFacts("ab", {"tuning.r": "8"}, {"tokens_per_second": 12.5, "usd": 0.25})),
        "base": Answering.of(predicted, ModelFacts("cd", {"tuning.r": "null"})),
    }
    shared = {"rows": ROWS, "report": 3, "near_report": 4, "prompt": 0, "reference": 9, "patient": 0, "clean": 16}
    whole = {
        "models": ["tuned", "base"], "floors": ["majority"], "metrics": KEPT, "metric": "rougeL", "found": found, "rows": rows,
        "questions": [f"question {number}" for number in range(ROWS)], "abnormal": [number == 3 for number in range(ROWS)],
        "contamination": shared, "answering": answering, "resampling": RESAMPLING,
    }  # fmt: skip
    return Compared(**whole | changed)  # type: ignore[arg-type]
