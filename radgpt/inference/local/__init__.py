"""Answer with a model in this process: our own decoding over its keys and values, for a stream and for files."""
