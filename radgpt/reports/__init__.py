"""Reports: reading them from their sources, and splitting them into sections."""
