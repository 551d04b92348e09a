# Everything a fresh machine needs is Python 3.10 to 3.13 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help test smoke lint types demo wheel clean

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all,dev]'
	@touch $@

test: lint types | $(VENV)/installed  ## install, then every check and every test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

smoke: $(VENV)/installed  ## the tests to run first, under 20 seconds
	$(BIN)/python -m pytest -m smoke

lint: $(VENV)/installed  ## format and style
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .

types: $(VENV)/installed  ## the type checker, strict on the lower floors
	$(BIN)/mypy

demo: $(VENV)/installed  ## train, enroll ten new classes by one picture each, identify, report
	$(BIN)/slipstream oneshot demo --out demo

wheel: $(VENV)/installed  ## build the wheel into dist/
	$(BIN)/python -m build --wheel

clean:  ## remove what was made
	rm -rf $(VENV) build dist demo *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
