# make help lists what there is. ARGS passes overrides on: make train ARGS="model=mlp optim=sgd"
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TUTORIAL := $(VENV)/.tutorial
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup train test test-slow check docs site bench faults fuzz published study tutorial lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 12

setup: $(READY)  ## create .venv with the pinned packages

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint requirements.lock --editable '.[dev]'
	@# On all cores, where pip compiles on one; some packages bring templates that are no Python yet.
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

train: $(READY)  ## train the default experiment; ARGS="model=mlp optim=sgd" changes it
	$(BIN)/python train.py $(ARGS)

test: $(READY)  ## run the tests (minutes)
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

test-slow: $(READY)  ## run the long tests: real data sets, fresh processes, kills
	$(BIN)/python -m pytest -m slow --numprocesses 2 --dist worksteal $(ARGS)

check: $(READY)  ## lint, types and floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/catalogue.py --check
	$(BIN)/python docs/pictures.py --check
	$(BIN)/python -m pytest -q tests/test_floors.py

docs: $(READY)  ## make the pictures that are out of date, and docs/catalogue.md from conf/ and the docstrings
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/catalogue.py

site: $(READY)  ## build docs, live pages, reports and the API reference into build/site
	$(BIN)/python docs/site/build_site.py

bench: $(READY)  ## measure start, step, epoch, sweeps and reports, and keep the figures in outputs/benchmarks/
	$(BIN)/python benchmarks/start.py $(ARGS)
	$(BIN)/python benchmarks/step.py $(ARGS)
	$(BIN)/python benchmarks/epoch.py $(ARGS)
	$(BIN)/python benchmarks/sweep.py $(ARGS)
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/comparison.py
	$(BIN)/python benchmarks/diagnostics.py
	$(BIN)/python benchmarks/population.py

fuzz: $(READY)  ## random overrides, data files and run folders: each done, or with one message, counted in docs/reliability.md (minutes); ARGS="--kinds data"
	$(BIN)/python benchmarks/fuzz.py --keep $(ARGS)

faults: $(READY)  ## end runs at random moments, 240 times, inject every other fault, and write docs/reliability.md's tables (minutes)
	$(BIN)/python benchmarks/faults.py --faults 240 --write
	$(BIN)/python benchmarks/injected.py --write

published: $(READY)  ## train the published settings of MNIST-1D again (half an hour); ARGS=--curve: double descent
	$(BIN)/python benchmarks/published.py $(ARGS)

study: $(READY)  ## train the study of activations and optimizers again (an hour)
	$(BIN)/python benchmarks/study.py

$(TUTORIAL): $(READY)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[tutorial]'
	@touch $@

tutorial: $(TUTORIAL)  ## install what notebooks/tutorial.ipynb needs, run it anew, keep its outputs
	$(BIN)/python notebooks/execute.py
	@echo 'To open it: $(BIN)/jupyter lab notebooks/tutorial.ipynb'

lock: $(READY)  ## resolve all extras anew into requirements.lock
	$(BIN)/python -m pip install --quiet --dry-run --ignore-installed --report $(VENV)/report.json --editable '.[search,cluster,dashboard,tutorial,site,dev]'
	$(BIN)/python -c 'import json; found = json.load(open("$(VENV)/report.json"))["install"]; pins = sorted(p["metadata"]["name"].lower() + "==" + p["metadata"]["version"].split("+")[0] for p in found if p["metadata"]["name"] != "did-it-matter"); print("# Pins for pip --constraint; make lock writes this file.", *pins, sep="\n")' > requirements.lock

clean:  ## remove .venv and caches; outputs/ and data/ stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build src/*.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
