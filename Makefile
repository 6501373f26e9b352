# Every target makes .venv first if it is missing or out of date. Nothing else needs to be installed but Python 3.11+.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
BIN := .venv/bin
READY := .venv/.ready
# One more than cores, since a test that talks to other processes waits for them as often as it works.
WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN) + 1 )))
ARGS ?=
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url

# $(call gate,name,command,how to mend it): one line when all is well; all that the command said, and the way out, when not.
define gate
@printf '%-12s ... ' '$(1)'; \
if said=$$({ $(2); } </dev/null 2>&1); then echo ok; \
else echo FAILED; printf '%s\n' "$$said"; echo; echo '$(3)'; exit 1; fi
endef

.PHONY: help demo test bench chaos fuzz simulate mutate check gates format openapi lock clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Play the life of a few quotes against a BMS sandbox; ARGS=--once ends with a verdict
	@$(BIN)/quotebridge demo $(ARGS)

test: gates ## Everything that must be right before a change goes in: all gates, then all tests
	@echo 'tests        ... $(WORKERS) at a time, on a real PostgreSQL'
	@$(BIN)/pytest --quiet --numprocesses $(WORKERS) --dist worksteal $(ARGS) </dev/null

chaos: $(READY) ## Storm three replicas with kills, crashes and faults for some minutes, and judge what is left
	@$(BIN)/python -m chaos $(ARGS)

fuzz: $(READY) ## Try to have a million mutated requests believed; ARGS="--seed N --requests M" plays a run again
	@$(BIN)/python -m fuzz $(ARGS)

simulate: $(READY) ## Play 10,000 seeds of the engine in virtual time, with every fault and crash; ARGS="--seed N" tells one
	@$(BIN)/python -m simulation $(ARGS)

bench: $(READY) ## Measure what things cost, within ten minutes; ARGS="5 6" picks rows
	@$(BIN)/python -m benchmarks $(ARGS)

mutate: $(READY) ## Change the code that trust rests on, a piece at a time: the tests must notice; ARGS=AREA picks one
	@$(BIN)/python -m mutation $(ARGS)

check: test ## The same as test

gates: $(READY) ## All gates but the tests: format, lint, types, imports, openapi.yaml
	$(call gate,format,$(BIN)/ruff format --check .,Run `make format` to mend it.)
	$(call gate,lint,$(BIN)/ruff check --quiet .,Run `make format`: it mends what can be mended safely. The rest is listed above.)
	$(call gate,types,$(BIN)/mypy,Mend the lines listed above; `$(BIN)/mypy` shows them again.)
	$(call gate,imports,$(BIN)/lint-imports --no-logo,A module imports what its layer may not; pyproject.toml tells the layers.)
	$(call gate,openapi.yaml,$(BIN)/quotebridge openapi | diff openapi.yaml -,Run `make openapi` and look at what changed in the interface.)

format: $(READY) ## Format the code and mend what the linter can mend
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

openapi: $(READY) ## Write openapi.yaml anew from the code
	@$(BIN)/quotebridge openapi > openapi.yaml.new && mv openapi.yaml.new openapi.yaml

lock: $(READY) ## Pin the dependencies of pyproject.toml by hash; ARGS=--upgrade takes the newest
	@$(COMPILE) $(ARGS) pyproject.toml -o requirements/runtime.txt
	@$(COMPILE) $(ARGS) --group build -o requirements/build.txt
	@$(COMPILE) $(ARGS) --group dev pyproject.toml -o requirements/dev.txt
	@echo 'requirements/ is up to date'

clean: ## Remove .venv and whatever tools have left
	@rm -rf .venv .data .artefacts .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*

$(READY): requirements/dev.txt pyproject.toml
	@if [ -z '$(PYTHON)' ]; then echo 'Python 3.11 or newer is needed; none was found. Name it with make PYTHON=...'; exit 1; fi
	$(call gate,.venv,$(BIN)/python -c pass 2>/dev/null || $(PYTHON) -m venv --clear .venv,Python could not make .venv. On Debian and Ubuntu: apt install python3-venv.)
	@echo 'Installing what is needed, checked by hash. The first time takes about a minute.'
	$(call gate,packages,$(PIP) install --require-hashes -r requirements/dev.txt,The packages could not be installed. Is the package index within reach?)
	$(call gate,quotebridge,$(PIP) install --no-deps --no-build-isolation --no-index --editable .,Quotebridge itself could not be installed; the reason is above.)
	@touch $@
