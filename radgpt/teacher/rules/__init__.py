"""The embedded teacher: what it can be asked, and how it asks, answers and rewords by rule, without a network."""
