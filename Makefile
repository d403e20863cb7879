# What people type. `make help` lists it. Nothing here needs more than Python >= 3.11 and make;
# `make test` also installs Debian packages where it may, and says what is missing where it may not.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FOR ?=
REAL_CALL = tests/e2e/test_sip_call.py
HEADLINE = tests/faults/test_headline.py
# the files of the whole houses: to read all the others too costs each process that runs them 4 s
HOUSES = $(sort $(shell grep -rlw pytest.mark.alone tests --include 'test_*.py'))
# where this is set, every process compiles all that it imports anew: half a second or more of each start
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev assets demo test test-houses test-all test-tools faults soak check fmt bench lab lock clean screenshots up fuzz fuzz-flows fuzz-plans plan-memory

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) infra/setup/environment.py $(VENV) requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@$(PYTHON) infra/setup/environment.py $(VENV) requirements-dev.lock
	@touch $@

console/static/vendor/.done: infra/assets/package-lock.json infra/assets/fetch.py $(VENV)/.runtime
	@$(BIN)/python infra/assets/fetch.py --venv $(VENV)
	@touch $@

assets: console/static/vendor/.done

setup: $(VENV)/.runtime assets ## make the environment (.venv) and fetch the pages' static files

infra/assets/node_modules/.dev: infra/assets/package-lock.json console/static/vendor/.done
	@$(BIN)/python infra/assets/fetch.py --venv $(VENV) --with-dev
	@touch $@

setup-dev: setup $(VENV)/.dev infra/assets/node_modules/.dev

demo: setup ## simulated callers on 127.0.0.1:8111 until Ctrl-C; FOR=30 ends by itself with a summary
	@$(BIN)/callrouter demo $(if $(FOR),--for $(FOR))

test-tools: setup
	@bash infra/setup/test_tools.sh

test: setup-dev test-tools ## run the tests; installs SIPp, Asterisk (cached) and Chromium where it can
	@$(BIN)/python -m pytest -q -m "not slow and not alone and not faults and not soak"
	@echo "and the real call by SIP, by itself …"
	@$(BIN)/python -m pytest -q -n0 -m "not slow" $(REAL_CALL)
	@echo "whole houses and short forms of what breaks them: make test-houses (CI runs both)"

test-houses: setup-dev test-tools ## whole houses under calls, and short forms of make faults (some three minutes)
	@echo "the whole houses, two at a time …"
	@$(BIN)/python -m pytest -q -n2 -m "alone and not slow and not faults and not soak" $(filter-out $(REAL_CALL) $(HEADLINE),$(HOUSES))
	@echo "and the house that measures what callers hear, by itself …"
	@$(BIN)/python -m pytest -q -n0 -m "not faults" $(HEADLINE)

test-all: setup-dev test-tools test test-houses ## those too that take long and show what a shorter one shows less fully
	@$(BIN)/python -m pytest -q -m "slow and not alone and not faults and not soak"
	@CALLROUTER_EXAMPLES=all $(BIN)/python -m pytest -q -m "hypothesis and not slow"
	@$(BIN)/python -m pytest -q -n2 -m "slow and alone and not faults and not soak" $(HOUSES)
	@$(MAKE) --no-print-directory plan-memory MB=30

faults: setup-dev test-tools ## break every part under real calls: the long form, 1,000 calls (writes bench/faults.json)
	@$(BIN)/python -m pytest -n0 -m faults -rP --timeout 3600 tests/protocol tests/faults tests/e2e/test_three_ways.py

soak: setup-dev test-tools ## twenty minutes of calls at half the sustainable rate; writes bench/soak.json
	@$(BIN)/python -m pytest -n0 -m soak -rP --timeout 3600 tests/soak

check: setup-dev ## ruff, mypy --strict and the import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: setup-dev ## put the code into its standard form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup-dev test-tools ## measure against the rivals; writes bench/results.json and prints a table
	@$(BIN)/python -m tests.bench

lab: setup-dev test-tools ## Asterisk, the service and a stand-in provider on loopback, to dial by hand
	@$(BIN)/callrouter lab

up: setup-dev test-tools ## the production shape without containers, on loopback until Ctrl-C; FOR=30 ends by itself
	@$(BIN)/callrouter up $(if $(FOR),--for $(FOR))

fuzz: setup-dev fuzz-plans ## random bytes for a minute, then every law again and again until one breaks; FOR=600 seconds
	@end=$$((SECONDS + $(or $(FOR),600))); \
	  while [ "$$SECONDS" -lt "$$end" ]; do CALLROUTER_EXAMPLES=fuzz $(BIN)/python -m pytest -q -m hypothesis; done

fuzz-plans: setup-dev ## random bytes against every reader of plans, guided by coverage; FOR=60 seconds
	@found=$$(mktemp -d); trap 'rm -rf "$$found"' EXIT; \
	  $(BIN)/python -m tests.fuzz.plans -max_total_time=$(or $(FOR),60) -rss_limit_mb=1024 "$$found" tests/fuzz/seeds

plan-memory: setup-dev ## import plan files of 300 MB, in every form, in the memory of short ones (some minutes)
	@PLAN_FILE_MB=$(or $(MB),300) $(BIN)/python -m pytest -n0 -q -s tests/integration/test_plan_memory.py

fuzz-flows: setup-dev ## ten thousand generated flows, checked and played with all inputs (half an hour); FIRST_FLOW=1
	@FLOWS=$(or $(FLOWS),10000) $(BIN)/python -m pytest -n0 -q -s tests/flows/test_check_against_player.py

lock: setup-dev ## resolve the dependencies anew into the lock files
	@$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links --universal \
	  --python-version 3.11 --custom-compile-command "make lock" pyproject.toml infra/setup/build.in \
	  -o requirements.lock
	@$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-emit-find-links --universal \
	  --python-version 3.11 --extra dev -c requirements.lock --custom-compile-command "make lock" \
	  pyproject.toml infra/setup/build.in -o requirements-dev.lock

clean: ## remove the environment, fetched files and local data
	@rm -rf $(VENV) console/static/vendor infra/assets/node_modules data .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

screenshots: setup-dev ## take the pictures in docs/images anew (needs Chromium)
	@$(BIN)/python -m tests.screenshots
