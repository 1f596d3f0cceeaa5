"""What is trained: the base model, adapters on it, and where training starts."""
