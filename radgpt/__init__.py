"""From radiology reports to a chat model: see run.py and conf/."""
