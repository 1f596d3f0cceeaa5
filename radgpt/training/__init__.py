"""Fine-tune a causal language model on instruction-answer pairs."""
