# Every target works in a fresh clone: it first makes the local environment .venv, and makes it again only
# when pyproject.toml, constraints.txt or the Python asked for has changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed.stamp
PEERS := .venv-bench
# Of its own, since PyTorch is large and nothing else needs it.
TORCH := .venv-torch
OLDEST := .venv-oldest

# Old pip reads the first for builds too, new pip the second. Both take a relative path, so that the clone
# may lie in a folder with a space in its name.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Most modules are never imported here; the others are compiled when they are.
export PIP_NO_COMPILE := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo reproduce machines services kills faults docs docs-page test test-torch test-oldest lint format wheel backends-table options-page constraints bench bench-page clean ANEW

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile \
	    | while IFS='|' read -r target text; do printf '  make %-16s %s\n' "$$target" "$$text"; done
	@echo "  Another Python than python3: make demo PYTHON=python3.12"

setup: $(INSTALLED)  ## make .venv with the package (editable) and its tools
	@:

demo: $(INSTALLED)  ## train on the 4x4 stripes with three methods: a table and a picture
	@$(BIN)/rapid-ising demo

reproduce: $(INSTALLED)  ## measure the paper's figures again: reproduction/index.html; ARGS=--full for all seeds
	@$(BIN)/rapid-ising reproduce all $(or $(ARGS),--quick)

machines: $(INSTALLED)  ## measure every machine's law, calibration and training: machines/index.html; ARGS=--full
	@$(BIN)/rapid-ising reproduce machines --out machines $(or $(ARGS),--quick)

services: $(INSTALLED)  ## train on every hardware service by its emulator: services/index.html; ARGS=--full
	@$(BIN)/rapid-ising reproduce services --out services $(or $(ARGS),--quick)

kills: $(INSTALLED)  ## kill and resume trainings on emulators; ARGS=200 for so many kills a machine
	@$(BIN)/python tests/kills.py $(or $(ARGS),20)

docs: $(INSTALLED)  ## build the documentation: build/docs/html/index.html
	@$(BIN)/sphinx-build -q -W --keep-going --doctree-dir build/docs/doctrees docs build/docs/html
	@echo build/docs/html/index.html

PAGE ?= reproduction
docs-page:  ## copy the page in reproduction/ into docs/; PAGE=machines for that one
	@mkdir -p docs/$(PAGE) && cp $(PAGE)/pictures/*.png docs/$(PAGE)/ 2>/dev/null || rmdir docs/$(PAGE)
	@sed 's|](pictures/|]($(PAGE)/|g' $(PAGE)/index.md >docs/$(PAGE).md

test: $(INSTALLED)  ## run all tests and doctests, a process a core; ARGS="-k exact" for some of them
	@$(BIN)/pytest --numprocesses auto --dist loadfile $(ARGS)

TORCH_TESTS := tests/test_arrays.py tests/test_torch.py tests/test_ocean_programs.py rapid_ising/torch.py \
    'tests/test_examples.py::test_it_runs[09_autoencoder_prior]' \
    $(foreach page,ocean pytorch,'tests/test_docs.py::test_a_page_runs[docs/tasks/$(page).md]')
test-torch: $(TORCH)/installed.stamp  ## what needs PyTorch or dwave-hybrid, in .venv-torch
	@$(TORCH)/bin/pytest $(TORCH_TESTS) $(ARGS)

# Tests that use every dependency between them. Old packages warn of others that are newer than they are.
OLD_TESTS := ising.py dimod_samplers.py datasets.py threads.py simulated_annealing.py plotting.py toshiba_sqbm.py \
    cli.py::TestTrain sklearn.py::TestWithinScikitLearn \
    leap_hybrid.py::TestLimits leap_hybrid.py::TestEmulated::test_the_best_state_is_found \
    $(addprefix sharded.py::TestWorkersThatDie::test_a_cluster_,gives_them_to_another that_gives_up_is_an_error)
test-oldest: $(OLDEST)/installed.stamp  ## some tests on the oldest versions that are claimed, in .venv-oldest
	@$(OLDEST)/bin/pytest --numprocesses auto --dist loadfile --override-ini filterwarnings=default \
	    $(OLD_TESTS:%=tests/test_%) $(ARGS)

faults: $(INSTALLED)  ## every adapter against every fault and 10 000 damaged answers; SEEDS=20, NAMES="cim dwave"
	@$(BIN)/python tests/faults.py $(or $(SEEDS),20) $(NAMES)
	@RAPID_ISING_FUZZ=10000 $(BIN)/pytest tests/test_remote_fuzz.py

lint: $(INSTALLED)  ## ruff, its formatter, and mypy --strict
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy --strict

format: $(INSTALLED)  ## let ruff format the code and repair what it can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

wheel: $(INSTALLED)  ## build dist/: the source archive, and from it the wheel
	@rm -rf dist
	@$(BIN)/python -m build >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log >&2; exit 1; }
	@ls -1 dist/*

backends-table: $(INSTALLED)  ## write the table of machines into backends/README.md
	@$(BIN)/python -m rapid_ising.cli.machines backends/README.md

options-page: $(INSTALLED)  ## write the commands and their options into docs/command-line.md
	@$(BIN)/python -m rapid_ising.cli.reference docs/command-line.md

bench: $(PEERS)/installed.stamp  ## hold every speed target against its peer, one table; ARGS="gibbs seam.training_step"
	@$(PEERS)/bin/python -m benchmarks $(ARGS)

bench-page: $(PEERS)/installed.stamp  ## the same, written into docs/benchmarks.md
	@$(PEERS)/bin/python -m benchmarks --page docs/benchmarks.md

$(PEERS)/installed.stamp: benchmarks/requirements.txt pyproject.toml constraints.txt $(BIN)/pip
	@echo "Setting up $(PEERS), with PyTorch and the other peers ..."
	@test -x $(PEERS)/bin/python || $(BIN)/python -m venv $(PEERS)
	@$(PEERS)/bin/pip install --requirement benchmarks/requirements.txt --editable '.[fujitsu-da]' \
	    >$(PEERS)/pip.log 2>&1 || { tail -n 25 $(PEERS)/pip.log >&2; exit 1; }
	@touch $@

constraints: export PIP_CONSTRAINT :=
constraints: export PIP_BUILD_CONSTRAINT :=
constraints: $(BIN)/pip  ## pin the newest versions in constraints.txt
	@rm -rf build/newest && $(BIN)/python -m venv build/newest
	@build/newest/bin/pip install --quiet --quiet '.[dev]' hatchling
	@sed -n '/^#/p' constraints.txt >build/constraints.txt
	@build/newest/bin/pip freeze --exclude rapid-ising >>build/constraints.txt
	@mv build/constraints.txt constraints.txt
	@rm -rf build/newest
	@git --no-pager diff --stat -- constraints.txt

clean:  ## remove .venv and everything that was built or cached
	@rm -rf $(VENV) $(PEERS) $(TORCH) $(OLDEST) build dist demo-output .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt $(BIN)/pip
	@echo "Setting up $(VENV), about a minute when packages are cached ..."
	@$(BIN)/pip install --editable '.[dev]' >$(VENV)/pip.log 2>&1 || { \
	    tail -n 25 $(VENV)/pip.log >&2; \
	    echo "make: pip could not set up $(VENV), see $(VENV)/pip.log; check the network and the package" \
	        "index (pip config list), then run make again" >&2; exit 1; }
	@touch $@

$(TORCH)/installed.stamp: pyproject.toml constraints.txt $(BIN)/pip
	@echo "Setting up $(TORCH), one to three minutes ..."
	@$(BIN)/python -m venv --clear $(TORCH)
	@$(TORCH)/bin/pip install --quiet --quiet 'torch==2.13.0' --editable '.[embedding,testing,torch]' \
	    array-api-strict hypothesis dwave-hybrid==0.6.16 dwave-pytorch-plugin==0.4.0 einops
	@touch $@

# As constraints too: else pip tries many versions of a package that is also asked for with an extra.
$(OLDEST)/installed.stamp: export PIP_CONSTRAINT := $(OLDEST)/oldest.txt
$(OLDEST)/installed.stamp: export PIP_BUILD_CONSTRAINT :=
$(OLDEST)/installed.stamp: pyproject.toml tests/oldest.py $(INSTALLED)
	@echo "Setting up $(OLDEST), about a minute ..."
	@$(BIN)/python -m venv --clear $(OLDEST)
	@$(BIN)/python tests/oldest.py >$(OLDEST)/oldest.txt
	@$(OLDEST)/bin/pip install --requirement $(OLDEST)/oldest.txt --editable . \
	    hypothesis pytest-xdist >$(OLDEST)/pip.log 2>&1 || { \
	    tail -n 25 $(OLDEST)/pip.log >&2; exit 1; }
	@touch $@

$(BIN)/pip:
	@{ $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; } 2>/dev/null || { \
	    echo "make: rapid-ising needs Python 3.11 or newer, and $(PYTHON) answers" \
	        "'$$({ $(PYTHON) --version; } 2>&1 | head -n 1)';" \
	        "name another one, as in: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "make: $(PYTHON) has no venv module; on Debian and Ubuntu it is in the package python3-venv" \
	        >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

# The environment is made anew when its Python is gone, or is another version than one asked for by name.
ifeq ($(realpath $(BIN)/python),)
$(BIN)/pip $(INSTALLED): ANEW
else ifneq ($(origin PYTHON),file)
VERSION := -c 'import sys; print(sys.version_info[:2])'
$(BIN)/pip $(INSTALLED): $(shell [ "$$($(PYTHON) $(VERSION) 2>&1)" = "$$($(BIN)/python $(VERSION))" ] || echo ANEW)
endif
