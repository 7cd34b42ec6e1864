# Two commands on a fresh machine with Python 3.11+:
#   make app     opens the studio          make app ARGS="--port 7900"
#   make test    runs every check          make test ARGS="-k resume"
PYTHON ?= python3
BIN := .venv/bin

.PHONY: app test lint clean

app: .venv/installed
	$(BIN)/python app.py $(ARGS)

# Three parts, each a process of its own or more. Most tests run in two at once, a file's tests in the same one, so that
# they share their fixtures. What drives the studio's server and its browser, or measures time or memory, has the
# processor to itself. And OpenVINO and ONNX Runtime are loaded last: a process that had run other tests before crashed
# with both of them loaded when it started a subprocess. (5: none of a part's tests was asked for.)
RUNTIMES := tests/inference/runtimes/test_engines.py tests/inference/runtimes/test_export.py
OTHERS := $(RUNTIMES:%=--ignore=%)
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

test: lint
	$(PYTEST) $(OTHERS) -m "not alone" -n 2 --dist loadfile $(ARGS) || test $$? -eq 5
	$(PYTEST) $(OTHERS) -m alone $(ARGS) || test $$? -eq 5
	$(PYTEST) $(ARGS) $(RUNTIMES) || test $$? -eq 5

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
