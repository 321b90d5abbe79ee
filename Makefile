# The whole developer interface. Every target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
DATA ?= ../shared/data
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## Show this.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

demo: .venv/base  ## Answer real questions over a real database, offline, and show how.
	$(BIN)/veriloop demo

test: .venv/dev  ## Run all tests, two at a time.
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(if $(CI),--reruns 1 -rR)

check: .venv/dev  ## Lint and type-check.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: .venv/dev  ## Measure what the framework costs, and how it stands a storm (3 minutes).
	$(BIN)/python scripts/bench/overhead.py
	$(BIN)/python scripts/bench/gateway.py
	$(BIN)/python scripts/bench/local_model.py
	$(BIN)/python scripts/bench/storm.py
	$(BIN)/python scripts/bench/sandbox.py

bench-sql: .venv/base  ## Measure embedded:sql on the questions in DATA/text2sql_geoquery.
	$(BIN)/python scripts/embedded_sql/measure.py --data $(DATA)/text2sql_geoquery

bench-methods: .venv/bench  ## Compare the methods offline, with embedded:sql on questions of ours (10 minutes).
	$(BIN)/python scripts/embedded_sql/devset.py out/questions
	$(BIN)/veriloop bench text2sql --data out/questions --tune 0.2 --temperatures 0,0.3,1.0 \
	  --strategies single,best_of_n,self_refine,iad:rounds=8:width=1:stop_at=0.8 --verify judge:sql,oracle \
	  --ablate feedback=none,shuffled --proposals 8 --seeds 2 --model embedded:sql --out out/methods

train-embedded: .venv/dev  ## Train embedded:sql anew (about two hours on two cores).
	$(BIN)/python scripts/embedded_sql/recipe.py --work .training

clean:  ## Remove what the other targets made.
	rm -rf .venv build dist *.egg-info .ruff_cache .hypothesis .training atlas.sqlite

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "veriloop needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv .venv

.venv/base: .venv/bin/python pyproject.toml constraints.txt
	PYTHONWARNINGS=ignore $(BIN)/pip install -q -c constraints.txt -e .
	@touch $@

.venv/bench: .venv/base
	PYTHONWARNINGS=ignore $(BIN)/pip install -q -c constraints.txt -e '.[bench]'
	@touch $@

.venv/dev: .venv/base
	PYTHONWARNINGS=ignore $(BIN)/pip install -q -c constraints.txt -e '.[dev,local,train]'
	@touch $@

.PHONY: help demo test check bench bench-methods bench-sql train-embedded clean
