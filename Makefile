# Everything a developer does here; `make` alone lists it.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PY := .venv/bin/python
PORT ?= 8080
CONTEXT ?=
TOOLS ?= actionlint browser promtool kn cluster
BUYERS ?= 10000
UNITS ?= 100
TRANSACTIONS ?= 1000000
RATE ?= 60
MINUTES ?= 10
SEEDS ?= 200
FROM ?= 1
# Test workers: as many as there are processors, from two to four.
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -lt 2 ] && n=2; [ $$n -gt 4 ] && n=4; echo $$n)
export PORT

.PHONY: help run demo kn-env reset test test-tools check fmt bench bench-large bench-inventory bench-ledger bench-orders bench-growth bench-pricing load sell-out locks products search-quality stock-model order-model prove break-guards new generate schemas lock deploy cluster-test undeploy .setup

help: ## List what can be done
	@echo "kn-shop: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

run: .setup ## Run the whole shop here: PORT=8080 WORKERS=1 BROKER=kafka DATABASE_URL=... ; Ctrl-C ends it
	@exec $(PY) -m infra.local

demo: .setup ## Place an order with the running shop and follow it event by event
	@exec $(PY) -m infra.local.demo

kn-env: ## Point kn at the shop of PORT: eval "$$(make -s kn-env)"; kn service list
	@$(PY) -m infra.local.kubernetes.kubeconfig

reset: .setup ## Forget all data of the shop on PORT
	@$(PY) -m infra.local reset

test: .setup ## Run all tests that need nothing but Python: ARGS="-k order"
	@$(PY) -m pytest -q -n $(JOBS) --dist loadgroup -m "not tools and not nightly" $(ARGS)

test-tools: .setup ## Run the tests that need other tools: TOOLS="browser promtool kn cluster ..."
	@$(PY) -m infra.local.tools $(TOOLS)
	@TEST_TOOLS="$(TOOLS)" $(PY) -m pytest -q -m "tools and not nightly" $(ARGS) || \
	  { status=$$?; [ $$status -eq 5 ] && echo "No test needs these tools." || exit $$status; }

check: .setup ## Check format, lint, types, layers and generated files
	@.venv/bin/ruff format --quiet --check . || { echo "Not formatted: run 'make fmt'."; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-logo >.venv/lint-imports.log 2>&1 || { cat .venv/lint-imports.log; exit 1; }
	@$(PY) -m infra.manifests check
	@$(PY) -m infra.manifests compatibility >.venv/compatibility.log || { cat .venv/compatibility.log; exit 1; }
	@echo "All good."

fmt: .setup ## Format, and mend what can be mended
	@.venv/bin/ruff check --quiet --fix-only .
	@.venv/bin/ruff format --quiet .

bench: .setup ## Measure, on an otherwise idle machine
	@$(PY) -m tests.performance.bench $(ARGS)

bench-large: .setup ## Measure the catalogue over a million products: ARGS="--count 1000000 --keep DIR"
	@$(PY) -m tests.performance.catalogue --count 1000000 $(ARGS)

bench-inventory: .setup ## Measure holds of one hot SKU and what inventory's functions cost, beside plain SQL
	@$(PY) -m tests.performance.inventory $(ARGS)

bench-ledger: .setup ## Measure the ledger of stock with ten million entries: ARGS="--count 10000000 --keep DIR"
	@$(PY) -m tests.performance.ledger $(ARGS)

bench-orders: .setup ## Measure looking for orders among a million: ARGS="--count 1000000 --keep DIR"
	@$(PY) -m tests.performance.orders $(ARGS)

bench-growth: .setup ## Count what an order touches of Postgres among a thousand orders and a million: ARGS="--orders N"
	@$(PY) -m tests.performance.growth $(ARGS)

bench-pricing: .setup ## Measure quotes beside plain SQL, and orders of up to 2,000 lines
	@$(PY) -m tests.performance.pricing $(ARGS)

load: .setup ## Place orders at a steady rate: RATE=60 MINUTES=10
	@$(PY) -m tests.performance.load --rate $(RATE) --minutes $(MINUTES) $(ARGS)

bench-figures: .setup ## Measure what figures of sales cost: ARGS="--orders 300000"
	@$(PY) -m tests.performance.figures $(ARGS)

sell-out: .setup ## Sell few units to many buyers while processes are killed: BUYERS=10000 UNITS=100 ARGS="--seed 1"
	@$(PY) -m tests.faults.sell_out "$(BUYERS)" "$(UNITS)" $(ARGS)

locks: .setup ## Look for deadlocks in random changes of stock: TRANSACTIONS=1000000 ARGS="--processes 4"
	@$(PY) -m tests.faults.locks "$(TRANSACTIONS)" $(ARGS)

prove: .setup ## Run the whole shop by seeds, with faults: SEEDS=200 FROM=1, or SEED=17 TRACE=1 STEPS=1,4,9
	@$(PY) -m tests.proof $(if $(SEED),--seed "$(SEED)",--seeds "$(SEEDS)" --first "$(FROM)" --jobs "$(JOBS)") \
	  $(if $(STEPS),--steps "$(STEPS)") $(if $(filter 1,$(TRACE)),--trace) $(ARGS)

order-model: .setup ## Try sequences of an order's life against a plain model of it: RUNS=1000
	@ORDER_MODEL_RUNS="$(or $(RUNS),1000)" $(PY) -m pytest -q -m nightly tests/functions/orders/test_order_model.py

break-guards: .setup ## Break the guards of orders, payments and stock one by one, and see each caught: ARGS="--only NAME"
	@$(PY) -m tests.faults.guards $(ARGS)

products: .setup ## Make up products for an import: COUNT=1000000 OUT=FILE
	@$(PY) -m tests.performance.products "$(COUNT)" "$(OUT)"

search-quality: .setup ## Judge the searches of tests/data/searches.csv anew
	@WRITE=1 $(PY) -m pytest -q tests/shared/catalog/test_search_quality.py

stock-model: .setup ## Try sequences of stock's operations against a plain model of them: RUNS=5000
	@STOCK_MODEL_RUNS="$(or $(RUNS),5000)" $(PY) -m pytest -q -m nightly tests/functions/inventory/test_model.py

new: .setup ## Scaffold a function and its test: DOMAIN=orders NAME=gift_wrap_order
	@$(PY) -m infra.local.new "$(DOMAIN)" "$(NAME)"

generate: .setup ## Write manifests, grants and reference from the declarations
	@$(PY) -m infra.manifests generate

schemas: .setup ## Take the schemas of Kubernetes' objects from the cluster that kubectl speaks to
	@$(PY) -m tests.contracts.schemas

lock: .setup ## Choose all versions anew within pyproject.toml
	@.venv/bin/uv pip compile --quiet --upgrade --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements.lock
	@.venv/bin/uv pip compile --quiet --upgrade --generate-hashes --no-header --python-version 3.11 \
	  --extra local --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

deploy: .setup ## Deploy to the cluster of CONTEXT
	@$(PY) -m infra.manifests deploy --context "$(CONTEXT)"

cluster-test: .setup ## Deploy to the cluster of CONTEXT, try everything there, and take it off: ONLY="ten orders,idle" KEEP=1
	@$(PY) -m tests.cluster --context "$(CONTEXT)"

undeploy: .setup ## Take it off the cluster of CONTEXT
	@$(PY) -m infra.manifests undeploy --context "$(CONTEXT)"

.setup:
	@sh infra/local/setup.sh
