# `make demo` runs the main job on real guests, `make test` the tests, `make check` the linters, `make bench` the benchmarks.
# Each sets up what it needs in .venv, as pinned in locks/; PYTHON chooses the interpreter (3.11 or newer).
# With COVERAGE=1 `make test` also holds coverage at 95 %, which takes Python 3.11 two thirds longer; CI does.
# With WHOLE=1 tests that repeat themselves do so as often as it takes: before a release, and after a change of the engines.
# With NEWEST=1 it is set up in .venv-newest, the newest of all that the ranges in pyproject.toml allow.
# `make relock` renews locks/. `make conformance CHECKOUT=...` runs the component model's own test suite,
# `make wasi-testsuite CHECKOUT=...` that of WASI, `make differential CHECKOUT=...` compares with other engines.
PYTHON ?= python3
VENV := $(if $(NEWEST),.venv-newest,.venv)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A lock names all that there is to install: pip is not asked what else a package wants. Asked, the pip of Python 3.11 may
# take the newest release of an extra's package before it comes to our pin, and fail on the day that there is a newer one.
LOCKED := $(PIP) install --no-deps --require-hashes --requirement
NEWER := $(PIP) install --upgrade --upgrade-strategy eager --editable .
LOCK := $(CURDIR)/$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make relock'
RELOCK_ARGS ?= --upgrade
CASES ?= 1000
SECONDS ?= 60

.PHONY: demo test docs conformance wasi-testsuite differential bench check format guests soak fuzz relock clean always

demo: $(VENV)/.runtime
	PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/04-orchestration/run.sh

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(if $(COVERAGE),--cov --cov-report=term) -n 2 --dist worksteal $(PYTEST_ARGS)

conformance: $(VENV)/.dev
	@test -n "$(CHECKOUT)" || { echo 'say CHECKOUT=/path/to/component-model, or several folders with : between them'; exit 2; }
	PYTHONPATH=tests $(BIN)/python -m conformance $(CHECKOUT) $(CONFORMANCE_ARGS)

wasi-testsuite: $(VENV)/.dev
	@test -n "$(CHECKOUT)" || { echo 'say CHECKOUT=/path/to/wasi-testsuite, of its branch prod/testsuite-base'; exit 2; }
	PYTHONPATH=tests $(BIN)/python -m wasi_testsuite $(CHECKOUT) $(TESTSUITE_ARGS)

differential: $(VENV)/.dev
	@test -n "$(CHECKOUT)" || { echo 'say CHECKOUT=/path/to/component-model'; exit 2; }
	PYTHONPATH=tests $(BIN)/python -m differential $(CHECKOUT) --cases $(CASES) $(DIFFERENTIAL_ARGS)

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

# With two arenas the C library gives memory back soon: what grows then is ours.
soak: $(VENV)/.dev
	MALLOC_ARENA_MAX=2 PYTHONPATH=tests $(BIN)/python -m soak $(SOAK_ARGS)

fuzz: $(VENV)/.fuzz
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(SECONDS) $(FUZZ_ARGS)

# The site is in build/site. Strict: a warning, such as a link that leads nowhere, ends it.
docs: $(VENV)/.docs
	$(BIN)/python docs/_site/prepare.py build/docs
	$(BIN)/zensical build --strict --clean --config-file mkdocs.yml

guests: $(VENV)/.dev
	$(BIN)/python tests/guests/build.py

# locks/dev.txt comes first; the others hold to it. RELOCK_ARGS= keeps every pin that still fits pyproject.toml.
relock: $(VENV)/.relock
	$(LOCK) $(RELOCK_ARGS) --group dev --output-file locks/dev.txt pyproject.toml
	$(LOCK) $(RELOCK_ARGS) --group build --constraint locks/dev.txt --output-file locks/runtime.txt pyproject.toml
	$(LOCK) $(RELOCK_ARGS) --group docs --constraint locks/dev.txt --output-file locks/docs.txt
	$(LOCK) $(RELOCK_ARGS) --group fuzz --constraint locks/dev.txt --output-file locks/fuzz.txt
	$(LOCK) $(RELOCK_ARGS) --group relock --constraint locks/dev.txt --output-file locks/relock.txt

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "polycall needs Python 3.11 or newer; say make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	touch $@

ifdef NEWEST
# Always done anew: what is the newest is another thing tomorrow.
$(VENV)/.runtime: $(VENV)/.made always
	$(PIP) install --upgrade pip
	$(NEWER)
	touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(NEWER) --group dev
	touch $@

$(VENV)/.fuzz: $(VENV)/.dev
	$(NEWER) --group fuzz
	touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(NEWER) --group docs
	touch $@

$(VENV)/.relock: $(VENV)/.runtime
	$(NEWER) --group relock
	touch $@
else
# Builds nothing in an environment of its own, where pip would fetch the newest: what builds polycall is locked too.
$(VENV)/.runtime: pyproject.toml locks/runtime.txt $(VENV)/.made
	$(LOCKED) locks/runtime.txt
	$(PIP) install --no-build-isolation --no-deps --editable .
	touch $@

$(VENV)/.dev: locks/dev.txt $(VENV)/.runtime
	$(LOCKED) locks/dev.txt
	touch $@

$(VENV)/.fuzz: locks/fuzz.txt $(VENV)/.dev
	$(LOCKED) locks/fuzz.txt
	touch $@

$(VENV)/.docs: locks/docs.txt $(VENV)/.dev
	$(LOCKED) locks/docs.txt
	touch $@

$(VENV)/.relock: locks/relock.txt $(VENV)/.made
	$(LOCKED) locks/relock.txt
	touch $@
endif

clean:
	rm -rf .venv .venv-newest .fuzz .guests-tools .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage dist build
