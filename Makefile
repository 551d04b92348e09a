# Everything a fresh machine needs is Python 3.10 to 3.13 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Each of the two test processes takes one core; NumPy's own threads would only get in their way.
test smoke: export OPENBLAS_NUM_THREADS := 1
test smoke: export OMP_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help test smoke lint types demo wheel clean

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# A stamp says what is installed; a change of pyproject.toml installs anew.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(INSTALL) '.[all,dev]'
	@touch $@ $(VENV)/oneshot

$(VENV)/oneshot: pyproject.toml | $(BIN)/python
	$(INSTALL) '.[oneshot]'
	@touch $@

test: lint types  ## install, then every check and every test
	$(BIN)/python -m pytest -n 2 --dist loadfile

smoke: $(VENV)/installed  ## the tests to run first, under 20 seconds
	$(BIN)/python -m pytest -m smoke

lint: $(VENV)/installed  ## format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/installed  ## the type checker, strict on the lower floors
	$(BIN)/mypy

demo: $(VENV)/oneshot  ## train, enroll ten new classes by one picture each, identify, report
	$(BIN)/slipstream oneshot demo --out demo

wheel: $(VENV)/installed  ## build the wheel into dist/
	$(BIN)/python -m build --wheel

clean:  ## remove what was made
	rm -rf $(VENV) build dist demo *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
