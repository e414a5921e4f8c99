# The commands of a developer and of CI. `make` alone lists them.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
KAFKA_VERSION := $(shell sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' tests/support/pom.xml)
KAFKA := .cache/kafka/$(KAFKA_VERSION)
BIN := .venv/bin
PYTEST := $(BIN)/pytest --cov --cov-report=term-missing
SEEDS ?= 1000

.PHONY: help setup kafka demo test check test-fast sim sim-variants lint schemas bench violence broker clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\)[a-z -]*:.*## \(.*\)/\1|\2/p' Makefile | \
		while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: .venv/.dev ## make .venv with everything a developer needs (PYTHON=… chooses the interpreter)

kafka: $(KAFKA)/complete ## fetch the tests' Kafka, once (43 MB; needs Java 17 or later and Maven)

demo: .venv/.runtime ## show the product at work, against doubles of the vendors (ARGS=…)
	$(BIN)/survey-dispatcher demo $(ARGS)

test: setup kafka ## run every test, those with a real Kafka too (ARGS=…)
	$(PYTEST) $(ARGS)

check test-fast: setup ## run all tests that need no Kafka (ARGS=…)
	$(PYTEST) -m "not kafka" $(ARGS)

sim: setup ## simulate SEEDS=1000 worlds of crashes, or tell the story of one (SEED=17)
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(ARGS)

sim-variants: setup ## show that the simulation finds every planted defect
	$(BIN)/python -m tests.simulation --variants

lint: setup ## check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

schemas: setup ## write schemas/ again from the models
	$(BIN)/survey-dispatcher schemas --write schemas

bench: setup kafka ## run the benchmarks (ARGS=…)
	$(BIN)/python -m benchmarks $(ARGS)

violence: setup kafka ## harm dispatchers and Kafka under load, and judge (ARGS="--kills 300 …")
	$(BIN)/python -m tests.violence $(ARGS)

broker: setup kafka ## run the tests' Kafka in the foreground, to look at (Ctrl-C ends it)
	$(BIN)/python -m tests.support.kafka

clean: ## remove all that these commands made, the fetched Kafka too
	rm -rf .venv .cache build dist *.egg-info htmlcov .coverage .hypothesis
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.runtime: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev,replay]"
	@touch .venv/.runtime $@

# Into a folder of its own first: an interrupted fetch must not look like a finished one.
$(KAFKA)/complete: tests/support/pom.xml
	@command -v java >/dev/null && command -v mvn >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends maven default-jre-headless; \
		else \
			echo "Java and Maven are needed: sudo apt-get install maven default-jre-headless" >&2; exit 1; \
		fi; }
	rm -rf $(KAFKA) $(KAFKA).part
	mvn -q -B -f tests/support/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(KAFKA).part
	mv $(KAFKA).part $(KAFKA)
	@touch $@
