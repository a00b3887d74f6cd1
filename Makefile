# Every target sets up what it needs: Python ≥ 3.11 and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
ASV := $(BIN)/asv
# What other libraries take does not change with our commits: BENCH=. measures them as well.
BENCH ?= 'ours'|'engine'|'SGD'|start_up
# Forks a process that has imported torch and used nothing of it; with CUDA, LAUNCH=spawn.
LAUNCH ?= forkserver
FACTOR ?= 1.1
PRESET ?= quick

.PHONY: leaderboard run report reports findings baselines bench bench-compare kernels test test-long verification properties check format clean help

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/'

# The committed verdicts stand beside the ranks.
REPORT = $(BIN)/jdbench report --preset $(PRESET) --verdicts reports/verification/verdicts.json

leaderboard: $(VENV)/.installed ## Run the quick preset and write results/quick/index.html; PRESET=full, paper
	$(BIN)/jdbench run --preset $(PRESET)
	$(REPORT)

run: $(VENV)/.installed ## Run the quick preset, or go on with it
	$(BIN)/jdbench run --preset $(PRESET)

report: $(VENV)/.installed ## Write the pages from what was run
	$(REPORT)

reports: $(VENV)/.installed ## Write the committed reports/index.html: the quick preset, compact
	$(BIN)/jdbench run --preset quick
	$(BIN)/jdbench report --preset quick --compact --out reports

findings: $(VENV)/.installed ## Judge what theory predicts by what was run
	$(BIN)/jdbench findings --preset $(PRESET)

baselines: $(VENV)/.installed ## Train the single-task baselines anew into problems/baselines.json
	OMP_NUM_THREADS=1 $(BIN)/python -m jdbench.problems.baselines

bench: $(VENV)/.installed-dev $(HOME)/.asv-machine.json ## Time the kernels of the current commit by asv; BENCH=regex, . for all
	$(ASV) run --launch-method $(LAUNCH) --record-samples --bench "$(BENCH)" 'HEAD^!'

bench-compare: $(VENV)/.installed-dev $(HOME)/.asv-machine.json ## Time BASE=commit and HEAD, and tell what regressed
	@test -n "$(BASE)" || { echo "BASE=, required a commit to compare with, got none, say make bench-compare BASE=main"; exit 2; }
	git rev-parse "$(BASE)^{commit}" HEAD | \
		$(ASV) run --launch-method $(LAUNCH) --record-samples --interleave-rounds --bench "$(BENCH)" HASHFILE:-
	$(ASV) compare --factor $(FACTOR) --only-changed "$$(git rev-parse "$(BASE)^{commit}")" "$$(git rev-parse HEAD)"
	$(BIN)/python -m benchmarks.compare --factor $(FACTOR) "$(BASE)" HEAD

kernels: $(VENV)/.installed-dev ## Measure reports/kernels/: Table 7 today, scaling; on an idle machine
	OMP_NUM_THREADS=2 NUMBA_NUM_THREADS=2 $(BIN)/python -m benchmarks.kernels

test: $(VENV)/.installed-dev ## Run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder

test-long: $(VENV)/.installed-dev ## Run the tests that search for minutes: honest aggregators, architectures, the zoo
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m long

# Specs have no blanks, so that the shell takes the roster's lines one by one.
verification: $(VENV)/.installed-dev ## Verify ours and TorchJD's aggregators and write reports/verification
	OMP_NUM_THREADS=1 $(BIN)/jdbench verify $$($(BIN)/python -m jdbench.roster) --claims all --report reports/verification \
		|| test $$? -eq 1  # refutations are what it is for

properties: $(VENV)/.installed-dev ## Verify the built-in aggregators against Table 1
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 properties

check: $(VENV)/.installed-dev ## Lint, format check and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

format: $(VENV)/.installed-dev ## Apply the format and the fixes that are safe
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the environment and the caches; stores and reports stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# asv asks for the machine's name otherwise.
$(HOME)/.asv-machine.json: | $(VENV)/.installed-dev
	$(ASV) machine --yes

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable ".[report]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable ".[dev]"
	touch $@ $(VENV)/.installed
