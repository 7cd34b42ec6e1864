# Two commands on a fresh machine with Python 3.11+:
#   make app     opens the studio          make app ARGS="--port 7900"
#   make test    runs every check          make test ARGS="-k resume"
PYTHON ?= python3
BIN := .venv/bin

.PHONY: app test lint clean

app: .venv/installed
	$(BIN)/python app.py $(ARGS)

# The other runtimes have a process of their own: with OpenVINO and ONNX Runtime loaded, one that had run the tests of the
# data before crashed when it started a subprocess. (5: no test of theirs was asked for.)
RUNTIMES := tests/inference/runtimes/test_engines.py tests/inference/runtimes/test_export.py

test: lint
	$(BIN)/python -m pytest $(ARGS) $(RUNTIMES:%=--ignore=%)
	$(BIN)/python -m pytest $(ARGS) $(RUNTIMES) || test $$? -eq 5

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[app,track,metrics,features,video,heic,export,dev]"
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
