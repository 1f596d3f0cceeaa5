"""Ask a teacher through its provider's batch service: files up, replies down, at half the price within a day."""
