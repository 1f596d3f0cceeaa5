"""Readers of reports, one module for each source, each with `plan(data, seed)` and `load(data, items)` (see `reading.Reader`)."""
