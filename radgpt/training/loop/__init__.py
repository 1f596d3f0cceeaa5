"""Steps of training: losses, checkpoints, resuming."""
