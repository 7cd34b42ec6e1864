# Two commands on a fresh machine with Python 3.11+:
#   make app     opens the studio          make app ARGS="--port 7900"
#   make test    runs every check          make test ARGS="-k resume"
PYTHON ?= python3
BIN := .venv/bin

.PHONY: app test lint clean

app: .venv/installed
	$(BIN)/python app.py $(ARGS)

test: lint
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[app,track,metrics,video,export,dev]"
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
