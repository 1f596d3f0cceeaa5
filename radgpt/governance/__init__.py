"""Who may see the data, and what follows from it for files, endpoints, logs and uploads."""
