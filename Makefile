# `make help` lists what there is. Two commands are all a newcomer needs: `make report` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

DATA ?= data/sample
AS_OF ?= 2026-10-31
OUT ?= reports
WORKERS ?= 2

# Compiled modules are wanted: without them every kernel compiles the imports again.
unexport PYTHONDONTWRITEBYTECODE
# One BLAS thread a process: the work is many small problems, and processes share the cores.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.PHONY: help
help: ## list what there is
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## create .venv and install the locked dependencies (uv where it is there, else pip)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "forecast needs Python 3.11 or newer; name one: make setup PYTHON=python3.12"; exit 1; }
	@if command -v uv >/dev/null 2>&1; then \
	  echo "installing with uv"; \
	  { test -x $(BIN)/python || uv venv --quiet --python "$$(command -v $(PYTHON))" $(VENV); } && \
	  uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . ; \
	else \
	  echo "installing with pip (a minute or two)"; \
	  { test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV); } && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . ; \
	fi
	@$(BIN)/python -m compileall -q src
	@touch $(STAMP)

.PHONY: report
report: $(STAMP) ## the main job on data/sample: reports/<as_of>/index.html (DATA=, AS_OF=, OUT=)
	@$(BIN)/forecast report --data $(DATA) --as-of $(AS_OF) --out $(OUT)

.PHONY: test
test: $(STAMP) ## the tests, but for the long studies of error rates (WORKERS=2 at once)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup --no-loadscope-reorder -m "not long"

.PHONY: test-quick
test-quick: $(STAMP) ## the tests that take little time, three minutes together
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup --no-loadscope-reorder -m "not slow and not browser and not long"

.PHONY: test-long
test-long: $(STAMP) ## the long studies of error rates, and schedulers that really run
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup --no-loadscope-reorder -m "long and not faults"

.PHONY: faults
faults: $(STAMP) ## runs that are killed, disks that are full, 2,000 damaged companies; the table of docs/reliability.md
	@$(BIN)/python tests/faults/table.py
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup --no-loadscope-reorder -m faults

.PHONY: lint
lint: $(STAMP) ## ruff (rules and format) and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

.PHONY: format
format: $(STAMP) ## let ruff mend what it can
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

.PHONY: lab
lab: $(STAMP) ## open JupyterLab at notebooks/, where 00_explore tells where to start
	@$(BIN)/jupyter lab --notebook-dir . --LabApp.default_url=/lab/tree/notebooks/00_explore.ipynb

.PHONY: bench
bench: $(STAMP) ## speed, memory and accuracy, measured side by side (benchmarks/README.md)
	@$(BIN)/python -m benchmarks.speed.report
	@$(BIN)/python -m benchmarks.speed.import_costs
	@$(BIN)/python -m benchmarks.speed.what_if
	@$(BIN)/python -m benchmarks.accuracy.series
	@$(BIN)/python -m benchmarks.accuracy.words
	@$(BIN)/python -m benchmarks.speed.backtest
	@$(BIN)/python -m benchmarks.speed.importing
	@$(BIN)/python -m benchmarks.speed.from_export
	@$(BIN)/python -m benchmarks.speed.cox
	@$(BIN)/python -m benchmarks.accuracy.bookings --report --sizes 20000,60000,200000
	@$(BIN)/python -m benchmarks.accuracy.bookings --report --sizes 20000 --giant
	@$(BIN)/python -m benchmarks.accuracy.bookings --report --sizes 20000 --deals
	@$(BIN)/python -m benchmarks.accuracy.prototype --sizes 20000,60000,200000 --report --record

.PHONY: sample
sample: $(STAMP) ## make data/sample again
	@$(BIN)/forecast simulate --out data/sample --steady --segments 12 --seed 9001

.PHONY: twin
twin: $(STAMP) ## make the sample's zero-effect twin, in which planning together changed nothing: data/twin
	@$(BIN)/forecast simulate --out data/twin --steady --segments 12 --seed 9001 --effect 0

.PHONY: lock
lock: ## resolve pyproject.toml anew into requirements.lock (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  --no-emit-find-links --no-annotate --extra dev pyproject.toml --output-file requirements.lock

.PHONY: environment
environment: $(STAMP) ## write environment.yml from pyproject.toml
	@$(BIN)/python tools/environment.py

.PHONY: clean
clean: ## remove what was made: .venv, caches, generated reports
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find reports -mindepth 1 ! -name README.md -prune -exec rm -rf {} +
