# make demo: a singing clip from the bundled portrait.  make lab, make app: the notebooks in JupyterLab, the form alone.
# make test: lint, types, tests.  make colab: the tests with what Colab has installed.  Each sets up its own .venv.
VENV := .venv
PYTHON := $(VENV)/bin/python
FIND_PYTHON := for p in python3 python3.13 python3.12 python3.11 python; do \
  if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then echo $$p; exit; fi; done
PIP := $(PYTHON) -m pip --disable-pip-version-check install --quiet

TESTS := -n 2 --dist loadgroup

.PHONY: demo test colab environments lab app notebooks assets clean

demo: $(VENV)/run
	@$(VENV)/bin/memegen demo

test: $(VENV)/test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PYTHON) -m pytest $(TESTS)

# Python 3.11 and 3.13 with Colab's versions; the learned engine's tests run in the first. `make colab-3.13` runs one.
FIND_3 = $(shell shims=$$(dirname "$$(command -v python3.$(1))"); \
  for p in python3.$(1) "$$shims"/../versions/3.$(1).*/bin/python $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.$(1).*/bin/python; do \
  if $$p -c 'import venv' 2>/dev/null; then echo $$p; exit; fi; done)
AGAIN := $(MAKE)  # under another name, so that `make -n` does not run what it should only print

colab: colab-3.11 colab-3.13

colab-3.%:
	@if [ -z "$(call FIND_3,$*)" ]; then echo "Left out: the tests in Colab's Python 3.$*. Install Python 3.$* to run them."; \
	else $(AGAIN) --no-print-directory .venv-$@/run && .venv-$@/bin/python -m pytest $(TESTS) -m "not slow and not browser"; fi

.venv-colab-3.%/run: tests/colab/requirements-3.%.txt tests/colab/pins.txt pyproject.toml
	@$(call FIND_3,$*) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check install --quiet --requirement $< --editable .
	@touch $@

# What `make test` and `make colab` set up one after another, at once: pip alone keeps no more than one core busy.
environments:
	@$(AGAIN) --no-print-directory --jobs $(VENV)/test \
	  $(foreach minor,11 13,$(if $(call FIND_3,$(minor)),.venv-colab-3.$(minor)/run))

lab: $(VENV)/lab
	$(VENV)/bin/jupyter lab notebooks/01_make_a_meme.ipynb

app: $(VENV)/lab
	$(VENV)/bin/voila notebooks/01_make_a_meme.ipynb

notebooks: $(VENV)/run
	$(PYTHON) notebooks/stamp.py

assets: $(VENV)/run
	$(PYTHON) assets/templates/daisy_bell/make.py assets/templates/daisy-bell.mp4
	$(PYTHON) docs/make_pictures.py

clean:
	rm -rf $(VENV) .venv-colab-3.* memegen-demo.mp4

$(VENV)/bin/python:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then echo "memegen needs Python 3.11, 3.12 or 3.13: install one and try again."; exit 1; fi; \
	echo "Setting up $(VENV) with $$($$python --version) (once)"; $$python -m venv $(VENV)

$(VENV)/run: $(VENV)/bin/python pyproject.toml
	@$(PIP) --editable .
	@touch $@

$(VENV)/lab: $(VENV)/bin/python pyproject.toml requirements.txt
	@$(PIP) --constraint requirements.txt --editable ".[lab]"
	@mkdir -p $(VENV)/etc/jupyter
	@cp notebooks/jupyter/*.json $(VENV)/etc/jupyter  # uploads of up to 200 MB; Jupyter drops over 10 without a word
	@touch $@

$(VENV)/test: $(VENV)/bin/python pyproject.toml requirements.txt
	@$(PIP) --requirement requirements.txt --editable .
	@$(PIP) --no-deps face-alignment==1.5.0
	@touch $@
