# codesign: the commands that people use here. `make` alone lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
WORKERS ?= 2
PYTEST  = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow fuzz fuzz-engine lint bench clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("codesign needs Python 3.11 or newer, not " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt 'torch==2.13.0'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

install: $(VENV)/.installed ## make .venv with the pinned dependencies

demo: install ## the main job on the embedded digits: data to proven Verilog and a report
	$(BIN)/cods build examples/digits.yaml

test: install ## the tests (without the slow ones), WORKERS=2 at a time
	$(PYTEST) -m 'not slow and not gpu'

test-slow: install ## the slow tests too
	$(PYTEST) -m 'not gpu'

SECONDS ?= 60
SEED    ?= 1
fuzz: install ## damaged files, drawn networks, configurations, programs for a time (SECONDS=60 SEED=1; ONLY=... repeats one)
	$(if $(N),$(BIN)/python tests/engine/fuzz.py $(N),OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/fuzz_run.py --seconds $(SECONDS)) --seed $(SEED) $(if $(ONLY),--only $(ONLY))

fuzz-engine: install ## N=400 random programs on random engines in Verilator, data and cycles checked
	$(BIN)/python tests/engine/fuzz.py $(or $(N),400) --seed $(SEED)

lint: install ## ruff, pyright, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: install ## speeds and sizes for jsc-s, jsc-l and nid-l; the engine model; the engine beside SCALE-Sim and ZigZag
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.engine_witness

clean: ## remove the environment and build products
	rm -rf $(VENV) build dist *.egg-info
