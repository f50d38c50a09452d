# Every command makes or mends its own environment (.venv) first; the second time that takes a moment.
# Needed: make, Python 3.11 to 3.13, and a way to the package index.

PYTHON ?= python3
VENV ?= .venv
PARITY_VENV ?= .venv-parity
COLAB_VENV ?= .venv-colab
NEWEST_VENV ?= .venv-newest
PROMPT ?= A cat drives a red car to the beach, then meets a dog under a palm tree, then they watch a rocket fly up
OUT ?=
STAGE ?=
# More options for the command, such as ARGS="--seed 3 --steps 40".
ARGS ?=

# Through the environment, so that quotes and dollars in a prompt reach the program as they are.
export VDJAX_PROMPT := $(value PROMPT)
export VDJAX_OUT := $(value OUT)

# Compiled modules are kept, whatever the shell says: each start is seconds quicker with them.
unexport PYTHONDONTWRITEBYTECODE

ensure = @$(PYTHON) scripts/environment.py "$(VENV)"
python = "$(VENV)/bin/python"

# Four notebooks that use the network, films and widgets, for the tests with other versions.
some = 00_start_here 02_grounding_tokens 03_unet3d_and_gated_attention 05_multi_scene_sampling
some_notebooks = $(some:%="tests/notebooks/test_run.py::test_notebook[%]")
colab = @$(PYTHON) scripts/environment.py "$(COLAB_VENV)" dev --python 3.13 \
	--from tests/environments/colab.txt
# The warning is of Colab's jupyter_client on Python 3.13.
in_colab = "$(COLAB_VENV)/bin/python" -m pytest \
	-W "ignore:Parsing dates involving:DeprecationWarning"

# Each test of a widget leaves a picture of it.
screenshots = mkdir -p build/screenshots && \
	VDJAX_SCREENSHOTS="$${VDJAX_SCREENSHOTS:-$(CURDIR)/build/screenshots}"

.DEFAULT_GOAL := help
.PHONY: help film test test-notebooks test-browser test-colab test-classic test-newest fuzz parity bench lint lab site train doctor clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

film: ## turn a sentence into a film under films/: make film PROMPT="..." OUT=DIR
	$(ensure)
	@$(python) -m vdjax film "$$VDJAX_PROMPT" $${VDJAX_OUT:+-o "$$VDJAX_OUT"} $(ARGS)

test: ## run the tests
	$(ensure) dev notebooks train llm models site
	@echo "vdjax: running the tests"
	@$(python) -m pytest --numprocesses auto --dist loadfile $(ARGS)

test-notebooks: ## run every edition of every notebook, and try every answer
	$(ensure) dev notebooks train llm models site
	@VDJAX_NOTEBOOKS=all $(python) -m pytest tests/notebooks --numprocesses auto $(ARGS)

test-browser: ## drive the widgets in a real Chromium, alone and in JupyterLab
	$(ensure) dev notebooks train llm models
	@$(screenshots) VDJAX_NOTEBOOKS=all $(python) -m pytest tests/lab tests/widgets -m browser $(ARGS)

test-colab: ## run four notebooks with what Google Colab has; needs Python 3.13
	$(colab)
	@VDJAX_NOTEBOOKS=all $(in_colab) $(some_notebooks) --numprocesses auto $(ARGS)

test-classic: ## drive the widgets in the classic notebook, with ipywidgets 7; needs Python 3.13
	$(colab)
	@$(screenshots) $(in_colab) tests/lab/test_widgets.py -m browser $(ARGS)

test-newest: ## run four notebooks and the tests of the networks with the newest JAX; needs Python 3.13
	@$(PYTHON) scripts/environment.py "$(NEWEST_VENV)" dev notebooks train --python 3.13 \
		--from tests/environments/newest.txt --newest
	@VDJAX_NOTEBOOKS=all "$(NEWEST_VENV)/bin/python" -m pytest $(some_notebooks) \
		tests/model tests/sample tests/systems --ignore=tests/systems/batch --numprocesses auto $(ARGS)

fuzz: ## throw 10,000 bad answers at the readers of language models' answers
	$(ensure) dev notebooks train llm models
	@VDJAX_FUZZ_EXAMPLES=10000 $(python) -m pytest tests/properties/test_answers.py $(ARGS)

parity: ## compare every module with PyTorch's, in an environment of its own that holds torch
	@$(PYTHON) scripts/environment.py "$(PARITY_VENV)" dev parity
	@echo "vdjax: comparing with PyTorch"
	@"$(PARITY_VENV)/bin/python" -m pytest tests/parity $(ARGS)

bench: ## time vdjax beside PyTorch, into benchmarks/RESULTS.md; ARGS=--quick tries it without saving
	@$(PYTHON) scripts/environment.py "$(PARITY_VENV)" dev parity
	@"$(PARITY_VENV)/bin/python" -m benchmarks $(if $(ARGS),$(ARGS),--save)

lint: ## check style and types
	$(ensure) dev notebooks train llm
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m mypy

lab: ## open the first notebook in JupyterLab
	$(ensure) notebooks
	@$(python) -m jupyterlab notebooks/00_start_here.ipynb

site: ## build the site of the course into build/site/index.html
	$(ensure) notebooks site
	@$(python) -m sphinx -qW --keep-going -c site notebooks build/site

train: ## train one stage, or go on where it stopped: make train STAGE=autoencoder
	$(ensure) train
	@$(python) -m vdjax train "$(STAGE)" $(ARGS)

doctor: ## say what is installed, what is missing, and what mends it
	$(ensure)
	@$(python) -m vdjax doctor

clean: ## remove the environments and caches; films and training runs stay
	for venv in "$(VENV)" "$(PARITY_VENV)" "$(COLAB_VENV)" "$(NEWEST_VENV)"; do rm -rf "$$venv" "$$venv.lock"; done
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist
	find vdjax tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
