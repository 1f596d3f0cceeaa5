"""Make one folder of what was trained that any software loads: merged, checked, with its card, and as GGUF where wanted."""
