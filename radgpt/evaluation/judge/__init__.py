"""Have a language model grade answers, and say how far its grades can be trusted."""
