# The front door. `make` lists what there is; the work is in CMakePresets.json and scripts/.
MAKEFLAGS += --no-print-directory
JOBS ?= $(shell nproc)
export JOBS DIR
.DEFAULT_GOAL := help
.PHONY: help setup build demo test bench torture check coverage aarch64 format clean

help: ## this list
	@echo "Utan: an embedded object database. Targets:"
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: ## install the Debian packages that are missing (for all targets; each also installs its own)
	@scripts/setup.sh all

build: ## the libraries and examples, optimised, in build/release
	@scripts/setup.sh build
	cmake --preset release -DUTAN_TESTS=OFF -DUTAN_BENCH=OFF
	cmake --build --preset release --parallel $(JOBS)

demo: ## see it work: Python processes share a store, one is killed, another goes on (DIR=folder to index)
	@scripts/setup.sh demo
	@environment=$$(scripts/build_python.sh) && "$$environment/bin/python" examples/demo_python/main.py $${DIR:+"$$DIR"}

test: ## all tests: debug, sanitizers, release, Python, models, house rules
	@scripts/setup.sh test
	@scripts/test.sh

bench: ## measure against other stores, into bench/results (QUICK=1: small numbers; LARGE=1: ten million records; SECTIONS=python)
	@scripts/setup.sh bench
	@bench/run.sh

torture: ## the same tests for hours, with random crashes and fuzzing, on AArch64, and the models in full
	@scripts/setup.sh torture
	@scripts/setup.sh fuzz
	@scripts/setup.sh aarch64
	@scripts/torture.sh

coverage: ## how much of src/ and python/src/ the tests execute, line by line; fails below 95 %
	@scripts/setup.sh coverage
	@scripts/coverage.sh

aarch64: ## build for AArch64, run tests there by QEMU, and share stores between both processors
	@scripts/setup.sh aarch64
	@scripts/aarch64.sh

check: ## format, clang-tidy, a build by Clang, include table, files that nothing reaches
	@scripts/setup.sh check
	scripts/check_format.sh
	python3 scripts/check_includes.py
	python3 scripts/check_dead_files.py
	scripts/check_clang.sh
	scripts/check_tidy.sh

format: ## lay out all C and C++ files
	@scripts/setup.sh check
	@scripts/check_format.sh --fix

clean: ## remove all builds
	rm -rf build
