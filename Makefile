# make decks   verify what changed and build every deck into decks/build/
# make test    run the tests (those that need PyTorch skip without it: `make torch` adds it)
# make preview show every card and the evidence as a web site on this machine, reloading as you write
# make check   lint, formatting and types
# make verify  run every verifier again and compare with the evidence lock
# make mutants put small faults into the verifiers and count those that no witness notices (long)
# make bench   how fast builds, imports and previews are, beside a bare loop over the same text

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: decks test preview check verify torch mutants bench matrix clean

decks: .venv/.base
	$(BIN)/proofdeck verify
	$(BIN)/proofdeck build

test: .venv/.test
	$(BIN)/python -m pytest -n auto

preview: .venv/.base
	$(BIN)/proofdeck preview --serve

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

verify: .venv/.base
	$(BIN)/proofdeck verify --all --locked

torch: .venv/.torch

mutants: .venv/.test .venv/.torch
	$(BIN)/python tests/mutants.py

bench: .venv/.test
	$(BIN)/python tests/benchmarks/bench.py
	$(BIN)/python tests/benchmarks/bench_import.py
	$(BIN)/python tests/benchmarks/bench_preview.py

# the rules of Anki's importer again, with an older engine in an environment of its own
matrix: .venv/.test
	$(BIN)/python tests/anki/matrix.py 24.11

.venv/.base: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable .
	@touch $@

.venv/.test: .venv/.base
	$(PIP) --editable '.[test]'
	@touch $@

.venv/.dev: .venv/.base
	$(PIP) --editable '.[dev]'
	@touch $@

.venv/.torch: .venv/.base
	$(PIP) --editable '.[torch]'
	@touch $@

clean:
	rm -rf .venv .proofdeck decks/build
