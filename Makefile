# Everything runs in .venv, which `make install` builds and then leaves alone.
# PYTHON chooses the interpreter:  make install PYTHON=python3.12

PYTHON ?= python3
DEMO ?= demo

BIN := .venv/bin
INSTALLED := .venv/.installed

# One thread per worker: the workers already share the cores.
test coverage test-slow notebooks: export OMP_NUM_THREADS = 1
# The theme announces its successor in every build.
docs docs-serve: export NO_MKDOCS_2_WARNING = 1

.DEFAULT_GOAL := help
.PHONY: help install demo test coverage test-slow lint format docs docs-serve notebooks wheel pin clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Build .venv from constraints.txt; does nothing when nothing changed

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

demo: install ## Run the whole journey on a small ladder and write demo/report.html
	$(BIN)/pdesurrogate demo --out $(DEMO)

test: install ## Run the tests on every core
	$(BIN)/python -m pytest -n auto

coverage: install ## Run the tests and say which lines none of them reaches; a third slower
	$(BIN)/python -m pytest -n auto --cov --cov-report=term:skip-covered

test-slow: install ## Run the science that takes minutes
	$(BIN)/python -m pytest -n auto -m slow

lint: install ## Check format, style, types and layers, as CI does
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: install ## Build the documentation into site/; a warning is an error
	$(BIN)/mkdocs build --strict --quiet

docs-serve: install ## Serve the documentation and rebuild it on every change
	$(BIN)/mkdocs serve

notebooks: install ## Execute the notebooks from top to bottom
	$(BIN)/python -m pytest --nbmake notebooks

wheel: install ## Build the wheel and the source archive into dist/
	$(BIN)/python -m build --outdir dist

pin: install ## Write constraints.txt from what is installed
	$(BIN)/python .ci/pin_versions.py

clean: ## Remove the environment and everything that was built; data, runs and demo stay
	rm -rf .venv build dist site htmlcov .coverage
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find pdesurrogate tests -name __pycache__ -prune -exec rm -rf {} +
