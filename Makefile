# make demo: a singing clip from the bundled portrait.  make lab: the notebooks in JupyterLab.
# make app: the form alone.  make app-lan: the form for phones in the same network, too.
# make test: lint, types, tests.  make colab, make oldest: a smoke set with other versions.  Each sets up its own .venv.
VENV := .venv
PYTHON := $(VENV)/bin/python
FIND_PYTHON := for p in python3 python3.13 python3.12 python3.11 python; do \
  if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then echo $$p; exit; fi; done
# Modules are compiled when they are first imported: pip would compile thousands that nothing here uses.
INSTALL := -m pip --disable-pip-version-check install --quiet --no-compile
PIP := $(PYTHON) $(INSTALL)
export PYTHONDONTWRITEBYTECODE :=

PYTEST := -m pytest -n 2 --dist loadgroup
SMOKE := $(PYTEST) -m smoke

COLAB_AND_OLDEST := colab-3.11 colab-3.13 oldest-3.11

.PHONY: demo test smoke colab oldest $(COLAB_AND_OLDEST) environments lab lab-environment lab-test app app-lan notebooks \
  assets clean

demo: $(VENV)/run
	@$(VENV)/bin/memegen demo

test: $(VENV)/test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PYTHON) $(PYTEST)

smoke: $(VENV)/test
	$(PYTHON) $(SMOKE)

# The smoke set with Colab's versions in Python 3.11 (there with torch) and 3.13, and with the oldest versions that
# pyproject.toml allows. `make colab-3.13` runs one.
FIND_3 = $(shell shims=$$(dirname "$$(command -v python3.$(1))"); \
  for p in python3.$(1) "$$shims"/../versions/3.$(1).*/bin/python $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.$(1).*/bin/python; do \
  if $$p -c 'import venv' 2>/dev/null; then echo $$p; exit; fi; done)
MINOR = $(lastword $(subst -3., ,$(1)))
AGAIN := $(MAKE)  # under another name, so that `make -n` does not run what it should only print

colab: colab-3.11 colab-3.13
oldest: oldest-3.11

$(COLAB_AND_OLDEST):
	@if [ -z "$(call FIND_3,$(call MINOR,$@))" ]; then echo "Skipped: $@. Install Python 3.$(call MINOR,$@) to run it."; \
	else $(AGAIN) --no-print-directory .venv-$@/run && .venv-$@/bin/python $(SMOKE); fi

.venv-%/run: tests/versions/%.txt tests/versions/colab.txt pyproject.toml
	@$(call FIND_3,$(call MINOR,$*)) -m venv $(@D)
	@$(@D)/bin/python $(INSTALL) --requirement $< --editable .
	@touch $@

# What `make test` and `make lab-test` set up one after another, at once: pip alone keeps no more than one core busy.
environments:
	@$(AGAIN) --no-print-directory --jobs $(VENV)/test lab-environment

lab: $(VENV)/lab
	$(VENV)/bin/jupyter lab notebooks/01_make_a_meme.ipynb

# The third notebook in exactly the environment of `make lab`, with nothing that the tests need.
lab-environment:
	@$(AGAIN) --no-print-directory VENV=.venv-lab .venv-lab/lab

lab-test: lab-environment
	.venv-lab/bin/jupyter execute --timeout=300 notebooks/03_inside_the_model.ipynb

app: $(VENV)/lab
	$(VENV)/bin/voila notebooks/01_make_a_meme.ipynb

LAN_ADDRESS := import socket as s; c = s.socket(s.AF_INET, s.SOCK_DGRAM); c.connect(("192.0.2.1", 9)); \
  print("Open this address on your phone: http://" + c.getsockname()[0] + ":8866")

app-lan: $(VENV)/lab
	@echo "Warning: until you press Ctrl-C, everybody in this network can open the form and use this machine. Nothing is"
	@echo "encrypted on the way. Do this at home or in a classroom, not in a public network."
	-@$(PYTHON) -c '$(LAN_ADDRESS)'
	$(VENV)/bin/voila notebooks/01_make_a_meme.ipynb --no-browser --port=8866 --Voila.ip=0.0.0.0

notebooks: $(VENV)/run
	$(PYTHON) notebooks/stamp.py

assets: $(VENV)/run
	$(PYTHON) assets/templates/make_singer.py
	$(PYTHON) assets/templates/make_tracks.py
	$(PYTHON) docs/make_pictures.py

clean:
	rm -rf $(VENV) .venv-* memegen-demo.mp4

$(VENV)/bin/python:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then echo "memegen needs Python 3.11, 3.12 or 3.13: install one and try again."; exit 1; fi; \
	echo "Setting up $(VENV) with $$($$python --version) (once)"; $$python -m venv $(VENV)

$(VENV)/run: $(VENV)/bin/python pyproject.toml
	@$(PIP) --editable .
	@touch $@

# First torch in its build without CUDA, where PyTorch's own index can be reached: several gigabytes less on Linux.
CPU_TORCH := --constraint requirements.txt --retries 0 --timeout 10 --index-url https://download.pytorch.org/whl/cpu torch

$(VENV)/lab: $(VENV)/bin/python pyproject.toml requirements.txt
	@$(PIP) $(CPU_TORCH) 2>/dev/null || true
	@$(PIP) --constraint requirements.txt --editable ".[fomm,lab]"
	@mkdir -p $(VENV)/etc/jupyter
	@cp notebooks/jupyter/*.json $(VENV)/etc/jupyter  # uploads of up to 200 MB; without this, Jupyter drops those over 10 MB
	@touch $@

$(VENV)/test: $(VENV)/bin/python pyproject.toml requirements.txt
	@$(PIP) --requirement requirements.txt --editable .
	@$(PIP) --no-deps face-alignment==1.5.0
	@touch $@
