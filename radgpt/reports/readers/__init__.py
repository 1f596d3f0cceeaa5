"""Readers of reports, one module for each source, each with what `reading.Reader` says."""
