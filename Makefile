# One virtual environment in .venv, made by whichever target comes first. Nothing is installed globally
# but the system packages of `make services`, which CI asks for.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SAMPLE := $(VENV)/.sample
PORT ?= 8000
# The tests wait more than they compute.
TEST_JOBS ?= 3
PYTEST = $(BIN)/python -m pytest -n $(TEST_JOBS) --dist worksteal --durations=20 --durations-min=1
# Without it the long tests run to their end.
LONG_SECONDS ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-long lint format services generate bench clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(SAMPLE): pyproject.toml
	@echo "installing what the sample service needs into $(VENV) (once, about 20 s)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[sample]'
	@touch $@

run: $(SAMPLE)  ## check and serve the sample service on port 8000 (PORT=9000 make run for another)
	@echo "serving on http://localhost:$(PORT) once it is ready; Ctrl-C stops"
	@exec env PORT=$(PORT) $(BIN)/orchestrator run

test: $(READY)  ## run the tests; those that need a Docker engine are skipped where there is none
	@$(PYTEST) $(ARGS)

test-long: $(READY)  ## run the long tests; LONG_SECONDS=180 runs as many as fit, with small numbers
	@LONG_SECONDS=$(LONG_SECONDS) $(PYTEST) -m "long or hypothesis" --hypothesis-profile long $(ARGS)

lint: $(READY)  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY)  ## let ruff format and fix what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Private servers are started by the tests themselves, so none is started by its package.
SERVERS := chromium curl fonts-dejavu-core mariadb-server openssl pgbouncer postgresql rabbitmq-server redis-server
services:  ## install (as root, Debian) the servers that the tests start for themselves, and a browser
	@dpkg-query -W -f '' $(SERVERS) 2>/dev/null || { \
	  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SERVERS) > /dev/null; \
	  code=$$?; rm -f /usr/sbin/policy-rc.d; exit $$code; }

generate: $(READY)  ## write again what is derived from the models: schemas and the reference
	@$(BIN)/python -m tools.generate

bench: $(READY)  ## measure against the rivals, side by side, as ratios
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@$(BIN)/python -m benchmarks

clean:  ## remove what was made here
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
