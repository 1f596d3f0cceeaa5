"""Let a person read answers beside their reports, and keep what they decide."""
