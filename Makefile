# Everything runs in `.venv`, which is made on first use and again when its inputs change.

PYTHON ?= python3
# Measured with `make pythons`, the newest first. On older ones the transformers of constraints.txt
# does not install; newer ones are tried, and told to be new.
PYTHONS := 3.13 3.12 3.11
FITS := import sys; now = sys.version_info[:2]; \
  known = [(3, int(one[2:])) for one in "$(PYTHONS)".split()]; \
  now > max(known) and print("== Newer than what this is measured on: $(PYTHONS)"); \
  sys.exit(now < min(known))
LIGHT := $(PYTHONS) 3.10
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
  --constraint constraints.txt
# As pip would, but on every core. Packages have files, too, that are for other Pythons.
COMPILE := $(BIN)/python -m compileall -q -j 0 .venv/lib adaptergen >/dev/null || true
SPEC := specs/nemotron_h.yaml
# What `survey` measures every class of.
TASKS := causal-lm masked-lm seq2seq-lm

.DEFAULT_GOAL := help
.PHONY: help demo test long light fuzz mutants bench matrix pythons prove inspect survey lint docs schema clean

help: ## Show this list.
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1	/p' $(MAKEFILE_LIST)

demo: .venv/.verify ## Build the adapter of Nemotron-H and verify it on a tiny model.
	@echo "== Building $(SPEC)"
	@$(BIN)/adaptergen build $(SPEC)
	@echo "== Verifying it on a tiny model, on the CPU"
	@$(BIN)/adaptergen verify $(SPEC)

test: .venv/.dev ## Run every test that needs neither a GPU nor the network, but the longest.
	@echo "== Running the tests of adaptergen"
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile -m "not long"

long: .venv/.dev ## Run the longest tests.
	@$(BIN)/python -m pytest -m long

light: ## Run the tests that need no torch on every supported Python, without torch.
	@# Where pyenv keeps the interpreters, it runs one only if told which.
	@set -e; for version in $(LIGHT); do export PYENV_VERSION=$$version; \
	  if ! python$$version -c '' 2>/dev/null; then \
	    echo "== Skipping Python $$version: there is no python$$version" >&2; continue; fi; \
	  echo "== Python $$version"; \
	  $(MAKE) --no-print-directory .light/$$version/.stamp; \
	  .light/$$version/bin/python -m pytest --numprocesses=2 --dist=loadfile -m "not heavy"; done

fuzz: .venv/.dev ## Try 100,000 mutated specs.
	@ADAPTERGEN_FUZZ=100000 $(BIN)/python -m pytest -s tests/fuzz

mutants: .venv/.dev ## Run tests and verify on files with mistakes, and write docs/mutants.md.
	@nice $(BIN)/python tests/mutants/mutation_run.py --end-to-end 6 --report docs/mutants.md

bench: .venv/.dev ## Measure how fast it is, and write docs/benchmarks.md.
	@nice $(BIN)/python -m benchmarks

lint: .venv/.dev ## Check style and types.
	@echo "== Checking style"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@echo "== Checking types"
	@$(BIN)/mypy

docs: .venv/.dev ## Write the generated pages below docs/ anew.
	@$(BIN)/python -m adaptergen.docs

schema: .venv/.dev ## Write the committed JSON Schemas anew.
	@$(BIN)/adaptergen schema --write

matrix: .venv/.dev ## Measure and lock the adapters on every release of transformers that specs name.
	@$(BIN)/python tests/matrix/locks.py
	@$(BIN)/python tests/matrix/run.py
	@$(BIN)/python tests/matrix/upstream.py

pythons: ## Build, verify and test all families on every Python that has the two commands.
	@python3 tests/matrix/pythons.py $(PYTHONS)

prove: .venv/.dev ## Export into every release of TransformerLens, and run its checks and its suite.
	@nice $(BIN)/python tests/matrix/prove.py

inspect: .venv/.dev ## Observe every causal language model of transformers, and write the table.
	@nice $(BIN)/python tests/inspect/all_classes.py

survey: .venv/.dev ## Measure every class of every task of transformers, and write docs/coverage.md.
	@# What is worse is told once all is measured; the tables are written nevertheless.
	@for task in $(TASKS); do \
	  nice $(BIN)/adaptergen survey --task $$task --json .coverage-$$task.json; test $$? -ne 2 || exit 2; \
	done
	@$(BIN)/adaptergen survey --merge $(wildcard docs/coverage.json) $(TASKS:%=.coverage-%.json) \
	  --json docs/coverage.json --report docs/coverage.md

clean: ## Remove the environments, the caches and what was packaged.
	@echo "== Removing the environments, caches and packages"
	@rm -rf .venv .light .coverage-*.json .mutants build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find adaptergen tests generated -type d -name __pycache__ -prune -exec rm -rf {} +

# The light core with what its tests need, and nothing of the extra `verify`.
.light/%/.stamp: Makefile pyproject.toml constraints.txt
	@python$* -m venv .light/$*
	@.light/$*/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable . build hatchling hypothesis jsonschema pytest \
	  pytest-xdist ruff
	@touch $@

# A stamp is touched last, so what was interrupted is taken up again.
.venv/.torch: constraints.txt
	@# What is there already counts, whatever PYTHON names.
	@python='$(PYTHON)'; test ! -x $(BIN)/python || python=$(BIN)/python; \
	  $$python -c '$(FITS)' 2>/dev/null || { \
	  for other in $(PYTHONS:%=python%) ''; do $$other -c '$(FITS)' 2>/dev/null && break; done; \
	  echo "$$python is none of the Pythons that this works with: $(PYTHONS)."; \
	  if [ $$python = $(BIN)/python ]; then echo "Run make clean first."; fi; \
	  if [ "$$other" ]; then echo "There is one here: make PYTHON=$$other $(MAKECMDGOALS)"; \
	  else echo "Install one: make PYTHON=python$(firstword $(PYTHONS)) $(MAKECMDGOALS)"; fi; \
	  exit 2; } >&2
	@test -x $(BIN)/python || { echo "== Making .venv with $(PYTHON)"; $(PYTHON) -m venv .venv; }
	@echo "== Installing torch"
	@$(PIP) torch
	@touch $@

.venv/.verify: .venv/.torch pyproject.toml
	@echo "== Installing adaptergen with what verification needs"
	@$(PIP) --editable '.[verify]'
	@$(COMPILE)
	@touch $@

.venv/.dev: .venv/.torch pyproject.toml
	@echo "== Installing adaptergen with what verification and the tests need"
	@$(PIP) --editable '.[verify,dev]'
	@$(COMPILE)
	@touch .venv/.verify $@
