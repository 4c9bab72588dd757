# Two commands matter: `make demo` and `make test`. Everything they need is set up by themselves.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Vocabularies are compiled in: they are sources too.
RUST_SOURCES := $(shell find rust -path rust/fuzz -prune -o \( -name '*.rs' -o -name '*.txt' -o -name Cargo.toml \) -print) Cargo.toml Cargo.lock

.DEFAULT_GOAL := help
.PHONY: help setup build dev demo probe-demo fleet-demo test test-fast test-rust test-loom test-python test-faults lint audit format docs \
	hooks bench captures instructions overhead soak memory-bench offload offload-bench fleet-bench copies-bench rows-bench scale-bench metrics-bench transport-bench proxy-bench peers judge-bench gate-bench change-bench redact-bench detector-test redact-adversarial wheel wheels sbom sdist wheel-check first-hour crash fuzz miri \
	asan valgrind free-threaded clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

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
	@rm -f $(VENV)/.demo
	PIP_QUIET=1 VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --quiet
	@touch $@

build: $(VENV)/.built ## Virtual environment, extension (release), package installed for development

setup: build ## The same as build

dev: $(VENV)/.dependencies ## The extension in the debug profile: seconds after an edit (`make build` goes back to release)
	@rm -f $(VENV)/.built $(VENV)/.demo
	PIP_QUIET=1 VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --quiet $(if $(wildcard $(BIN)/shadowlane),--skip-install)

# A first look needs neither the test tools nor the last per cent of speed. Where a release is built already, it is used.
$(VENV)/.demo: $(VENV)/.made $(RUST_SOURCES) pyproject.toml tools/requirements.py
	$(BIN)/python tools/requirements.py demo > $(VENV)/requirements-demo.txt
	$(BIN)/python -m pip install --quiet -r $(VENV)/requirements-demo.txt
	@rm -f $(VENV)/.built
	PIP_QUIET=1 VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --profile demo --quiet
	@touch $@

DEMO_BUILD = @$(MAKE) --no-print-directory $(if $(wildcard $(VENV)/.built),build,$(VENV)/.demo)

demo: ## Two retrieval services, a gateway, real load, a report: about a minute after the build
	$(DEMO_BUILD)
	$(BIN)/shadowlane demo

probe-demo: ## A probe that passes, and one of a shadow broken on purpose
	$(DEMO_BUILD)
	$(BIN)/python -m shadowlane.demo.probe --out probe-demo-out

# The driver for PostgreSQL is of no other demonstration.
FLEET_DEMO ?=
fleet-demo: ## Three hosts, one PostgreSQL, two kills, one verdict: a minute (needs PostgreSQL's server: Debian's postgresql)
	$(DEMO_BUILD)
	@$(BIN)/python -c "import psycopg" 2>/dev/null || \
		$(BIN)/python -m pip install --quiet "$$($(BIN)/python tools/requirements.py postgres | grep psycopg)"
	$(BIN)/python -m shadowlane.demo.fleet $(FLEET_DEMO)

test: test-rust test-loom test-python test-faults ## All tests

test-rust: ## The tests of the Rust crates
	cargo test --workspace --exclude shadowlane-py --quiet

test-fast: dev ## Under a minute: the Python tests without processes, statistics and slow ones, on two cores
	$(BIN)/python -m pytest -q -n 2 -m "not e2e and not slow and not statistics"

# Tests that start processes of their own run when the others are over; three files at once, since they mostly wait.
test-python: build ## The Python tests
	$(BIN)/python -m pytest -n 2 -m "not e2e"
	$(BIN)/python -m pytest -n 3 --dist loadfile -m e2e

# cargo-machete is a crate of its own: CI installs it, and here it is used where it is.
lint: build ## rustfmt, clippy, cargo-machete, ruff, mypy strict, stubtest, import-linter, vulture
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	@if cargo machete --version >/dev/null 2>&1; then cargo machete --skip-target-dir; \
		else echo "cargo-machete is not installed, unused crates not looked for: cargo install cargo-machete --locked"; fi
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/stubtest shadowlane._core --mypy-config-file pyproject.toml
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/unused.py

$(VENV)/.docs: $(VENV)/.dependencies pyproject.toml
	$(BIN)/python tools/requirements.py docs > $(VENV)/requirements-docs.txt
	$(BIN)/python -m pip install --quiet -r $(VENV)/requirements-docs.txt
	@touch $@

docs: build $(VENV)/.docs ## The documentation as a site, into target/site: open target/site/index.html
	$(BIN)/python tools/reference.py docs/reference
	$(BIN)/zensical build --clean --strict

# cargo-deny is a crate of its own, of some minutes to build: the one that is installed, else one under target/.
DENY := target/tools/bin/cargo-deny
STRICT ?=
audit: $(VENV)/.dependencies ## Vulnerabilities, licences and sources of what we depend on; what cannot be looked up is said (STRICT=1: fails)
	@command -v cargo-deny >/dev/null || test -x $(DENY) || cargo install cargo-deny --locked --quiet --root target/tools
	$(BIN)/python -m pip install --quiet "pip-audit>=2.10,<3"
	@PATH="$$PATH:$(abspath $(dir $(DENY)))" $(BIN)/python -m tools.audit $(if $(STRICT),--strict)

sbom: $(VENV)/.dependencies ## The bill of materials (CycloneDX) of crates and Python distributions, into dist/
	$(BIN)/python -m tools.sbom --out dist

hooks: $(VENV)/.dependencies ## Run the quick part of the lint before each commit, the slow one before each push
	$(BIN)/python -m pip install --quiet "pre-commit>=4,<5"
	$(BIN)/pre-commit install --hook-type pre-commit --hook-type pre-push

format: $(VENV)/.dependencies ## Format everything
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

bench: build ## Benchmarks, as ratios against their rivals
	$(BIN)/python -m pytest benches --benchmark-only --benchmark-columns=min,median,stddev,rounds
	$(BIN)/python -m benches.ratios
	$(BIN)/python -m benches.overhead.run

INSTRUCTIONS ?=
instructions: ## Instructions of admission, offer and drain beside the record: make instructions INSTRUCTIONS=--update
	$(PYTHON) -m benches.instructions $(INSTRUCTIONS)

QUICK ?=
OVERHEAD ?=
captures: build ## What each capture (ASGI, WSGI, client libraries) adds to a call
	$(BIN)/python -m benches.captures $(CAPTURES)

overhead: build ## What mirroring costs, as a matrix, into target/overhead/: make overhead QUICK=1 takes two minutes
	$(BIN)/python -m benches.overhead $(if $(QUICK),--quick) $(OVERHEAD)

SOAK ?=
soak: build ## Many requests through gateway and worker; memory, files and threads must stay: make soak SOAK="--requests 200000"
	$(BIN)/python -m benches.soak $(SOAK)

memory-bench: build ## What a worker needs of memory: make memory-bench EMBEDDER=wordllama
	$(BIN)/python -m benches.memory $(if $(EMBEDDER),--embedder $(EMBEDDER))

COPIES ?=
copies-bench: build ## Processor time of scoring and storing a copy: make copies-bench COPIES="--against ../other/python"
	$(BIN)/python -m benches.copies $(COPIES)

ROWS ?=
rows-bench: build ## Seconds and memory of gate and report over many rows: make rows-bench ROWS="--rows 1000000"
	$(BIN)/python -m benches.rows $(ROWS)

SCALE ?=
scale-bench: build ## Processor time of a copy in a whole worker, and bytes a row: make scale-bench SCALE="--copies 8000"
	$(BIN)/python -m benches.scale $(SCALE)

PROXY_BENCH ?=
proxy-bench: build ## What `shadowlane proxy` adds to a request, beside nginx and Envoy as plain proxies
	$(BIN)/python -m benches.proxy $(PROXY_BENCH)

PEERS ?=
PEERS_PYTHON := .venv-peers/bin/python
.venv-peers/.made: benches/peers/requirements.txt pyproject.toml tools/requirements.py
	$(PYTHON) -m venv .venv-peers
	$(PEERS_PYTHON) tools/requirements.py demo > .venv-peers/requirements.txt
	$(PEERS_PYTHON) -m pip install --quiet -r benches/peers/requirements.txt -r .venv-peers/requirements.txt
	@touch $@

peers: build .venv-peers/.made ## Mirrors beside each other: Envoy, nginx, LiteLLM, a bare task, ours: make peers PEERS="--only nginx,ours"
	PYTHONPATH=python:. $(PEERS_PYTHON) -m benches.peers $(PEERS)

judge-bench: build ## How well ΔS judges, on labelled data: make judge-bench DATA=folder
	$(BIN)/python -m benches.judge $(DATA)

offload-bench: build ## What a forwarding host's worker takes of the processor, beside one that does all: make offload-bench
	$(BIN)/python -m benches.offload

FLEET_BENCH ?=
fleet-bench: build ## Rows by hosts, judges of one stream, shares and switch on real servers: make fleet-bench FLEET_BENCH="--rounds 9"
	$(BIN)/python -m benches.fleet --json target/fleet/record.json $(FLEET_BENCH)

GATE_BENCH ?=
metrics-bench: build ## What a scrape of /metrics costs with 100,000 stored pairs: make metrics-bench
	$(BIN)/python -m benches.metrics

transport-bench: build ## Processor time a copy over either transport (nginx answers): make transport-bench
	$(BIN)/python -m benches.transport

gate-bench: build ## Simulated days through the store and the gate: make gate-bench GATE_BENCH="--rates 1 --days 1"
	$(BIN)/python -m benches.gate $(GATE_BENCH)

change-bench: build ## How soon the gate tells a sudden change, and how often wrongly: make change-bench CHANGE_BENCH="--runs 1000"
	$(BIN)/python -m benches.gate.change $(CHANGE_BENCH)

# The extension beside, in a copy of the package, so that no other target ever runs with it.
test-faults: $(VENV)/.dependencies ## Panics of the core, through a real lane: built with a text that makes the redaction panic
	PYO3_PYTHON=$(abspath $(BIN))/python CARGO_TARGET_DIR=target/faults \
		cargo build --quiet -p shadowlane-py --features pyo3/extension-module,panic-probe
	rm -rf target/faults/python && cp -r python target/faults/python
	cp target/faults/debug/lib_core.so target/faults/python/shadowlane/_core.abi3.so
	PYTHONPATH=$(abspath target/faults/python) $(BIN)/python -m pytest -q -p no:cacheprovider tests/unit/worker/test_faults.py \
		tests/unit/transport/test_begin.py

test-loom: ## The ring under loom: every interleaving of its small models
	RUSTFLAGS="--cfg loom -C overflow-checks=on" CARGO_TARGET_DIR=target/loom \
		cargo test -p shadowlane-ring --release --test loom_ring --quiet

JUDGE_KILLS ?= 100
offload: build ## Kill judges and forwarding workers at random on a real Redis: make offload JUDGE_KILLS=500
	SHADOWLANE_JUDGE_KILLS=$(JUDGE_KILLS) $(BIN)/python -m pytest -q --timeout 7000 tests/e2e/test_offload.py

KILLS ?= 5000
crash: ## Kill producers and the worker at random: make crash KILLS=5000
	SHADOWLANE_KILLS=$(KILLS) cargo test -p shadowlane-ring -p shadowlane-lane --test crash --test every_instruction -- --nocapture

FUZZ_SECONDS ?= 30
FUZZ_TARGETS ?= frame_decode ring_consume redact canonical_hash answers
fuzz: ## The fuzz targets for FUZZ_SECONDS each, with AddressSanitizer
	@cargo fuzz --version >/dev/null 2>&1 || { echo "make fuzz needs cargo-fuzz: cargo install cargo-fuzz --locked"; exit 1; }
	@for target in $(FUZZ_TARGETS); do \
		echo "== $$target"; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir rust/fuzz --target $(HOST) $$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 -print_final_stats=1 || exit 1; \
	done

MEMORY_TESTS := -p shadowlane-ring --test ring --test frame --test trial
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

miri: ## The heap-backed ring under Miri, with both borrow models
	@cargo +nightly miri --version >/dev/null 2>&1 || \
		{ echo "make miri needs Miri: rustup toolchain install nightly --component miri"; exit 1; }
	MIRIFLAGS="-Zmiri-disable-isolation" cargo +nightly miri test $(MEMORY_TESTS)
	MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-tree-borrows" cargo +nightly miri test $(MEMORY_TESTS)

asan: ## Ring, frame and files under AddressSanitizer
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR=target/asan \
		cargo test --target $(HOST) $(MEMORY_TESTS) -p shadowlane-lane --test files --quiet

# Not DRD or Helgrind: they know no C11 atomics, and report the standard library's own before they come to the ring.
# The orderings are loom's part.
valgrind: ## Ring and frame under valgrind's memcheck
	SHADOWLANE_SMALL=1 CARGO_TARGET_$(subst -,_,$(shell echo $(HOST) | tr a-z A-Z))_RUNNER="valgrind -q --error-exitcode=9" \
		cargo test $(MEMORY_TESTS) --quiet

FREE_PYTHON ?= python3.14t
FREE := target/free-threaded
free-threaded: $(VENV)/.dependencies ## Wheel and threads tests for a Python without a GIL: make free-threaded FREE_PYTHON=python3.14t
	@$(FREE_PYTHON) -c 'import sys, sysconfig; sys.exit(not sysconfig.get_config_var("Py_GIL_DISABLED"))' || \
		{ echo "make free-threaded needs a free-threaded Python: FREE_PYTHON=$(FREE_PYTHON) is none"; exit 1; }
	$(FREE_PYTHON) -m venv $(FREE)
	$(BIN)/maturin build --release --out $(FREE)/dist -i $(FREE)/bin/python
	$(FREE)/bin/python -m pip install --quiet msgspec pytest pytest-timeout
	$(FREE)/bin/python -m pip install --quiet --no-deps --force-reinstall $(FREE)/dist/*.whl
	cd $(FREE) && bin/python -m pytest -p no:cacheprovider -c $(CURDIR)/pyproject.toml --rootdir $(CURDIR) \
		$(CURDIR)/tests/unit/capture/test_threads.py

wheel: $(VENV)/.dependencies ## A wheel of this machine for Python 3.10 and later, with its bill of materials, into dist/
	$(BIN)/maturin build --release --out dist
	$(BIN)/python -m tools.sbom --out dist

# zig links against the old C library that manylinux2014 promises, and cross-compiles. A target needs its Rust standard
# library once: rustup target add TARGET.
TARGETS ?= x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
wheels: $(VENV)/.dependencies ## manylinux2014 and musllinux wheels of TARGETS, each with its bill of materials, into dist/
	$(BIN)/python -m pip install --quiet "ziglang>=0.15,<0.18"
	@for target in $(TARGETS); do \
		case $$target in *-musl) tag=musllinux_1_2;; *) tag=manylinux2014;; esac; \
		echo "== $$target, $$tag"; \
		PATH="$(abspath $(BIN)):$$PATH" $(BIN)/maturin build --release --zig --target $$target --compatibility $$tag --out dist || exit 1; \
		$(BIN)/python -m tools.sbom --target $$target --out dist || exit 1; \
	done

sdist: $(VENV)/.dependencies ## The source distribution, into dist/
	$(BIN)/maturin sdist --out dist

WHEEL = $(shell ls -t dist/*.whl | head -n 1)
wheel-check: $(if $(filter command line,$(origin WHEEL)),$(VENV)/.dependencies,wheel) ## A wheel in a clean environment of each Python: make wheel-check PYTHONS="python3.10 ..."
	$(BIN)/python -m tools.wheel_check $(WHEEL) $(PYTHONS)

GATEWAYS ?=
first-hour: $(if $(filter command line,$(origin WHEEL)),$(VENV)/.dependencies,wheel) ## What a new user meets, from the wheel: make first-hour GATEWAYS="fastapi litellm django"
	$(BIN)/python tools/first_hour.py $(WHEEL) $(GATEWAYS)

clean: ## Remove what was built
	rm -rf $(VENV) .venv-peers .venv-redact target dist demo-out probe-demo-out fleet-demo-out python/shadowlane/_core*.so

.venv-redact/.made: benches/redact/requirements.txt
	$(PYTHON) -m venv .venv-redact
	.venv-redact/bin/python -m pip install --quiet -r benches/redact/requirements.txt
	@touch $@

redact-bench: build .venv-redact/.made ## Redaction beside Presidio, scrubadub and detect-secrets; on public data with DATA=folder
	PYTHONPATH=python .venv-redact/bin/python -W ignore -m benches.redact $(if $(DATA),--data "$(DATA)") $(if $(HALF),--half $(HALF))

detector-test: build .venv-redact/.made ## The detector hook with Presidio and a spaCy model
	PYTHONPATH=python .venv-redact/bin/python -m pytest -p no:cacheprovider -W default tests/unit/sanitize/test_detect.py

redact-adversarial: ## 10 MiB of each input that would make a careless scan quadratic
	cargo test --release -p shadowlane-redact --test sanitize adversarial
