"""Hold a conversation about a report with any backend, and show it in the terminal."""
