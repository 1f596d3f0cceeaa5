"""Whether a training fits, and how long it takes, before it starts."""
