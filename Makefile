# make demo: a singing clip from the bundled portrait.  make test: lint, types, tests.  Both set up .venv themselves.
VENV := .venv
PYTHON := $(VENV)/bin/python
FIND_PYTHON := for p in python3 python3.13 python3.12 python3.11 python; do \
  if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then echo $$p; exit; fi; done
PIP := $(PYTHON) -m pip --disable-pip-version-check install --quiet

.PHONY: demo test assets clean

demo: $(VENV)/run
	@$(VENV)/bin/memegen demo

test: $(VENV)/test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PYTHON) -m pytest

assets: $(VENV)/run
	$(PYTHON) assets/templates/daisy_bell/make.py assets/templates/daisy-bell.mp4
	$(PYTHON) docs/make_pictures.py

clean:
	rm -rf $(VENV) memegen-demo.mp4

$(VENV)/bin/python:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then echo "memegen needs Python 3.11, 3.12 or 3.13: install one and try again."; exit 1; fi; \
	echo "Setting up $(VENV) with $$($$python --version) (once)"; $$python -m venv $(VENV)

$(VENV)/run: $(VENV)/bin/python pyproject.toml
	@$(PIP) --editable .
	@touch $@

$(VENV)/test: $(VENV)/bin/python pyproject.toml requirements.txt
	@$(PIP) --requirement requirements.txt --editable .
	@$(PIP) --no-deps face-alignment==1.5.0
	@touch $@
