# Every target first makes .venv, with the pinned and hashed packages, if it is missing or out of date.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV ?= $(shell command -v uv || echo .uv/bin/uv)
export UV_PYTHON_DOWNLOADS := never

READY := .venv/.ready
PYTEST := .venv/bin/python -m pytest

.PHONY: demo demo-cloud test test-fast test-full check bench pictures lock clean

demo: $(READY)  ## set up and run a real quick test on real data
	.venv/bin/towerlab demo

demo-cloud: $(READY)  ## the path through Google Cloud, played by this machine
	.venv/bin/python -W ignore -m tests.cloud.demo

test: $(READY)  ## the suite that proves the product (real pipelines; about 25 minutes on 2 cores)
	$(PYTEST) -m "not slow and not pipeline and not processes" -n 2
	$(PYTEST) -m "not slow and (pipeline or processes)"

test-fast: $(READY)  ## the inner loop: neither TensorFlow nor processes of their own
	$(PYTEST) -m "not slow and not pipeline and not processes" -n 2

test-full: test  ## and the long fault rounds
	$(PYTEST) -m slow

check: $(READY)  ## format, lint, types, directions of import
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/basedpyright
	.venv/bin/lint-imports

bench: $(READY)  ## measure the time budgets on this machine
	.venv/bin/python -m tests.bench

pictures: $(READY)  ## make the README's pictures anew from real runs
	.venv/bin/python docs/pictures/make.py

lock: $(UV)  ## resolve the pinned requirement files anew
	$(call compile,dev,--extra local --extra demo --group dev)
	$(call compile,local,--extra local --extra demo -c requirements/dev.txt)
	$(call compile,base,-c requirements/dev.txt)

compile = $(UV) pip compile -q pyproject.toml --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" $(2) -o requirements/$(1).txt

$(READY): requirements/dev.txt pyproject.toml | $(UV)
	test -x .venv/bin/python || $(UV) venv -q --python $(PYTHON) .venv
	$(UV) pip sync -q --python .venv/bin/python --require-hashes --compile-bytecode requirements/dev.txt
	$(UV) pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
	.venv/bin/python -m compileall -q engine pipelines tui
	touch $(READY)

.uv/bin/uv: requirements/uv.txt
	$(PYTHON) -m venv .uv
	.uv/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	touch .uv/bin/uv

clean:  ## remove what the targets made, but no workspace
	rm -rf .venv .uv .pytest_cache .ruff_cache .hypothesis .import_linter_cache
