"""Say which settings of a training are far from what others take."""

from radgpt.config import Method, Pretraining
from radgpt.training.planning.plans import Plan

HIGH_FOR_ALL_WEIGHTS = 5e-5
"""Learning rate that is high for tuning all weights of a model of billions: Alpaca and Llama 2 (arXiv 2307.09288) take 2e-5."""

LOW_FOR_ADAPTERS = 5e-5
"""Learning rate that is low for adapters: LoRA's and QLoRA's authors (arXiv 2106.09685, 2305.14314) take 1e-4 to 2e-4."""


def advice(plan: Plan) -> list[str]:
    """What of the settings would seldom be meant: one learning rate for all ways of tuning, and weights that steps are too small for."""
    rate, full = plan.training.learning_rate, plan.tuning.method is Method.full
    setting = f"{'pretraining' if isinstance(plan.training, Pretraining) else 'training'}.learning_rate={rate:g}"
    lines = []
    if full and rate > HIGH_FOR_ALL_WEIGHTS and plan.shape.parameters >= 1e9:
        lines.append(f"careful      {setting} is high for tuning=full: 1e-5 to 2e-5 are usual for models of this size")
    if not full and rate < LOW_FOR_ADAPTERS:
        lines.append(f"careful      {setting} is low for tuning=lora: 1e-4 to 2e-4 are usual for adapters")
    if full and plan.formats.weights == "bfloat16" and not plan.deepspeed.enabled:
        lines.append(
            "careful      model.dtype=bfloat16 holds the weights that are trained in 8 bits of precision, where small steps vanish; "
            "model.dtype=auto trains in float32 and computes in bfloat16"
        )
    return lines
