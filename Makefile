# make demo      a napari window in which a photograph becomes a painting
# make test      every test, those in a real napari window included
# make lint      ruff, mypy, import contracts, counts of lines and files, the manifest, workflows
# make bench     speed and memory compared with other programs; ARGS="--quick" is a short trial
# make quality   how good pictures and textures are, compared with other recipes; takes hours
# make measure   stalls of the window during a run
# make soak      what grows in a window during 10,000 iterations
# make docs      the site of docs/, into site/
#
# Each makes .venv and installs what it needs first; a second call uses the same .venv.

VENV := .venv
BIN := $(VENV)/bin
# The first of these that runs and is new enough; PYTHON=... sets another.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)

# Linux may have no display; Xvfb is a virtual one.
VIRTUAL_DISPLAY := $(if $(filter Linux,$(shell uname -s)),xvfb-run -a -s "-screen 0 1920x1080x24")

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench quality measure soak docs clean

help:
	@sed -n '/^$$/q; s/^# *//p' Makefile

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
	$(BIN)/zizmor --offline --quiet --min-severity medium .
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*_*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

bench: $(VENV)/.bench
	$(BIN)/napari-nst weights fetch
	$(VIRTUAL_DISPLAY) $(BIN)/python -m benchmarks $(ARGS)

quality: $(VENV)/.bench
	$(BIN)/napari-nst weights fetch
	$(BIN)/python -m benchmarks.quality $(ARGS)

measure: $(VENV)/.bench
	$(VIRTUAL_DISPLAY) $(BIN)/python -m benchmarks.measure

soak: $(VENV)/.bench
	$(BIN)/napari-nst weights fetch
	$(VIRTUAL_DISPLAY) $(BIN)/python -m benchmarks.soak $(ARGS)

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) demo-output build dist site *.egg-info

$(VENV)/.system: tools/system-libraries
	tools/system-libraries
	@$(or $(PYTHON),false) -c '$(NEW_ENOUGH)' 2>/dev/null \
		|| { echo "Install Python 3.11 or newer, or say where it is: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

# torch first: pip then need not choose among its versions together with all others.
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

# The site is made from the sources, without importing them.
$(VENV)/.docs: $(VENV)/.system pyproject.toml
	$(BIN)/pip install --group docs
	@touch $@
