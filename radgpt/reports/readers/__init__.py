"""Readers of reports, one module for each source, each with `read(data, seed)`."""
