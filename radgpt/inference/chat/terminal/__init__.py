"""Talk with a model in the terminal: lines in, streamed answers out, commands that start with a slash."""
