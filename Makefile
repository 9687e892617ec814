# make demo        a virtual environment, then real speech through a real model
# make test        the tests that every change must pass
# make dev         everything for working on the package, with pre-commit hooks
# make lint        ruff, mypy, import-linter, English (make format repairs what it can)
# make test-slow   the tests that take longer or ask a package registry
# make doc         the manual, into build/doc
# make benchmark   every published number, measured again
# make buildout    bin/verify.py and bin/bob from what is installed, by zc.buildout
# make constraints the tested versions, resolved again: see the head of constraints.txt
#
# PYTHON=python3.12 make test   makes .venv with that Python (3.10 to 3.12)
# DEMO_DATA=folder make demo    the demo on your own folder of speakers
.PHONY: help demo test dev lint format test-slow doc benchmark buildout constraints

VENV ?= .venv
PYTHON ?= python3.11 python3.12 python3.10 python3
BIN := $(VENV)/bin
# pip works as its user has set it up: no index, proxy or certificate is named here.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SAY = @echo "Installing into $(VENV), see setup.py (the first time about 5 GB, some minutes)"
PINS := setup.py pyproject.toml constraints.txt $(wildcard bob/learn/pytorch/inference/winograd*.[ch])

# Idle OpenMP threads sleep: spinning, they slow PyTorch down tenfold on a busy machine.
export OMP_WAIT_POLICY ?= passive

help:
	@sed '/^[^#]/,$$d; s/^# \{0,1\}//' Makefile

demo: $(VENV)/installed
	$(BIN)/python -m bob.learn.pytorch demo $(if $(DEMO_DATA),--data "$(DEMO_DATA)")

# One process a processor, each with one thread; a file of tests stays in one process.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test: $(VENV)/installed-test
	$(PYTEST)

test-slow: $(VENV)/installed-test
	$(PYTEST) -m "(slow or network) and not gpu"

dev: $(VENV)/installed-dev
	if git rev-parse --git-dir >/dev/null; then $(BIN)/pre-commit install; fi

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/lint-imports
	$(BIN)/python .ci/english

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

doc: $(VENV)/installed-doc
	$(BIN)/sphinx-build -n -W -b html doc build/doc

benchmark: $(VENV)/installed-test
	$(BIN)/python -m pytest benchmarks --benchmark-only
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/tables.py path limit rivals growth

buildout: $(VENV)/installed-test
	$(BIN)/buildout

constraints: $(VENV)/installed-dev
	$(INSTALL) uv
	$(BIN)/uv pip compile setup.py --all-extras --universal --python-version 3.10 --quiet \
	    --no-annotate --custom-compile-command "make constraints [UPGRADE=--upgrade]" \
	    $(UPGRADE) --output-file constraints.txt
	# What holds for every environment of [tool.uv] need not stand on every line.
	sed -i.old "s/ and platform_python_implementation == 'CPython'//; s/ and sys_platform != 'win32'//; \
	    s/ and python_full_version < '3.13'//; s/ ; python_full_version < '3.13'$$//; \
	    s/python_full_version < '3.13' and //" constraints.txt
	rm constraints.txt.old

# One stamp for what is installed, so that only a change of the pins asks pip again.
$(VENV)/installed: $(PINS) | $(BIN)/pip
	$(SAY)
	$(INSTALL) -e .
	touch $@

$(VENV)/installed-dev: $(PINS) | $(BIN)/pip
	$(SAY)
	$(INSTALL) -e ".[dev,onnx,train,vad]"
	touch $@

$(VENV)/installed-%: $(PINS) | $(BIN)/pip
	$(SAY)
	$(INSTALL) -e ".[$*]"
	touch $@

# pip comes last into a virtual environment: where it is missing, making it was cut short.
$(BIN)/pip:
	@for python in $(PYTHON); do \
	    if $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' \
	        2>/dev/null; then exec $$python -m venv $(VENV); fi; \
	done; \
	echo "bob.learn.pytorch needs Python 3.10, 3.11 or 3.12 with its venv module; tried: $(PYTHON)." >&2; \
	echo "Install one (on Debian: apt-get install python3-venv), or name yours:" >&2; \
	echo "    make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
	exit 1
