# Build, train and test cvae-gpu. `make` lists the targets.
#
# The recipes need only sh and GNU make 3.81, so they work on Linux, on macOS and in the Git Bash of
# Windows. CARGO_TARGET_DIR may be set in the environment or on the command line.

.DEFAULT_GOAL := help
.PHONY: help train test test-build test-swiftshader test-radv mutate lint check-web web web-serve test-web build adapter

CARGO ?= cargo
BIN := $(or $(CARGO_TARGET_DIR),./target)/release/cvae-gpu

# The options of `make train`: EPOCHS, SEED and OUT become options of the program; ARGS is passed
# on unchanged.
TRAIN_OPTIONS = $(if $(EPOCHS),--epochs "$(EPOCHS)") $(if $(SEED),--seed "$(SEED)") \
	$(if $(OUT),--out "$(OUT)") $(ARGS)

# Mesa's Vulkan layer that selects the GPU of the display prints errors without a display session, as
# in most containers. The tests choose their adapter themselves.
export NODEVICE_SELECT = 1

help: ## List the targets (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'make train EPOCHS=n SEED=n OUT=dir ARGS="..." sets --epochs, --seed and --out;'
	@echo 'ARGS takes any other options of `cvae-gpu train`.'

train: adapter build ## Train a model (EPOCHS=n, SEED=n, OUT=dir, ARGS="...")
	"$(BIN)" train $(TRAIN_OPTIONS)

# The release profile, so that `make train` and `make test` share one build of the dependencies.
# Examples are not built separately: tests/train includes them as modules and runs them.
# LLVM optimizes nothing here: lavapipe then compiles a fifth faster, which is most of the time. The
# tests of `check` keep the optimizations that users get.
test test-swiftshader mutate: export GALLIVM_PERF = nopt

test: adapter ## Run all tests, and the kernel tests on SwiftShader too
	$(CARGO) test --release --locked --tests
	$(CARGO) test --release --locked --doc
	@$(MAKE) --no-print-directory test-swiftshader

test-build: ## Build all tests
	$(CARGO) test --release --locked --tests --no-run

# The kernels again, on a second, independent driver: SwiftShader, a software adapter for Linux. It is
# slow, so it runs some recorded cases and each kernel, without checked shaders, and without texture
# variants and fused steps, which it never chooses. If it is unavailable, CI fails and other runs say
# so. `make test-swiftshader SWIFTSHADER_TESTS="golden parity properties"` adds whole steps and random
# shapes.
SWIFTSHADER_TESTS ?= golden parity::convolutions::plain parity::convolutions::tile parity::kernels \
	parity::fused parity::state

test-swiftshader: adapter ## Run the kernel tests on SwiftShader (Linux)
	@if [ "$$(uname -s)" != Linux ]; then \
		echo 'NOT TESTED on SwiftShader: there is none for this system'; \
	elif manifest=$$(sh scripts/ensure-swiftshader); then \
		echo "Testing on SwiftShader: $$manifest"; \
		VK_DRIVER_FILES="$$manifest" VK_ICD_FILENAMES="$$manifest" \
		CVAE_GPU_BACKEND=vulkan CVAE_GPU_ADAPTER=swiftshader PROPTEST_CASES=$${PROPTEST_CASES:-2} \
		$(CARGO) test --release --locked --test kernels -- $(SWIFTSHADER_TESTS) \
			--skip checked_shaders --skip on_the_twins --skip in_textures \
		--skip m1_ --skip m2_ --skip m3_ --skip p2_ --skip as_gpus; \
	elif [ "$${CI:-false}" != false ]; then \
		echo 'FAILED: the kernels must be tested on SwiftShader too'; exit 1; \
	else \
		echo 'NOT TESTED on SwiftShader: see above'; \
	fi

# What AMD's compiler makes of every dispatch, without a GPU; `make test` includes it. The driver, RADV, is in
# the package that `adapter` installs on Debian. Where it is missing, one line says so.
test-radv: adapter ## Check the registers of every dispatch on AMD's GPUs (Linux)
	$(CARGO) test --release --locked --test radv

mutate: adapter ## Plant every mistake, and turn each product into a sum: a test must fail each time
	CVAE_GPU_MUTATE=all $(CARGO) test --release --locked --test mutation

lint: ## Check the format, run clippy and build the documentation, with warnings as errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --no-deps
	@$(MAKE) --no-print-directory check-web

check-web: ## Check the library as browsers get it, here and for wasm32
	@status=0; sh scripts/check-web || status=$$?; \
	if [ "$$status" = 2 ] && [ "$${CI:-false}" = false ]; then \
		echo 'NOT CHECKED for wasm32: see above'; \
	else exit "$$status"; fi

# The page. CARGO_PROFILE=release builds it faster, and half as large again.
web: ## Build the page that trains in the browser, into web/dist
	@CARGO_PROFILE="$(or $(CARGO_PROFILE),web)" sh scripts/build-web

PORT ?= 8000
WEB := $(or $(CARGO_TARGET_DIR),./target)/web

web-serve: ## Serve web/dist on this machine (PORT=8000)
	@if command -v node >/dev/null 2>&1; then exec node scripts/serve-web.mjs "$(PORT)"; \
	else exec python3 -m http.server --bind 127.0.0.1 --directory web/dist "$(PORT)"; fi

# The page in headless Chromium, on its software adapter, beside the program. WEB_TESTS="cases size" runs
# some of the files in tests/web.
WEB_TESTS ?= *

test-web: build ## Test web/dist in headless Chromium
	@sh scripts/ensure-browser
	@test -f web/dist/index.html || $(MAKE) --no-print-directory web
	@cd tests/web && npm ci --ignore-scripts --no-audit --no-fund --silent
	@mkdir -p "$(WEB)" && CVAE_GPU_MODULES="$$(cd "$(WEB)" && pwd)/modules.json" \
		$(CARGO) test --quiet --release --locked --test kernels -- every_dispatch_binds
	cd tests/web && node --test --test-concurrency=1 --test-reporter=spec $(WEB_TESTS:%=%.test.mjs)

build: ## Build the program
	$(CARGO) build --release --locked

adapter: ## Install a Vulkan software driver if this (Linux) system has no driver at all
	@sh scripts/ensure-adapter
