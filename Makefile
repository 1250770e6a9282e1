# make demo   a napari window in which a photograph becomes a painting
# make test   every test, the ones in a real napari window included
# make lint   ruff, mypy, the order of imports, the manifest
# make bench  speed, memory and size beside other programs, as a table; ARGS="--quick" is a trial
#
# All of them make .venv and install what they need first; a second call finds it there.

VENV := .venv
BIN := $(VENV)/bin
# The first of these that runs and is new enough; PYTHON=... takes another.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)

# A window where there is none: only Linux can lack a display, and only there Xvfb gives one.
VIRTUAL_DISPLAY := $(if $(filter Linux,$(shell uname -s)),xvfb-run -a -s "-screen 0 1920x1080x24")

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench measure clean

help:
	@sed -n 's/^# //p' Makefile

demo: $(VENV)/.demo
	$(BIN)/napari-nst weights fetch
	$(BIN)/napari-nst demo

test: $(VENV)/.dev
	$(BIN)/napari-nst weights fetch
	OMP_NUM_THREADS=1 $(VIRTUAL_DISPLAY) $(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/structure.py
	$(BIN)/npe2 validate src/napari_nst/napari.yaml

bench: $(VENV)/.bench
	$(BIN)/napari-nst weights fetch
	$(VIRTUAL_DISPLAY) $(BIN)/python -m benchmarks $(ARGS)

measure: $(VENV)/.bench
	$(VIRTUAL_DISPLAY) $(BIN)/python -m benchmarks.measure

clean:
	rm -rf $(VENV) demo-output build dist *.egg-info

$(VENV)/.system: tools/system-libraries
	tools/system-libraries
	@$(or $(PYTHON),false) -c '$(NEW_ENOUGH)' 2>/dev/null \
		|| { echo "Install Python 3.11 or newer, or say where it is: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

# torch first, and alone: with it in place the resolver has nothing left to weigh.
$(VENV)/.torch: $(VENV)/.system
	$(BIN)/pip install torch
	@touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(BIN)/pip install --editable . "napari[pyqt6]>=0.9"
	@touch $@

$(VENV)/.bench: $(VENV)/.demo
	$(BIN)/pip install --group bench
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(BIN)/pip install --group dev
	@touch $@
