# One command per chore. Each makes its own virtual environment on a machine that has only Python 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := -e ./example_project/plugins/invoices -e ./example_project/plugins/broker_watch
DJANGO ?= Django  # or a version: DJANGO='Django~=6.1.0', together with a VENV of its own
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test lint bench docs messages screenshots clean

demo: $(VENV)/.demo  ## the example project: admin, workers, scheduler and a stream of jobs
	@$(BIN)/python manage.py demo $(DEMO)

test: $(VENV)/.test $(if $(TEST_MARIADB_URL),$(VENV)/.mariadb)  ## the test suite, on every database and Redis that is named by environment
	@$(BIN)/python -m tests $(TESTS)

lint: $(VENV)/.lint  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test  ## how fast it is here: TEST_POSTGRES_URL and TEST_REDIS_URL name a database and a Redis to empty
	@$(BIN)/python -m benchmarks $(BENCH)

docs: $(VENV)/.docs  ## the documentation, every warning an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

messages: $(VENV)/.test  ## the texts of every language anew from code and templates, and compiled; needs Debian's gettext
	cd django_jobs && $(abspath $(BIN))/python -m django makemessages -a --no-location --no-wrap --no-obsolete && $(abspath $(BIN))/python -m django compilemessages

screenshots: $(VENV)/.test  ## the pictures of README and documentation, from a demo: docs/images
	@$(BIN)/python manage.py screenshots $(SCREENSHOTS)

clean:
	rm -rf $(VENV) build dist docs/_build example_project/var

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --upgrade 'pip>=25.1'

$(VENV)/.demo: $(BIN)/python pyproject.toml
	@echo "Installing into $(VENV) …"
	$(BIN)/pip install -qq -e '.[embedded,demo,api]' $(PLUGINS)
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	@echo "Installing into $(VENV) …"
	$(BIN)/pip install -qq '$(strip $(DJANGO))' -e '.[embedded,demo,api]' --group test
	$(BIN)/pip install -qq --no-deps 'django-celery-beat>=2.8'
	@touch $@

$(VENV)/.mariadb: $(VENV)/.test  # builds against Debian's libmariadb-dev, found by pkg-config
	$(BIN)/pip install -qq --group mariadb
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	$(BIN)/pip install -qq --group lint
	@touch $@

$(VENV)/.docs: $(VENV)/.demo
	$(BIN)/pip install -qq --group docs
	@touch $@
