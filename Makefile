# Each target sets up what it needs: a virtual environment of its own in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
CORE = $(VENV)/.core
STAMP = $(VENV)/.installed

.PHONY: demo test lint bench soak test-oldest-client test-newest-client docs clean

demo: $(CORE)  ## build every corpus's bundled sample and look at it
	$(BIN)/edge-glass build --out demo
	$(BIN)/edge-glass verify demo

test: $(STAMP)  ## the test suite
	$(BIN)/pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(CORE): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Edge Glass needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[video]'
	touch $@

$(STAMP): $(CORE)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[test,lint]'
	touch $@

clean:
	rm -rf $(VENV) demo build dist *.egg-info
