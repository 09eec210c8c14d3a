# make lib, install, demo, test, verify. The first two commands of the README do all set-up.
SHELL := /bin/bash
BUILD := build
PREFIX ?= /usr/local
VERSION := $(shell awk '/define CAMBER_VERSION_(MAJOR|MINOR|PATCH)/ {v = v sep $$3; sep = "."} END {print v}' include/camber.h)

LIBFLAGS = -c release --product camber --scratch-path .build-lib -Xswiftc -static-stdlib -Xswiftc -use-ld=lld -Xswiftc -enforce-exclusivity=unchecked \
  -Xlinker -soname -Xlinker libcamber.so.0 -Xlinker --version-script=$(CURDIR)/exports.map \
  -Xlinker --gc-sections -Xlinker -z -Xlinker nodelete

.PHONY: lib deps venv install demo test verify clean

lib: deps
	swift build $(LIBFLAGS)
	mkdir -p $(BUILD)
	cp .build-lib/release/libcamber.so $(BUILD)/libcamber.so.0.tmp
	strip --strip-unneeded $(BUILD)/libcamber.so.0.tmp
	mv $(BUILD)/libcamber.so.0.tmp $(BUILD)/libcamber.so.0
	ln -sf libcamber.so.0 $(BUILD)/libcamber.so
	@ls -l $(BUILD)/libcamber.so.0

# What the library and its tests need of Debian; asks apt only for what is missing.
deps:
	@.ci/deps

clean:
	rm -rf .build* build .venv*
