# make run    install what is needed, build the demo collection, serve the dashboard
# make test   the suite, in parallel; test-core, test-pages, test-browser and test-js are its parts
# make test-all  the suite with every random trial: ten times the kills, races and mutations; before a release, every night
# make demo-gemini  a mock server for Gemini on this computer, to try ranking without a key
# make validate  compare search quality with the recorded floor
# make check  what CI runs: lint, types, directions, tests with coverage; lint-js and test-js are skipped without npm

PYTHON ?= python3
BIN := .venv/bin
# Processes that run tests; each takes whole files.
WORKERS ?= auto
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
COVERAGE = --cov=core --cov-report=term-missing:skip-covered --cov-fail-under=90

.PHONY: run test test-core test-pages test-browser test-js test-all check lint lint-js validate bench bench-compare demo-gemini

run: .venv/.installed
	@$(BIN)/python -m core demo || echo "The dashboard starts without the demo collection." >&2
	@$(BIN)/streamlit run streamlit_app.py

test: .venv/.installed-dev .venv-oidc/.installed test-js
	$(PYTEST)

test-core: .venv/.installed-dev test-js
	$(PYTEST) tests --ignore=tests/pages --ignore=tests/browser

test-pages: .venv/.installed-dev .venv-oidc/.installed
	$(PYTEST) tests/pages

test-browser: .venv/.installed-dev .venv-oidc/.installed test-js
	$(PYTEST) tests/browser

test-all: .venv/.installed-dev .venv-oidc/.installed test-js
	ALL_TRIALS=1 $(PYTEST) --durations=20

check: .venv/.installed-dev .venv-oidc/.installed lint test-js
	$(PYTEST) --durations=20 $(COVERAGE)

lint: .venv/.installed-dev lint-js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

ifneq ($(shell command -v npm 2>/dev/null),)
lint-js: node_modules/.package-lock.json
	npm run --silent lint

test-js: node_modules/.package-lock.json
	node --test --test-reporter=spec tests/javascript/*.test.js
else
lint-js test-js:
	@echo "make $@ was skipped: npm was not found. Install Node.js 18.18 or newer with npm." >&2; test -z "$$CI"
endif

validate: .venv/.installed-dev
	@$(BIN)/python -m core validate

demo-gemini: .venv/.installed-dev
	@$(BIN)/python -m tests.fakes.gemini

# Compares the ratios of benchmarks with the recorded ones. A missed budget alone, the `-`, must not stop the comparison.
bench-compare: .venv/.installed-dev
	-$(BIN)/python -m tests.benchmarks.all $(or $(NAME),search ingest ranking linkage slider) --json data/generated/benchmarks.json
	$(BIN)/python -m tests.benchmarks.compare data/generated/benchmarks.json

# make bench NAME=search
bench: .venv/.installed-dev
	$(BIN)/python -m tests.benchmarks.$(or $(NAME),all)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Contact Sheet needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version)." >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: requirements.txt constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt -c constraints.txt
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt requirements-heic.txt requirements-jxl.txt requirements-raw.txt requirements-sign-in.txt
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt -r requirements-dev.txt -c constraints.txt
	@touch $@

# an OpenID provider that tests sign in with
.venv-oidc/.installed: tests/requirements-oidc-provider.txt | .venv/bin/python
	$(PYTHON) -m venv .venv-oidc
	.venv-oidc/bin/python -m pip install --disable-pip-version-check -r tests/requirements-oidc-provider.txt
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json
	npm ci
	@touch $@
