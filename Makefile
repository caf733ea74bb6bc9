# rtmpkit: build, test, install. `make test` is everything the checks run; `make run` starts a server on 1935.
CARGO   ?= cargo
PORT    ?= 1935
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
DESTDIR ?=

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
TARGET  = $(or $(CARGO_TARGET_DIR),target)

.PHONY: all run test setup lint fmt install clean help

all: ## build the library and the C library, release
	$(CARGO) build --release

run: ## start the server example on PORT (1935)
	@$(CARGO) build --release --example server
	@tests/hints.sh $(PORT)
	@exec $(TARGET)/release/examples/server --listen 127.0.0.1:$(PORT)

test: ## everything, from a bare machine with Rust, Python 3 and gcc
	@tests/run.sh

setup: ## install what the tests need and the machine lacks
	@tests/setup.sh

lint: ## what `make test` says about style, alone
	@tests/run.sh fmt clippy doc

fmt: ## format the Rust sources
	$(CARGO) fmt --all

install: ## install header, libraries, pkg-config and CMake files under PREFIX (DESTDIR before it)
# Root, who installs for all, often has no cargo: what `make` built before will do.
	@if command -v $(CARGO) >/dev/null || [ ! -e "$(TARGET)/release/librtmpkit.so" ]; then $(CARGO) build --release -p rtmp-ffi; fi
	@tests/install.sh "$(TARGET)/release" "$(VERSION)" "$(PREFIX)" "$(LIBDIR)" "$(DESTDIR)"

clean: ## remove what was built
	$(CARGO) clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'
