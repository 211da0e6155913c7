SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help test demo check format lock bench fuzz image image-test rules clean venv servers

BIN := .venv/bin
IMAGE ?= tocsin:dev
# Without Prometheus and Alertmanager the end-to-end tests are left out, audibly; with TOCSIN_REQUIRE_REAL=1 that is a failure.
TOCSIN_REQUIRE_REAL ?=

help:  ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

test: venv  ## set up what is missing, run every test
	@if .ci/setup/servers; then \
	  $(BIN)/pytest; \
	elif [ -n "$(TOCSIN_REQUIRE_REAL)" ]; then \
	  echo "TOCSIN_REQUIRE_REAL is set: this is a failure" >&2; exit 1; \
	else \
	  echo "NOT RUN: the end-to-end tests (Prometheus or Alertmanager is missing)" >&2; \
	  $(BIN)/pytest -m "not e2e"; \
	fi

demo: venv  ## a simulated cluster, real Prometheus and Alertmanager, and the messages (DEMO_ONCE=1 ends by itself)
	@.ci/setup/servers || true
	@exec $(BIN)/tocsin demo

check: venv  ## formatting, lint, types, import contracts, Dockerfile, repository rules, secrets, known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/pytest --quiet tests/unit/test_repository.py
	@.ci/audit

format: venv  ## format the code and apply the safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: venv  ## resolve pyproject.toml into the two hashed lock files (UPGRADE=1 takes the newest versions)
	@.ci/setup/lock $(if $(UPGRADE),--upgrade)

PARTS := benchmarks/bare.py benchmarks/load.py benchmarks/contestants.py benchmarks/forward.py benchmarks/parse_only.py benchmarks/fuzz.py benchmarks/kills.py benchmarks/bad_input.py benchmarks/detection_cost.py benchmarks/detection_engine.py benchmarks/detection_replay.py $(wildcard benchmarks/simulated_*.py)

bench: venv  ## side-by-side measurements
	@.ci/setup/servers
	@for script in $(filter-out $(PARTS),$(wildcard benchmarks/*.py)); do \
	  echo "$$script" >&2; $(BIN)/python "$$script"; \
	done

fuzz: venv  ## fuzz the parsers, a minute each (needs atheris)
	@$(BIN)/python -m pip install --quiet "atheris>=3.0"
	@for parser in names pods payload policies apps; do $(BIN)/python benchmarks/fuzz.py $$parser -max_total_time=60; done

image: venv  ## build the container image with buildah (IMAGE=name:tag, BASE=another base image)
	@.ci/setup/image $(IMAGE)

image-test: venv  ## build the image twice, compare, and try it as a pod would run it; as root (BASE=..., else one made here)
	@tests/image/run

rules: venv  ## render the detection rules from config/ into kustomize/components/rules
	@TOCSIN__APPS_FILE=apps.yaml $(BIN)/tocsin rules --config config/tocsin.yaml --output kustomize/components/rules

clean:  ## remove what make created
	rm -rf .venv build dist .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache service/tocsin.egg-info
	find service tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@.ci/setup/virtualenv

servers:
	@.ci/setup/servers
