"""What is measured and shown while training."""
