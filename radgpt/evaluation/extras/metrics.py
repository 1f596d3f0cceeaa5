"""The metrics that optional models give."""

from radgpt.evaluation.metrics import Metric, macro_f1, mean_metric, micro_f1
from radgpt.evaluation.observations import FIVE, OBSERVATIONS

EXTRA_METRICS: dict[str, tuple[Metric, ...]] = {
    "bertscore": (mean_metric("bertscore", "BERTScore F1", "extra"),),
    "chexbert": (
        Metric("chexbert_micro_f1", "CheXbert-14 micro-F1", 3 * len(OBSERVATIONS), micro_f1, "higher", "extra"),
        Metric("chexbert_macro_f1", "CheXbert-14 macro-F1", 3 * len(OBSERVATIONS), macro_f1, "higher", "extra"),
        Metric("chexbert5_micro_f1", "CheXbert-5 micro-F1", 3 * len(FIVE), micro_f1, "higher", "extra"),
        Metric("chexbert5_macro_f1", "CheXbert-5 macro-F1", 3 * len(FIVE), macro_f1, "higher", "extra"),
    ),
    "radgraph": (
        mean_metric("radgraph_simple", "RadGraph F1, simple", "extra"),
        mean_metric("radgraph_partial", "RadGraph F1, partial", "extra"),
        mean_metric("radgraph_complete", "RadGraph F1, complete", "extra"),
    ),
    "ratescore": (mean_metric("ratescore", "RaTEScore", "extra"),),
    # RadEval's total is 1 / mean, which turns the direction round; rows are errors, as the paper has them (Yu et al. 2023).
    "radcliq": (mean_metric("radcliq_v1", "RadCliQ-v1", "extra", "lower", None),),
    "green": (mean_metric("green", "GREEN", "extra"),),
}
"""One of `evaluation.extras` to its metrics."""
