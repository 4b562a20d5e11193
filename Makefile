# Everything here makes its own environment, .venv, out of requirements.lock. `make help` lists all.

PYTHON := .venv/bin/python
READY := .venv/ready
AGENT := $(or $(TARGET),reference)
OUT := reports/out/$(subst /,-,$(subst :,-,$(AGENT)))

.PHONY: help run test lint types selftest report bench mutants kills agent lock clean
.DEFAULT_GOAL := help

help: ## say what there is
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 10

run: $(READY) ## run the suites against TARGET (default: reference), with pytest's ARGS
	@mkdir -p '$(OUT)' && cd '$(OUT)' && rm -rf allure-results verdicts.json junit.xml report.html
	@$(PYTHON) -m pytest suites/ '--target=$(AGENT)' '--alluredir=$(OUT)/allure-results' \
	  '--verdicts=$(OUT)/verdicts.json' '--junitxml=$(OUT)/junit.xml' $(ARGS); \
	code=$$?; echo "pytest's exit code: $$code; results: $(OUT)/"; exit $$code

test: lint types selftest ## check style and types, and run the project's own tests

lint: $(READY)
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check

types: $(READY)
	@$(PYTHON) -m mypy

selftest: $(READY)
	@$(PYTHON) -m pytest selftests/ $(ARGS)

report: $(READY) ## make one HTML page of the newest results, or of TARGET's
	@$(PYTHON) -m reports.html $(if $(TARGET),'$(OUT)')

bench: $(READY) ## measure runs against TARGET or every agent here, growth, and our fakes' peers
	@$(PYTHON) tools/bench.py $(TARGET)
	@$(PYTHON) -m tools.growth
	@$(PYTHON) -m tools.peers

mutants: $(READY) ## hunt the wrong agents, as test does, and write down what catches whom
	@mkdir -p reports/out
	@$(PYTHON) -m selftests.mutants >reports/out/mutants.md; code=$$?; \
	tail -n +1 reports/out/mutants.md | grep -v '^|' || true; echo reports/out/mutants.md; exit $$code

kills: $(READY) ## kill TARGET at random moments, RUNS times (20), and balance its books
	@$(PYTHON) -m tools.kills '$(AGENT)' $(or $(RUNS),20) $(SEED)

agent: $(READY) ## unpack the packages of agent NAME without installing them
	@$(PYTHON) tools/unpack_agent.py $(NAME)

lock: ## resolve the dependencies of pyproject.toml anew (needs uv)
	uv pip compile --universal --generate-hashes --python-version 3.11 pyproject.toml \
	  -o requirements.lock

clean: ## remove what has been made: .venv, reports, caches
	rm -rf .venv reports/out .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock tools/make_venv
	@tools/make_venv
