# Two commands: make run, make test. `make help` names the others.
PYTHON ?= python3
BIN := .venv/bin
.SILENT:
.PHONY: help setup setup-dev run test check lint format seed

help:
	echo "make run     the hub on http://127.0.0.1:8000 (LABHUB_PORT moves it)"
	echo "make test    the whole suite"
	echo "make check   format, lint and types"
	echo "make format  put the code into the project's format"
	echo "make seed    load what is missing of seeds/"

setup:
	command -v $(PYTHON) >/dev/null || { echo "labhub: $(PYTHON) is not installed. Install it: apt-get install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) tools/bootstrap.py run

setup-dev:
	command -v $(PYTHON) >/dev/null || { echo "labhub: $(PYTHON) is not installed. Install it: apt-get install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) tools/bootstrap.py dev

run: setup
	exec $(BIN)/python -m labhub start

seed: setup
	$(BIN)/python -m labhub init

test: setup-dev
	$(BIN)/python -m pytest

check lint: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
