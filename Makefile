# `make check` is what CI runs.
PYTHON ?= .venv/bin/python

.PHONY: check format lint types test fast demo

check: lint types test

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest

fast:
	$(PYTHON) -m pytest -m "not slow"

demo:
	scripts/demo.sh
