# Two commands matter: `make demo` and `make test`. Everything they need is set up by themselves.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUST_SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock

.DEFAULT_GOAL := help
.PHONY: help setup build demo probe-demo test test-rust test-loom test-python lint format bench judge-bench wheel wheel-check clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

# The dependencies, without the package itself: pip reads them from pyproject.toml.
$(VENV)/.dependencies: $(VENV)/.made pyproject.toml tools/requirements.py
	$(BIN)/python tools/requirements.py dev > $(VENV)/requirements.txt
	$(BIN)/python -m pip install --quiet -r $(VENV)/requirements.txt
	@touch $@

$(VENV)/.built: $(VENV)/.dependencies $(RUST_SOURCES) pyproject.toml
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --quiet
	@touch $@

build: $(VENV)/.built ## Virtual environment, extension (release), package installed for development

setup: build

demo: build ## Two retrieval services, a gateway, real load, a report: about a minute
	$(BIN)/shadowlane demo

probe-demo: build ## A probe that passes, and one of a shadow broken on purpose
	$(BIN)/python -m shadowlane.demo.probe --out probe-demo-out

test: test-rust test-loom test-python ## All tests

test-rust:
	cargo test --workspace --exclude shadowlane-py --quiet

test-python: build
	$(BIN)/python -m pytest

lint: build ## rustfmt, clippy, ruff, mypy strict, stubtest
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/stubtest shadowlane._core --mypy-config-file pyproject.toml

format: $(VENV)/.dependencies ## Format everything
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

bench: build ## Benchmarks, as ratios against their rivals
	$(BIN)/python -m pytest benches --benchmark-only --benchmark-columns=min,median,stddev,rounds
	$(BIN)/python -m benches.ratios
	$(BIN)/python -m benches.overhead.run

judge-bench: build ## How well ΔS judges, on labelled data: make judge-bench DATA=folder
	$(BIN)/python -m benches.judge $(DATA)

test-loom: ## The ring under loom: every interleaving of its small models
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test -p shadowlane-core --release --test loom_ring --quiet

wheel: $(VENV)/.dependencies ## A wheel for Python 3.10 and later, into dist/
	$(BIN)/maturin build --release --out dist

wheel-check: wheel ## The wheel in a clean environment of each Python: make wheel-check PYTHONS="python3.10 ..."
	$(BIN)/python tools/wheel_check.py $$(ls -t dist/*.whl | head -n 1) $(PYTHONS)

clean: ## Remove what was built
	rm -rf $(VENV) target dist demo-out probe-demo-out python/shadowlane/_core*.so
