# `make demo` and `make test` do all set-up on a machine with Python 3.11; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
CORES ?= $(shell nproc)
SET ?= real
REAL := $(patsubst real/real,real,real/$(SET))
STAMP := $(VENV)/.installed
WEIGHTS ?= he-nuclei.pt
TRAINING ?=

.PHONY: help demo test test-all fuzz lint format config containers real train-nuclei clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(STAMP) ## painted slides with known truth, through every stage, to the report
	$(BIN)/abignet synth painted --out demo/slides
	$(BIN)/snakemake --configfile config/demo/config.yaml --cores $(CORES)
	@echo "report: $$PWD/demo/results/report/demo/index.html"

test: $(STAMP) ## the default test suite, files side by side on up to 4 cores
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --max-worker-restart 0 --dist loadfile

test-all: $(STAMP) ## the slow tests as well
	$(BIN)/python -m pytest -m 'not gpu and not network'

fuzz: $(STAMP) ## damaged and made-up files of every format; `python -m tests.fuzz.run` for longer
	$(BIN)/python -m pytest -m slow tests/fuzz

lint: $(STAMP) ## everything that is checked without running the pipeline
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/snakemake --lint --configfile config/test/config.yaml --config sheet=tests/workflow/lint.csv

format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt Snakefile workflow

config: $(STAMP) ## write config/config.yaml and the schemas from the declared keys
	$(BIN)/python -m pipeline.config_files

containers: $(STAMP) ## write the recipes of container images from envs/
	$(BIN)/python -m tests.environments.containers

real: $(STAMP) ## the same workflow on real images in the folder that ABIGNET_REAL_DATA names; also SET=glas, SET=lc25000
	$(BIN)/python config/real/make_sheet.py "$$ABIGNET_REAL_DATA" $(REAL)/slides.csv $(SET)
	$(BIN)/snakemake --configfile config/$(SET)/config.yaml --cores $(CORES)
	@echo "report: $$PWD/$(REAL)/results/report/$(SET)/index.html"

train-nuclei: $(STAMP) ## what the shipped nucleus network was trained on and how, into WEIGHTS; TRAINING="--max-minutes 20" and the like add to it
	$(BIN)/abignet train-nuclei --out $(WEIGHTS) --canvas "$$ABIGNET_REAL_DATA/wsi_openslide/CMU-1-Small-Region.svs" \
	  --images "$$ABIGNET_REAL_DATA/nuclei_dsb2018_he/images" --masks "$$ABIGNET_REAL_DATA/nuclei_dsb2018_he/masks" \
	  --data "2018 Data Science Bowl, stage1_train" --images-licence CC0-1.0 --attribution BBBC038 \
	  --images "$$ABIGNET_REAL_DATA/nuclei_dsb2018_test_he/images" --masks "$$ABIGNET_REAL_DATA/nuclei_dsb2018_test_he/masks" \
	  --data "2018 Data Science Bowl, stage1_test" --images-licence CC0-1.0 --attribution BBBC038 \
	  --images "$$ABIGNET_REAL_DATA/nuclei_tnbc/images" --masks "$$ABIGNET_REAL_DATA/nuclei_tnbc/masks" \
	  --data "TNBC nuclei, zenodo.org/record/2579118" --images-licence CC-BY-4.0 --attribution "Naylor, Laé, Reyal, Walter" \
	  --patient '' --patient '' --patient '[0-9]+' \
	  $(TRAINING)

clean: ## remove what the demo and the real run made
	rm -rf demo real
