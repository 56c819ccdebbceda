# Every target may be run again at any time: what is up to date is left alone.
PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
MINUTES ?= 10
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --require-hashes
PIN := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-config --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"
COMPILE := $(PIN) pyproject.toml --extra matching --extra console --extra operate

# An environment of a container may forbid bytecode: then each of the hundred processes of the tests compiles all modules.
unexport PYTHONDONTWRITEBYTECODE

SETTINGS := set -a; [ ! -f .env ] || . ./.env; set +a;

.DEFAULT_GOAL := help
.PHONY: help run test test-all test-faults test-deployment up down soak bench bench-matching check lint types contracts \
	architecture fmt lock docs

help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Start Kei in one process and load the sample data. Needs only Python.
	@$(BIN)/kei run $(ARGS)

# Tests that are named by path run whether they are long or not.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test: $(VENV)/.dev ## Run the quick tests; ARGS='-k seats' or ARGS=tests/services/members passes arguments to pytest.
	@$(PYTEST) $(if $(findstring tests/,$(ARGS)),,-m "not long") $(ARGS)

test-all: $(VENV)/.dev ## Run all tests in parts, with the time of each; ARGS='faults flows' picks parts.
	@$(BIN)/python -m tests.support.parts --workers $(WORKERS) $(ARGS)

test-faults: $(VENV)/.dev ## Run the fault matrix in full counts and print its table; takes an hour.
	@KEI_FAULTS=full $(PYTEST) $(or $(ARGS),tests/faults)

test-deployment: $(VENV)/.dev ## Start a throw-away deployment, load the sample data, check pages and APIs, remove it.
	@$(BIN)/python -m pytest -n 0 tests/compose/test_smoke.py $(ARGS)

up: $(VENV)/.run ## Deploy with Docker Compose, or bring a running deployment to what is here now.
	@$(SETTINGS) $(BIN)/kei secrets create "$${KEI_SECRETS:-.secrets}" && deploy/up.sh

down: ## Stop the deployment; its data stay.
	@docker compose --profile '*' down

soak: $(VENV)/.dev ## Load with a fault every minute, MINUTES=10 per transport; print growth and losses.
	@$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(ARGS)

bench: $(VENV)-bench/.done ## Measure Kei beside its peers; ARGS='commit ingest' picks some. Needs Java and Maven; 20 minutes.
	@$(VENV)-bench/bin/python -m bench $(ARGS)

bench-matching: $(VENV)-solvers/.done ## Measure the matching engine beside other solvers; ARGS='solve quality' picks some. 10 minutes.
	@$(VENV)-solvers/bin/python -m bench.matching $(ARGS)

check: $(VENV)/.dev ## Check style, types, import contracts and architecture, all at once, without a server.
	@$(MAKE) --no-print-directory --jobs 4 --output-sync=target lint types contracts architecture

lint: $(VENV)/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(VENV)/.dev
	@$(BIN)/mypy

contracts: $(VENV)/.dev
	@$(BIN)/lint-imports --no-logo

architecture: $(VENV)/.dev
	@$(BIN)/python -m pytest --quiet tests/architecture

fmt: $(VENV)/.dev ## Format the code and repair what can be repaired by itself.
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

lock: $(VENV)/.dev ## Pin the dependencies of pyproject.toml; ARGS=--upgrade takes newer versions.
	@$(COMPILE) $(ARGS) --output-file requirements/image.lock
	@$(COMPILE) $(ARGS) --extra embedded --constraint requirements/image.lock --output-file requirements/run.lock
	@$(COMPILE) $(ARGS) --extra embedded --extra dev --constraint requirements/run.lock --output-file requirements/dev.lock
	@$(COMPILE) $(ARGS) --extra embedded --extra dev --extra bench --constraint requirements/dev.lock \
	  --output-file requirements/bench.lock
	@$(PIN) requirements/solvers.in $(ARGS) --output-file requirements/solvers.lock

docs: $(VENV)/.dev ## Write the generated documents again.
	@$(BIN)/python -m deploy.generate_docs

# One environment for all targets. A stamp is newer than its lock when what the lock pins is installed.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Kei needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

# The project runs from where it lies: a path file instead of a build, which would have to fetch a build tool.
$(BIN)/kei: Makefile | $(BIN)/pip
	@pwd > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kei.pth"
	@printf '%s\n' '#!/bin/sh' \
	  'exec "$$(dirname "$$0")/python" -P -c "from deploy.cli import app; app(prog_name=\"kei\")" "$$@"' > $@
	@chmod +x $@

$(VENV)/.run: requirements/run.lock | $(BIN)/pip $(BIN)/kei
	@echo "Installing what Kei runs on …"
	@$(PIP) --requirement $<
	@touch $@

$(VENV)/.dev: requirements/dev.lock requirements/run.lock | $(BIN)/pip $(BIN)/kei
	@echo "Installing what Kei runs on and is tested with …"
	@$(PIP) --requirement $<
	@touch $@ $(VENV)/.run

# The peers stand apart: they pin versions of what Kei uses too.
$(VENV)-bench/.done $(VENV)-solvers/.done: $(VENV)-%/.done: requirements/%.lock
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement $<
	@touch $@
