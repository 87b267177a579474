# `make demo` runs the main job on real guests, `make test` the tests, `make check` the linters, `make bench` the benchmarks.
# Each sets up what it needs in .venv; PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SECONDS ?= 60

.PHONY: demo test bench check format guests soak fuzz clean

demo: $(VENV)/.runtime
	PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/04-orchestration/run.sh

test: $(VENV)/.dev
	$(BIN)/python -m pytest --cov --cov-report=term -n 2 $(PYTEST_ARGS)

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/guests/build.py --check

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m soak $(SOAK_ARGS)

fuzz: $(VENV)/.fuzz
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(SECONDS) $(FUZZ_ARGS)

guests: $(VENV)/.dev
	$(BIN)/python tests/guests/build.py

$(VENV)/.runtime: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "polycall needs Python 3.11 or newer; say make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --editable .
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.runtime
	$(PIP) install 'pip>=25.1'
	$(PIP) install --group dev
	touch $@

$(VENV)/.fuzz: pyproject.toml $(VENV)/.dev
	$(PIP) install --group fuzz
	touch $@

clean:
	rm -rf $(VENV) .fuzz .guests-tools .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage dist build
