# frametally: `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
# Tools from npm check the page's scripts, if npm is installed.
HAS_NPM := $(shell command -v npm 2>/dev/null)
PAGE_TOOLS := simple_frontend/node_modules/.package-lock.json
SERVE ?= yes
VIDEO ?=
TESTS ?=
RULES ?=
# One process per core.
WORKERS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
# Quiet unless something is wrong: a newcomer should see the demo, not 50 packages.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Hundreds of tests start a command. Without bytecode, each start compiles 300 modules again; Python images often
# disable writing it.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.venv/python:
	@for python in python3 python3.13 python3.12 python3.11 python; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	    echo "Setting up .venv with $$("$$python" -V)"; "$$python" -m venv --clear .venv; touch $@; exit 0; \
	  fi; \
	done; \
	echo "No Python 3.11, 3.12 or 3.13 with venv was found: install one (Debian: apt install python3-venv; elsewhere: python.org)" >&2; exit 1

.venv/runtime: .venv/python locks/all.lock pyproject.toml
	@echo "Installing the pinned packages"
	@$(PIP_INSTALL) --require-hashes -r locks/all.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev: .venv/runtime locks/dev.lock
	@echo "Installing the pinned tools"
	@$(PIP_INSTALL) --require-hashes -r locks/dev.lock
	@touch $@

.PHONY: setup
setup: .venv/runtime ## Set up .venv and the dashboard's pages
	@$(BIN)/python simple_frontend/fetch_assets.py

.PHONY: demo
demo: setup ## Count the traffic in a short clip, then serve the dashboard (SERVE=no: do not serve)
	@$(BIN)/frametally demo $(if $(filter no,$(SERVE)),--no-serve)

.PHONY: run
run: setup ## Count your own footage: make run VIDEO=my.mp4 (or a folder; SERVE=no: do not serve)
	@test -n "$$VIDEO" || { echo "Name your footage: make run VIDEO=my.mp4" >&2; exit 2; }
	@$(BIN)/frametally run $(if $(filter no,$(SERVE)),--no-serve) -- "$$VIDEO"

# Tests that do not need a server. With worksteal, an idle worker takes half of another worker's remaining tests.
EVERYWHERE := not demo and not services and not images and not stack and not compose and not cluster
PYTEST := $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal --durations=15

# Costly tests take turns day by day; FRAMETALLY_TESTS_DAY=all runs all.
test-all test-services: export FRAMETALLY_TESTS_DAY ?= $(shell date -u +%F)

.PHONY: test
test: .venv/dev setup $(if $(TESTS),,test-page) ## Run the quick tests, in minutes (TESTS=<paths>: these only; WORKERS=0: one at a time)
	@$(PYTEST) -m "$(EVERYWHERE) and not thorough" $(TESTS)

.PHONY: test-all
test-all: .venv/dev setup test-page ## Run all tests that do not need a server: kills, hostile files, every page in Chromium (TESTS=...)
	@FRAMETALLY_TESTS=thorough $(PYTEST) -m "$(EVERYWHERE)" $(TESTS)

# Exit code 1: no quick test failed although a rule was broken.
.PHONY: mutants
mutants: .venv/dev setup ## Break each rule that decides a number, and check that a test fails (RULES=<modules>: these only)
	@$(BIN)/python -m tests.mutants $(RULES)

.PHONY: test-page
test-page: $(if $(HAS_NPM),$(PAGE_TOOLS)) ## Test the page's scripts that do not need a browser (needs npm)
	@$(if $(HAS_NPM),cd simple_frontend && npm test --silent,echo "No npm: the page's scripts are not tested" >&2)

.PHONY: page
page: .venv/dev setup ## Open the demo's dashboard in Chromium, and reload it when you save one of its sources
	@$(BIN)/python simple_frontend/reload_page.py

.PHONY: test-browser
test-browser: .venv/dev setup $(if $(HAS_NPM),$(PAGE_TOOLS)) ## Test the page in Chromium (pictures go to build/screenshots)
	@$(BIN)/python -m pytest tests -k in_browser

.PHONY: pictures
pictures: .venv/dev setup ## Draw the layers with Graphviz, and take the manual's screenshots again, in the test of its ten questions
	@$(BIN)/frametally media pictures --to docs/pictures
	@$(BIN)/python -m pytest tests/web/test_ten_tasks_in_browser.py
	@cp build/screenshots/tasks/*.jpg docs/pictures/
	@$(BIN)/python docs/pictures.py
	@$(BIN)/python docs/tour.py

.PHONY: api-docs
api-docs: setup ## Write the API's documents (OpenAPI, AsyncAPI, Postman) into dist/
	@$(BIN)/python docs/api_files.py dist

# Real servers without containers; SERVICES="kafka s3" chooses some of them.
SERVICES ?=

.PHONY: services-up
services-up: .venv/dev ## Start real servers for the tests (SERVICES="kafka s3": these only)
	@$(BIN)/python tests/servers up $(SERVICES)

.PHONY: services-install
services-install: .venv/dev ## Download the real servers and the parts of the stack without starting them
	@$(BIN)/python tests/servers install $(SERVICES)
	@$(BIN)/python tests/servers/native_stack.py

.PHONY: services-down
services-down: .venv/dev ## Stop the servers that services-up has started, and no others
	@$(BIN)/python tests/servers down $(SERVICES)

# These tests mostly wait, so run two processes. Each runs whole files, so that a file's own server starts only once.
ON_SERVERS := -m "services and not spark" --numprocesses=2 --dist=loadfile --no-loadscope-reorder

.PHONY: test-services
test-services: .venv/dev setup ## Run the tests against the running servers
	@$(BIN)/python -m pytest $(ON_SERVERS) $(TESTS)

.PHONY: test-stack
test-stack: .venv/dev setup ## Run the whole cloud stack natively, in its own network (root; no Docker)
	@$(BIN)/python tests/servers/native_stack.py
	@$(BIN)/python -m pytest -m images tests/services/test_images.py
	@$(BIN)/python tests/servers/in_namespace.py $(BIN)/python -m pytest -m stack tests/services/test_stack.py

.PHONY: test-compose
test-compose: .venv/dev setup ## Build the images and run the compose file with Docker (root: starts its own engine if there is none)
	@$(BIN)/python tests/servers/container_engine.py $(BIN)/python -m pytest -s -m compose tests/services/test_compose_stack.py

# CI does not run this, because building Kubernetes takes long the first time.
.PHONY: test-cluster
test-cluster: .venv/dev setup ## Build Kubernetes (once, takes long) and try the Helm chart in a cluster without containers
	@$(BIN)/python tests/servers/kubernetes_tools.py
	@$(BIN)/python tests/servers/kubernetes_cluster.py
	@$(BIN)/python -m pytest -m cluster tests/services/test_kubernetes_cluster.py

# On a terminal, it asks for missing values. Secrets come from the environment; missing ones are generated.
.PHONY: cloud-setup
cloud-setup: .venv/runtime ## Write .env, users and credentials of the cloud stack: make cloud-setup DOMAIN=... EMAIL=...
	@$(BIN)/frametally cloud-setup $(if $(DOMAIN),--domain "$$DOMAIN") $(if $(EMAIL),--email "$$EMAIL") $(ARGS)

# The environments of slow engines compile only what their tests import, not thousands of other modules.
.venv-spark/ready: .venv/python locks/spark.lock pyproject.toml
	@echo "Installing the pinned PySpark in its own environment"
	@$(BIN)/python -m venv --clear .venv-spark
	@.venv-spark/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r locks/spark.lock
	@.venv-spark/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: test-spark
test-spark: .venv-spark/ready ## Prove that Spark counts and detects live streams to the same bytes (needs Java)
	@$(MAKE) --silent services-up SERVICES=kafka
	@FRAMETALLY_REQUIRE_SPARK=1 .venv-spark/bin/python -m pytest -m spark tests/hadoop/test_spark.py tests/services/test_kafka_live.py \
	  tests/gold/test_iceberg_spark.py; \
	  ended=$$?; $(MAKE) --silent services-down SERVICES=kafka; exit $$ended

# NNCF's environment adds a dozen packages to those of .venv, which its lock was compiled against.
.venv-int8/ready: .venv/dev locks/int8.lock
	@echo "Installing the pinned NNCF in an environment over .venv"
	@$(BIN)/python -m venv --clear .venv-int8
	@$(BIN)/python -c "import sysconfig; print(f'import site; site.addsitedir({sysconfig.get_path(\"purelib\")!r})')" \
	  >"$$(.venv-int8/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/over.pth"
	@.venv-int8/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r locks/int8.lock
	@touch $@

.PHONY: test-int8
test-int8: .venv-int8/ready ## Create and evaluate INT8 networks (needs Linux on x86-64)
	@FRAMETALLY_REQUIRE_INT8=1 .venv-int8/bin/python -m pytest tests/models/test_int8.py \
	  tests/models/test_int8_graph.py tests/consumer/test_no_telemetry.py

.venv-airflow/ready: .venv/python locks/airflow.lock
	@echo "Installing the pinned Airflow in its own environment"
	@$(BIN)/python -m venv --clear .venv-airflow
	@.venv-airflow/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r locks/airflow.lock
	@touch $@

# Without pytest's cache, because CI runs this next to tests that store their failures there.
.PHONY: test-airflow
test-airflow: .venv/dev setup .venv-airflow/ready ## Run the DAGs with embedded parts
	@FRAMETALLY_AIRFLOW=$(CURDIR)/.venv-airflow/bin/airflow \
	  $(BIN)/python -m pytest -p no:cacheprovider -m airflow tests/airflow

.PHONY: soak
soak: .venv/dev setup ## Kill stages and flip bits for a long time (set FRAMES=10000 KILLS=200 REAL_KILLS=10 FLIPS=1000 SEED=<number>)
	@FRAMETALLY_TESTS=thorough FRAMETALLY_TESTS_DAY=all FAULTS_FRAMES=$${FRAMES:-10000} FAULTS_KILLS=$${KILLS:-200} FAULTS_REAL_KILLS=$${REAL_KILLS:-10} \
	  FAULTS_FLIPS=$${FLIPS:-1000} FAULTS_SEED=$${SEED:-0} FAULTS_EXAMPLES=2000 FAULTS_MAIL_KILLS=$${MAIL_KILLS:-50} \
	  FAULTS_ALERT_KILLS=$${ALERT_KILLS:-100} \
	  $(BIN)/python -m pytest -s tests/faults/test_kills.py tests/together/test_flips.py tests/faults/test_protocol_machine.py \
	  tests/pipeline/test_any_speed.py tests/videos/test_mail_kills.py tests/alerts/test_alert_kills.py

.PHONY: soak-live
soak-live: .venv/dev setup ## Run four cameras for an hour, and kill every part around them in turn (set MINUTES=60 SEED=<number>)
	@SOAK_LIVE_MINUTES=$${MINUTES:-60} FAULTS_SEED=$${SEED:-0} FRAMETALLY_REQUIRE_SERVICES=1 \
	  $(BIN)/python -m pytest -s -n0 -m services tests/live/test_live_soak.py

.PHONY: lint
lint: .venv/dev lint-page ## Check style
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

.PHONY: types
types: .venv/dev types-page ## Check types
	@$(BIN)/mypy

$(PAGE_TOOLS): simple_frontend/package-lock.json
	@echo "Installing the pinned tools for the page's scripts"
	@cd simple_frontend && npm ci --silent && touch node_modules/.package-lock.json

.PHONY: lint-page types-page
lint-page: $(if $(HAS_NPM),$(PAGE_TOOLS)) ## Check the style of the page's scripts (needs npm)
	@$(if $(HAS_NPM),cd simple_frontend && npm run --silent lint,echo "No npm: the page's scripts are not checked" >&2)

types-page: .venv/runtime $(if $(HAS_NPM),$(PAGE_TOOLS)) ## Check the types of the page's scripts against the API's (needs npm)
	@$(if $(HAS_NPM),cd simple_frontend && PYTHON=$(CURDIR)/$(BIN)/python npm run --silent types,echo "No npm: the page's scripts are not checked" >&2)

.PHONY: format
format: .venv/dev $(if $(HAS_NPM),$(PAGE_TOOLS)) ## Format all code; with npm, also the page's scripts
	@$(BIN)/ruff check --select I --fix --quiet
	@$(BIN)/ruff format
	@$(if $(HAS_NPM),cd simple_frontend && npm run --silent format,echo "No npm: the page's scripts are not formatted" >&2)

# Locks contain names, versions and hashes, but no addresses. Pinned versions stay unless UPGRADE=yes.
UPGRADE ?= no
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
RAISED = $(if $(filter yes,$(UPGRADE)),--upgrade)

.PHONY: lock
lock: .venv/dev ## Update the locks from pyproject.toml (UPGRADE=yes: also upgrade pinned versions)
	@$(COMPILE) $(RAISED) pyproject.toml --extra all --group build -o locks/all.lock
	@$(COMPILE) $(RAISED) pyproject.toml --group dev -c locks/all.lock -o locks/dev.lock
	@echo "nncf>=3,<4; sys_platform=='linux' and platform_machine=='x86_64'" | \
	  $(COMPILE) $(RAISED) - -c locks/all.lock -o locks/int8.lock
	@echo "onnxruntime-gpu[cuda,cudnn]>=1.31,<2; sys_platform=='linux' and platform_machine=='x86_64'" | \
	  $(COMPILE) $(RAISED) - -c locks/all.lock -o locks/gpu.lock
	@printf 'pytest\npytest-timeout\nhypothesis\npyspark[connect]\n' | \
	  $(COMPILE) $(RAISED) pyproject.toml - --extra hadoop --extra consumer --extra spark --extra iceberg --group build -c locks/all.lock -c locks/dev.lock -o locks/spark.lock
	@for part in consumer hadoop search web; do \
	  $(COMPILE) pyproject.toml --extra "$$part" --extra kafka --extra s3 --extra postgres --extra search -c locks/all.lock -o "locks/$$part.lock"; \
	done
	@$(COMPILE) --group build -c locks/all.lock -o locks/build.lock
	@echo 'apache-airflow>=3.3,<4' | $(COMPILE) $(RAISED) - -o locks/airflow.lock

.PHONY: notice sbom
notice: .venv/dev ## Write NOTICE: the licences of all work in the packages and images
	@$(BIN)/python docs/notice.py

sbom: .venv/dev ## Write the list of parts of packages and images into dist/, in CycloneDX format
	@mkdir -p dist
	@$(BIN)/python docs/notice.py --sbom dist/frametally.cdx.json

# It asks PyPI about each pinned package; a strict run also fails if it cannot ask about one.
.PHONY: audit
audit: .venv/dev ## List pinned packages with known vulnerabilities (asks PyPI)
	@for lock in locks/*.lock; do \
	  $(BIN)/uv tool run --quiet pip-audit==2.10.1 --strict --disable-pip --progress-spinner=off --require-hashes -r "$$lock" || exit 1; done

.PHONY: pin-images
pin-images: .venv/python ## Pin the digests of images that only have a tag (needs docker with buildx)
	@$(BIN)/python .ci/pin_images.py

.PHONY: wheel
wheel: setup ## Build a wheel of this checkout, with its page, into dist/ (without checks)
	@$(BIN)/hatchling build --target wheel

.PHONY: release
release: .venv/dev setup ## Check that this commit can be released, and build it into dist/ (does not publish)
	@$(BIN)/python .ci/release.py
	@rm -rf dist
	@$(BIN)/hatchling build --target sdist --target wheel
	@$(BIN)/python docs/notice.py --sbom dist/frametally.cdx.json
	@$(BIN)/python docs/api_files.py dist
	@echo "Built. To release: git tag -a v$$($(BIN)/hatchling version) && git push --follow-tags"

.PHONY: clean
clean: ## Delete everything that make created: .venv, the demo's data, caches
	@rm -rf .venv .venv-spark .venv-int8 .venv-airflow demo-data simple_frontend/node_modules simple_frontend/build simple_frontend/frametally_web/static/built .pytest_cache .mypy_cache .ruff_cache .hypothesis

export VIDEO DOMAIN EMAIL
