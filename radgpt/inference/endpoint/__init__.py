"""Answer with a model behind an OpenAI-compatible endpoint, by the teacher's means."""
