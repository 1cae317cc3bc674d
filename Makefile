# make check: everything that must be green. The first target that is made also makes .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CHECKED := src tests bench docs

# Tests wait more than they compute: some more processes than a small machine has cores.
SHARED := -n 4 --dist worksteal

# Tests of real processes may miss their time where much else goes on: what failed is tried once more, alone.
AGAIN = $(BIN)/pytest --last-failed --last-failed-no-failures none

# Bad inputs that `make fuzz` sends.
INPUTS := 10000

# Tests that write what they came to where they are asked to (tests/proof.py).
PROOFS := tests/stores/test_model.py tests/simulation tests/torture $(wildcard tests/e2e/test_kill*.py)

# Records are put into docs/ when all are made, so that each names a commit without changes.
KEEP = cp build/proof/*.json docs/proof/ && $(BIN)/python docs/generate.py

# How long `make torture` has faults strike, on each store.
MINUTES := 3

# How long `make soak` goes on, on each store.
HOURS := 1

# Modules are compiled once, not by each process that the tests start.
unexport PYTHONDONTWRITEBYTECODE

# How many seeds `make simulate` runs, and how many at a time.
SEEDS := 100
JOBS := $(shell nproc 2>/dev/null || echo 2)

# How often stores fail in a run of all tests on stores that do (tests/faults.py).
FAULTS := 0.05

# Of such a run that must be the same each time: check-all's, and the one that is a proof.
SEED := 1

.PHONY: check check-slow check-all test fuzz torture proof soak format lint types floors install run bench bench-check docs site simulate faults

check: format lint types test

check-slow: $(INSTALLED)
	$(BIN)/pytest $(SHARED) -m 'slow and not all' tests || $(AGAIN) -m 'slow and not all' tests

check-all: check check-slow torture
	$(BIN)/pytest -m all tests
	$(BIN)/pytest $(SHARED) --faults $(FAULTS) --seed $(SEED) tests || $(AGAIN) --faults $(FAULTS) --seed $(SEED) tests
	$(MAKE) fuzz INPUTS=100000

# A seed that nobody has chosen, and that is printed.
faults: $(INSTALLED)
	$(BIN)/pytest $(SHARED) --faults $(FAULTS) tests

torture: $(INSTALLED)
	$(BIN)/restante torture --minutes $(MINUTES) --store sqlite
	$(BIN)/restante torture --minutes $(MINUTES) --store postgresql
	$(BIN)/restante torture --minutes $(MINUTES) --store sqlite --sealed

# What shows the promises, with the last figures into docs/concepts/guarantees.md. Half an hour.
proof: export PROOF := build/proof
proof: $(INSTALLED)
	@mkdir -p build && rm -rf build/proof
	$(BIN)/pytest $(SHARED) -m 'slow or all' $(PROOFS)
	$(BIN)/pytest $(SHARED) --faults $(FAULTS) --seed $(SEED) tests
	for store in sqlite postgresql; do \
	    $(BIN)/restante torture --minutes $(MINUTES) --store $$store --json > build/torture.json && \
	    $(BIN)/python -m tests.proof build/torture.json || exit 1; \
	done
	$(KEEP)

simulate: $(INSTALLED)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs $(JOBS) $(ARGS)

format: $(INSTALLED)
	$(BIN)/ruff format --check $(CHECKED)

lint: $(INSTALLED)
	$(BIN)/ruff check $(CHECKED)

types: $(INSTALLED)
	$(BIN)/mypy

floors: $(INSTALLED)
	$(BIN)/pytest tests/house

test: $(INSTALLED)
	$(BIN)/pytest $(SHARED) tests || $(AGAIN) tests

fuzz: $(INSTALLED)
	$(BIN)/pytest -m fuzz -n 2 --dist loadfile tests/fuzz --inputs $(INPUTS)

run: $(INSTALLED)
	$(BIN)/restante demo $(ARGS)

bench: $(INSTALLED)
	@$(BIN)/python -c 'import matplotlib' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python bench/run.py $(ARGS)

# An hour for each store, at 60 % of what is possible, and whether anything grows.
soak: $(INSTALLED)
	@$(BIN)/python -c 'import matplotlib' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	PROOF=build/proof $(BIN)/python bench/soak.py --hours $(HOURS) $(ARGS)
	$(KEEP)

bench-check: $(INSTALLED)
	$(BIN)/python bench/check.py $(ARGS)

docs: $(INSTALLED)
	$(BIN)/python docs/generate.py

# The documentation as pages, in build/site.
site: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
