# fiblake's commands. Each does the set-up it needs: Python 3.11 or newer and make are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
KINESIS := tests/kinesis_local
FLINK := .venv-flink
JOB := speed_layer/flink
INFRA := infra
PACKAGES := lake database batch_layer speed_layer serving_layer fiblake infra
TOOLS := docs/hooks scans
SECRETS := $(BIN)/detect-secrets-hook --no-verify --filter file://scans/guesses.py::is_no_finding
ARGS ?=

.PHONY: demo up test check audit docs format bench soak synth requirements system emulators clean

demo: $(VENV)/ready  ## import real daily bars, resample them, write a chart page
	$(BIN)/fiblake demo $(ARGS)

up: $(VENV)/ready  ## serve the lake in ./data on localhost until Ctrl-C
	$(BIN)/fiblake up $(ARGS)

test: check system emulators $(INFRA)/node_modules/ready $(FLINK)/ready  ## check, then every test; ARGS='-k x' passes on to pytest
	$(BIN)/pytest $(ARGS)

check: $(VENV)/ready  ## lint, formatting, types, the dependency rule, scans, the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES) tests $(TOOLS)
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive -c pyproject.toml --severity-level medium $(PACKAGES) $(TOOLS)
	git ls-files -z ':!*requirements*.txt' | xargs -0 -n 150 -P 0 $(SECRETS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

audit: $(VENV)/ready  ## what is pinned, held to what is known of vulnerabilities; it needs the internet
	$(BIN)/python scans/audit.py $(ARGS)

docs: $(VENV)/ready  ## the documentation, in site/: open site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: $(VENV)/ready  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(BENCH)/ready  ## the benchmarks, beside others' engines; writes docs/benchmarks.md
	$(BENCH)/bin/python -m tests.bench $(ARGS)

soak: $(VENV)/ready  ## a thousand kills, and a stream for minutes
	$(BIN)/pytest tests/soak --override-ini=addopts= -x -s $(ARGS)

synth: $(VENV)/ready $(INFRA)/node_modules/ready  ## the templates of both sizes into infra/cdk.out, without an account
	@for size in dev prod; do \
	    (cd $(INFRA) && PATH="$(CURDIR)/$(BIN):$$PATH" CDK_DISABLE_CLI_TELEMETRY=true \
	        JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20 npx --no-install cdk synth \
	        --quiet --no-lookups --no-notices -c size=$$size --output cdk.out/$$size $(ARGS)) || exit 1; \
	    echo "$$size: $(INFRA)/cdk.out/$$size"; \
	done

requirements: $(VENV)/ready  ## pin every dependency anew, with hashes
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --no-header \
	    requirements/uv.in -o requirements/uv.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --no-header --python-version 3.11 \
	    pyproject.toml --all-extras -o requirements/runtime.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --no-header --python-version 3.11 \
	    pyproject.toml --all-extras --group dev -c requirements/runtime.txt -o requirements/dev.txt
	cp requirements/runtime.txt requirements/bench.txt  # its pins are preferred, but ArcticDB wants pandas 2
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
	    pyproject.toml --all-extras --group bench -o requirements/bench.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --no-header --python-version 3.11 \
	    $(JOB)/pyproject.toml -o $(JOB)/requirements.txt

system:  ## what tests need of the operating system: a browser, Redis, Node.js
	@sh tests/system-packages.sh

emulators: $(KINESIS)/node_modules/ready  ## the Kinesis server that tests start

clean:  ## remove what the commands above made, but no data
	rm -rf $(VENV) $(BENCH) $(FLINK) $(JOB)/target $(KINESIS)/node_modules $(INFRA)/node_modules $(INFRA)/cdk.out artefacts build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/ready: requirements/dev.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "fiblake needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
	         "Hint: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { \
	    echo "Python's venv module is missing. Hint: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes \
	    -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH)/ready: $(VENV)/ready requirements/bench.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(BENCH)
	$(BIN)/uv pip install --quiet --python $(BENCH)/bin/python --compile-bytecode --require-hashes \
	    -r requirements/bench.txt
	$(BIN)/uv pip install --quiet --python $(BENCH)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

# Without npm there is none: tests that need it say so.
$(KINESIS)/node_modules/ready: $(KINESIS)/package-lock.json
	@if command -v npm >/dev/null; then \
	    npm ci --prefix $(KINESIS) --no-audit --no-fund --loglevel=error && touch $@; \
	else \
	    echo "npm is missing: tests of Kinesis will be skipped. Hint: apt-get install npm" >&2; fi

$(INFRA)/node_modules/ready: $(INFRA)/package-lock.json
	@if command -v npm >/dev/null; then \
	    npm ci --prefix $(INFRA) --no-audit --no-fund --loglevel=error && touch $@; \
	else \
	    echo "npm is missing: the CDK's command line cannot be had. Hint: apt-get install npm" >&2; fi

# PyFlink pins what the rest has newer, so it has an environment of its own; it wants Python 3.11.
# Without that, Java or Maven there is none: tests that need it say so.
$(FLINK)/ready: $(FLINK)/installed $(JOB)/target/ready
	@if test -e $(FLINK)/installed && test -e $(JOB)/target/ready; then \
	    $(BIN)/fiblake flink prepare && touch $@; fi

$(FLINK)/installed: $(VENV)/ready $(JOB)/requirements.txt
	@if $(BIN)/uv venv --quiet --clear --no-python-downloads --python 3.11 $(FLINK); then \
	    $(BIN)/uv pip install --quiet --python $(FLINK)/bin/python --require-hashes \
	        -r $(JOB)/requirements.txt && touch $@; \
	else \
	    echo "Python 3.11 is missing: tests of Flink will be skipped. Hint: uv python install 3.11" >&2; fi

$(JOB)/target/ready: $(JOB)/pom.xml $(shell find $(JOB)/src -type f)
	@if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then \
	    echo "Maven or a JDK is missing: tests of Flink will be skipped." \
	         "Hint: apt-get install maven openjdk-17-jdk-headless" >&2; \
	elif mvn -B -q -f $(JOB)/pom.xml -P kinesis package >$(FLINK)-mvn.log 2>&1; then \
	    rm -f $(FLINK)-mvn.log; touch $@; \
	else \
	    echo "Maven has no Kinesis connector for Flink here (see $(FLINK)-mvn.log): the jar is made" \
	         "without it, and in tests files carry lines between the two." \
	         "Hint: docs/flink.md tells how to build it." >&2; \
	    mvn -B -q -f $(JOB)/pom.xml package && touch $@; fi
