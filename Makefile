# What people run, and what CI runs: the same targets.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

# the 18 of the paper's Table 1
DEVICES := D-LinkCam,D-LinkDoorSensor,D-LinkHomeHub,D-LinkSensor,D-LinkSiren,D-LinkSwitch,$\
	D-LinkWaterSensor,EdimaxPlug1101W,EdnetGateway,HomeMaticPlug,HueBridge,HueSwitch,MAXGateway,$\
	WeMoInsightSwitch,WeMoInsightSwitch2,WeMoLink,WeMoSwitch,Withings

# those on which all generators, also those from PyPI, that take minutes a fit, are compared
RIVALLED := EdimaxPlug1101W,D-LinkDoorSensor,HomeMaticPlug,WeMoLink,HueBridge,Withings

.PHONY: help demo test lint format dist share samples lock benchmark rivals clean tshark
.DEFAULT_GOAL := help

help: ## list what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(READY) ## set up, then learn and imitate the sample devices (about 4 minutes)
	$(VENV)/bin/iotflowgen demo

test: $(READY) tshark ## set up, then run the tests
	$(VENV)/bin/python -m pytest -n 2 $(ARGS)

lint: $(READY) ## style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(READY) ## put the code in order
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

dist: ## build the sdist, and the wheel from it
	rm -rf build/dist && $(PYTHON) -m venv build/tools
	build/tools/bin/pip install --disable-pip-version-check -q build
	build/tools/bin/python -m build -q --outdir build/dist .

share: $(READY) ## make the man page and the completions anew
	$(VENV)/bin/python share/pages.py

samples: ## record the sample captures anew (root, network namespaces)
	$(PYTHON) samples/record.py
	$(PYTHON) samples/record.py --out samples/events --captures 6 --seconds 165 --leisure 2 \
		--any-size --gzip

.PHONY: site
site: $(READY) ## build the documentation into out/site; warnings are errors
	$(VENV)/bin/pip install --disable-pip-version-check -q -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict -q

benchmark: $(READY) ## measure devices of ROOT=FOLDER and WEEKS=FOLDER; takes hours, can be taken up
	$(VENV)/bin/python benchmarks/capture.py $(ROOT)
	$(VENV)/bin/python benchmarks/fit.py $(ROOT)
	$(VENV)/bin/python benchmarks/fit.py $(ROOT) --settings authors --bfloat16 \
		--devices Withings,WeMoLink,HomeMaticPlug --out benchmarks/results/authors
	$(VENV)/bin/iotflowgen benchmark $(ROOT) --devices $(DEVICES) --out benchmarks/results/benchmark
	cp benchmarks/results/benchmark/results.json benchmarks/results/benchmark.json
	$(VENV)/bin/python benchmarks/stages.py $(ROOT) \
		--devices EdimaxPlug1101W,D-LinkDoorSensor,WeMoInsightSwitch2,EdnetGateway
	$(VENV)/bin/python benchmarks/ablation.py $(ROOT) --devices $(DEVICES)
	$(VENV)/bin/python benchmarks/known_source.py $(ROOT) --devices $(DEVICES)
	$(VENV)/bin/python benchmarks/realism.py $(ROOT) --devices $(DEVICES)
	$(VENV)/bin/python benchmarks/headers.py $(ROOT) --devices $(DEVICES)
	$(VENV)/bin/python benchmarks/fields.py $(ROOT) --devices $(DEVICES)
	$(VENV)/bin/python benchmarks/round_trip.py $(ROOT) --devices $(DEVICES)
	$(VENV)/bin/python benchmarks/membership.py $(ROOT) --devices $(DEVICES)
	$(VENV)/bin/python benchmarks/privacy.py $(ROOT) --devices $(RIVALLED)
	$(VENV)/bin/python benchmarks/packets.py $(ROOT)
	$(VENV)/bin/python benchmarks/audit.py $(ROOT) --devices $$(ls $(ROOT) | paste -sd,)
	$(VENV)/bin/python benchmarks/streaming.py $(ROOT)/WeMoLink
	$(VENV)/bin/python benchmarks/streams.py --packets 3000000 \
		$(ROOT)/D-LinkCam $(ROOT)/EdimaxPlug1101W $(ROOT)/WeMoLink
	$(VENV)/bin/python benchmarks/weeks.py $(WEEKS)
	$(VENV)/bin/python benchmarks/startup.py
	$(VENV)/bin/python benchmarks/fuzzing.py
	$(VENV)/bin/python benchmarks/live.py $(ROOT)
	$(VENV)/bin/python benchmarks/tables.py

rivals: ## measure generators from PyPI on ROOT=FOLDER, in an environment of their own
	rm -rf build/rivals && $(PYTHON) -m venv build/rivals
	build/rivals/bin/pip install --disable-pip-version-check -q torch==2.13.0
	build/rivals/bin/pip install --disable-pip-version-check -q '.[all]' benchmarks/rivals
	build/rivals/bin/pip install --disable-pip-version-check -q --no-deps \
		gretel-synthetics==0.22.20 category-encoders
	build/rivals/bin/iotflowgen benchmark $(ROOT) --devices $(RIVALLED) --generators par,dgan \
		--protocols paper \
		--adversaries packet-metadata,published,boosting --out benchmarks/results/rivals
	cp benchmarks/results/rivals/results.json benchmarks/results/rivals.json

lock: ## resolve the dependencies anew into requirements.lock
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install -q torch==2.13.0
	build/lock/bin/pip install -q '.[all,dev]'
	build/lock/bin/pip freeze --exclude iotflowgen | sed -E 's/^torch .*|^torch==.*/torch==2.13.0/' > requirements.lock

clean: ## remove what was made here
	rm -rf $(VENV) build out .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) -s apt PACKAGE=python3-venv
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --disable-pip-version-check -q -r requirements.lock
	$(VENV)/bin/pip install --disable-pip-version-check -q --no-deps -e .
	@touch $@

tshark:
	@command -v tshark >/dev/null || $(MAKE) -s apt PACKAGE=tshark

# as root on Debian and its kin; anyone else is told what to run
.PHONY: apt
apt:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y $(PACKAGE); \
	else \
		echo "$(PACKAGE) is missing; install it with:  sudo apt-get install -y $(PACKAGE)"; exit 1; \
	fi
