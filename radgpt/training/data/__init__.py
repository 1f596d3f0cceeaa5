"""Pairs and reports as tokens, and tokens as micro-batches."""
