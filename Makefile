# make lib, install, demo, test, verify. The first two commands of the README do all set-up.
SHELL := /bin/bash
BUILD := build
PREFIX ?= /usr/local
VERSION := $(shell awk '/define CAMBER_VERSION_(MAJOR|MINOR|PATCH)/ {v = v sep $$3; sep = "."} END {print v}' include/camber.h)
SO := libcamber.so.0
AT := $(DESTDIR)$(PREFIX)

LIBFLAGS = -c release --product camber --scratch-path .build-lib -Xswiftc -static-stdlib -Xswiftc -use-ld=lld -Xswiftc -enforce-exclusivity=unchecked \
  -Xlinker -soname -Xlinker $(SO) -Xlinker --version-script=$(CURDIR)/Sources/CamberC/exports.map \
  -Xlinker --gc-sections -Xlinker --icf=all -Xlinker --wrap=_swift_stdlib_getScalarName -Xlinker -z -Xlinker nodelete

.PHONY: lib deps venv install demo test verify bench clean

lib: deps
	CAMBER_SMALL=1 swift build $(LIBFLAGS)
	mkdir -p $(BUILD)
	cp .build-lib/release/libcamber.so $(BUILD)/$(SO).tmp
	strip --strip-unneeded $(BUILD)/$(SO).tmp
	mv $(BUILD)/$(SO).tmp $(BUILD)/$(SO)
	ln -sf $(SO) $(BUILD)/libcamber.so
	@ls -l $(BUILD)/$(SO)

$(BUILD)/$(SO):
	$(MAKE) lib

# What the library and its tests need of Debian; asks apt only for what is missing.
deps:
	@.ci/deps

# The Python of the tests and examples.
venv: .venv/ready
.venv/ready: .ci/requirements.txt | deps
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r .ci/requirements.txt
	touch $@

# Relocatable: the .pc and CMake files find everything from where they lie.
install: $(BUILD)/$(SO)
	install -d $(AT)/include/camber $(AT)/lib/pkgconfig $(AT)/lib/cmake/Camber
	install -m 755 $(BUILD)/$(SO) $(AT)/lib/libcamber.so.$(VERSION)
	ln -sf libcamber.so.$(VERSION) $(AT)/lib/$(SO)
	ln -sf $(SO) $(AT)/lib/libcamber.so
	install -m 644 include/*.h bindings/c/camber_easy.h bindings/cpp/camber.hpp $(AT)/include
	install -m 644 bindings/cpp/camber/*.hpp $(AT)/include/camber
	sed 's/@VERSION@/$(VERSION)/g' bindings/c/camber.pc.in >$(AT)/lib/pkgconfig/camber.pc
	sed 's/@VERSION@/$(VERSION)/g' bindings/c/camber-config.cmake.in >$(AT)/lib/cmake/Camber/camber-config.cmake
	sed 's/@VERSION@/$(VERSION)/g' bindings/c/camber-config-version.cmake.in >$(AT)/lib/cmake/Camber/camber-config-version.cmake

# Trains on Fashion-MNIST, in C, against the library; then a network that is sick, until it is healed. DEMO takes options: make demo DEMO='--precision bf16'
demo: deps venv lib
	gcc -std=c11 -O2 -Wall -Iinclude -Ibindings/c examples/fashion/main.c -L$(BUILD) -lcamber -lz -lm -Wl,-rpath,'$$ORIGIN' -o $(BUILD)/fashion
	cd $(BUILD) && ./fashion $(DEMO)
	gcc -std=c11 -O2 -Wall -Iinclude -Ibindings/c examples/sick/main.c -L$(BUILD) -lcamber -lz -lm -Wl,-rpath,'$$ORIGIN' -o $(BUILD)/sick
	cd $(BUILD) && ./sick --report sick.html

test: deps venv
	Tests/tools/run-all.sh

# What takes longer than a test may; figures go to docs/verified.
verify: deps venv
	Tests/tools/verify.sh

# Camber and its peers side by side; installs them into a Python of its own. See Benchmarks/README.md.
bench: deps lib
	Benchmarks/run

clean:
	rm -rf .build* build .venv*
