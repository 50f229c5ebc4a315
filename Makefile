# make demo   install what rendering needs, build the sample scene, render it into out/
# make test   install everything, run the default test suite
# make check  lint, types, import layers
# make slow   the tests that take minutes
# make gpu    on a CUDA device: its tests, and how fast it is, in out/gpu.json and out/gpu.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# Each file is compiled once, whatever the environment says: tests start many processes.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest

# Of the first the schema of compose files is read. The second asks for an older typer
# than ours, and works with ours.
ALONE := docker-compose==1.29.2 openapi-python-client==0.29.1 ruamel-yaml==0.19.1

.PHONY: demo test check slow gpu clean

demo: $(VENV)/.core
	$(BIN)/nvs demo --output out

test: $(VENV)/.all
	$(PYTEST) -n auto --dist loadfile --ignore tests/viewer
	$(PYTEST) tests/viewer

slow: $(VENV)/.all
	$(BIN)/python -m pytest -m slow

gpu: $(VENV)/.all
	$(BIN)/python -m pytest -m gpu
	$(BIN)/nvs bench table --device cuda --output out/gpu.json

check: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

$(VENV)/.core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.all: $(VENV)/.core
	$(PIP) --editable '.[cluster,data,dev,eval,server,train]'
	$(PIP) --no-deps $(ALONE)
	touch $@

clean:
	rm -rf $(VENV) out .pytest_cache .ruff_cache .hypothesis
