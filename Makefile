# Needs only make and Python 3.11+. Everything is installed into .venv, each target just what it needs, once.
#   make PYTHON=/path/to/python3.12 test     another interpreter
#   make test ARGS="-k stepper -x"           further arguments for pytest (also for demo, lab, bench)

PYTHON ?=
PYTHONS := python3.14 python3.13 python3.12 python3.11 python3 python
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
ARGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test quick lint format lab bench chromium dist clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.stamp-setup ## install everything, torch included, into .venv
	@echo "Ready: $(BIN)/unaiverse-lab"

demo: $(VENV)/.stamp-demo ## run a tutorial from end to end and print its transition trace
	@$(BIN)/unaiverse-lab demo $(ARGS)

test: lint chromium ## lint, then run the tests
	@echo "== pytest"
	@$(PY) -m pytest -n auto --dist loadfile $(ARGS)

quick: $(VENV)/.stamp-test ## the tests that take neither a browser, nor a broker, nor whole worlds
	@$(PY) -m pytest -n auto --dist loadfile -m "not browser and not live and not notebook and not world" $(ARGS)

lint: $(VENV)/.stamp-test ## style, types and import floors
	@echo "== ruff"
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@echo "== mypy"
	@$(PY) -m mypy
	@echo "== import-linter"
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.stamp-test ## put the code into the shape that lint asks for
	@$(PY) -m ruff check --fix --exit-zero
	@$(PY) -m ruff format

lab: $(VENV)/.stamp-lab ## open the tutorials in JupyterLab
	@$(BIN)/jupyter lab --notebook-dir=tutorials $(ARGS)

bench: $(VENV)/.stamp-bench ## run the benchmarks
	@$(PY) -m benchmarks $(ARGS)

# Where there is no apt, nothing is done and nothing fails here: the tests say what is missing.
chromium: ## install Chromium, which the browser tests drive, through apt if there is none
	@for browser in "$$UNAIVERSE_LAB_BROWSER" chromium chromium-browser google-chrome-stable google-chrome; do \
		if [ -n "$$browser" ] && command -v "$$browser" >/dev/null; then exit 0; fi; \
	done; \
	if ! command -v apt-get >/dev/null; then \
		echo "make: no Chromium, and no apt to install it with: install it, or name one in UNAIVERSE_LAB_BROWSER" >&2; \
		exit 0; \
	fi; \
	root=; if [ "$$(id -u)" != 0 ]; then root=sudo; fi; \
	if [ -n "$$root" ] && ! command -v sudo >/dev/null; then \
		echo "make: no Chromium, and no right to install it: as root, apt-get install chromium" >&2; exit 0; \
	fi; \
	echo "== installing chromium through apt"; \
	$$root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$root apt-get install -y -qq chromium >/dev/null || \
		echo "make: apt could not install chromium: install it, or name one in UNAIVERSE_LAB_BROWSER" >&2

dist: $(VENV)/.stamp-test ## build sdist and wheel into dist/
	@rm -rf dist
	@$(PY) -m build

clean: ## remove what was built or cached, but not .venv
	@rm -rf build dist out .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage htmlcov
	@find . \( -path ./$(VENV) -o -path ./.git -o -name node_modules \) -prune -o \
		-type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

distclean: clean ## clean, and remove .venv
	@rm -rf $(VENV)

# -------------------------------------------------------------------------------------------------- the environment
# A name on PATH proves nothing (a pyenv shim may exist and fail), so each candidate has to run, be new enough and be
# able to make an environment with pip in it.
$(VENV)/.stamp-venv:
	@for py in $(or $(PYTHON),$(PYTHONS)); do \
		if "$$py" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			echo "== $(VENV): $$("$$py" --version) ($$py)"; \
			"$$py" -m venv --clear $(VENV) && touch $@ && exit 0; \
			echo "make: '$$py -m venv' failed" >&2; exit 1; \
		fi; \
	done; \
	echo "make: no working Python 3.11 or newer with venv and pip among: $(or $(PYTHON),$(PYTHONS))" >&2; \
	echo "make: install one (Debian, Ubuntu: apt install python3 python3-venv) or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1

# $(call environment,NAME,EXTRAS,OTHER NAMES THAT THESE EXTRAS COVER)
define environment
$(VENV)/.stamp-$(1): pyproject.toml constraints.txt $(VENV)/.stamp-venv
	@echo "== installing .[$(2)] into $(VENV)"
	@$(PY) -m pip install -qq --no-compile -c constraints.txt -e '.[$(2)]'
	@touch $$(addprefix $(VENV)/.stamp-,$(1) $(3))
endef

comma := ,
$(eval $(call environment,demo,notebook))
$(eval $(call environment,lab,lab,demo))
$(eval $(call environment,bench,bench))
$(eval $(call environment,test,lab$(comma)live$(comma)learn$(comma)dev,demo))
$(eval $(call environment,setup,all$(comma)dev$(comma)bench,demo lab bench test))
