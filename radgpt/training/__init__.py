"""Train a causal language model, on instruction-answer pairs or on raw reports."""
