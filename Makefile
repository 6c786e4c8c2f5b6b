# stave - Dockerfile image builder.  GNU make >= 4.3; see 'make help'.
#
# One non-recursive makefile.  All output goes below $(B); variants (asan,
# tsan, cov, fuzz, analyze) are other output folders of the same rules, made
# by calling make again with another B.  What is longer than a recipe should
# be lies in .ci/.

B ?= build
VERSION := $(shell cat VERSION)

ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
FLEX ?= flex
BISON ?= bison
PYTHON ?= python3
CLANG ?= clang
FUZZ_SECONDS ?= 30
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

# ---- what it is made of -----------------------------------------------------

FOLDERS := core parser cache registry builder builder/sandbox cmd
TEST_FOLDERS := core parser cache registry builder cmd

# libarchive and libcurl are loaded when first used (DESIGN.md, Speed): only
# their headers are needed here, and 'make lint' reads DT_NEEDED.
LINKED_PKGS := libcrypto jansson sqlite3 libseccomp libisal libdeflate libzstd
HEADER_PKGS := libarchive libcurl

SRCS := $(foreach d,$(FOLDERS),$(wildcard $(d)/*.c))
GEN_C := $(B)/parser/dockerfile.lex.c $(B)/parser/dockerfile.tab.c
GEN_H := $(B)/parser/dockerfile.lex.h $(B)/parser/dockerfile.tab.h
ifeq ($(wildcard parser/dockerfile.y),)
GEN_C :=
GEN_H :=
endif

OBJS := $(SRCS:%.c=$(B)/%.o) $(GEN_C:%.c=%.o)
LIB_OBJS := $(filter-out $(B)/cmd/main.o,$(OBJS))
# Code between clone3 and exec: system calls only, never instrumented.
CHILD_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard builder/sandbox/child*.c))

# ---- flags ------------------------------------------------------------------

cc-option = $(shell echo 'int main(void){return 0;}' | \
	$(CC) -Werror $(1) -x c -c -o /dev/null - 2>/dev/null && echo $(1))

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
	-Wno-sign-conversion -Wmissing-prototypes -Wold-style-definition -Wvla \
	-Wundef -Wformat=2 -Wwrite-strings -Wcast-qual -Wpointer-arith \
	-Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference -Wdate-time \
	$(call cc-option,-Wlogical-op) $(call cc-option,-Wduplicated-cond) \
	$(call cc-option,-Wduplicated-branches) \
	$(call cc-option,-Wjump-misses-init) \
	$(call cc-option,-Wformat-signedness)
WARN := $(WARN)
ifeq ($(WERROR),1)
WARN += -Werror
endif

OPT ?= -O2 -g
HARDEN ?= -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection=full \
	$(call cc-option,-ftrivial-auto-var-init=zero)
HARDEN := $(HARDEN)
SAN ?=

ALL_PKGS := $(LINKED_PKGS) $(HEADER_PKGS)
HAVE_PKGS := $(shell $(PKG_CONFIG) --exists $(ALL_PKGS) 2>/dev/null && echo yes)
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(ALL_PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(LINKED_PKGS) 2>/dev/null)
TEST_LIBS := $(shell $(PKG_CONFIG) --libs criterion 2>/dev/null)

BASE_CFLAGS = -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -I$(B) \
	-DSTAVE_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)=. \
	-fno-common -fPIE -pthread $(PKG_CFLAGS) $(OPT) $(HARDEN)
ALL_CFLAGS = $(BASE_CFLAGS) $(WARN) $(SAN) $(CFLAGS)
CHILD_CFLAGS = $(BASE_CFLAGS) $(WARN) $(CFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack \
	-Wl,--as-needed $(SAN) $(LDFLAGS)

# ---- the program ------------------------------------------------------------

.PHONY: all
all: $(B)/stave $(B)/build

$(B)/stave: $(OBJS)
	@echo "  LD      $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $(OBJS) $(PKG_LIBS) -ldl

# The same program under its other name (DESIGN.md).
$(B)/build: $(B)/stave
	@ln -sfn stave $@

# Objects depend on this stamp, which changes only when the flags do.
FLAGS_NOW = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(B)/.flags: FORCE $(if $(HAVE_PKGS),,missing-packages)
	@mkdir -p $(B)
	@echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(FLAGS_NOW))' > $@
.PHONY: FORCE missing-packages
FORCE:

# Say which package is missing instead of showing a compiler's complaint.
missing-packages:
	@.ci/setup --check build
	@$(PKG_CONFIG) --print-errors --exists $(ALL_PKGS)

$(B)/%.o: %.c $(B)/.flags | $(GEN_H)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(CHILD_OBJS): $(B)/%.o: %.c $(B)/.flags | $(GEN_H)
	@mkdir -p $(@D)
	@echo "  CC      $< (child)"
	@$(CC) $(CHILD_CFLAGS) -MMD -MP -c -o $@ $<

# Generated code: two warnings fire in what flex and bison print themselves.
$(GEN_C:%.c=%.o): %.o: %.c $(B)/.flags | $(GEN_H)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -Wno-null-dereference -Wno-unused-function \
		-Wno-switch-enum -Wno-cast-qual -Wno-format-signedness \
		-Wno-unknown-warning-option \
		-MMD -MP -c -o $@ $<

$(B)/parser/dockerfile.lex.c $(B)/parser/dockerfile.lex.h &: parser/dockerfile.l
	@mkdir -p $(B)/parser
	@echo "  FLEX    $<"
	@$(FLEX) --header-file=$(B)/parser/dockerfile.lex.h \
		-o $(B)/parser/dockerfile.lex.c $<

$(B)/parser/dockerfile.tab.c $(B)/parser/dockerfile.tab.h &: parser/dockerfile.y
	@mkdir -p $(B)/parser
	@echo "  BISON   $<"
	@$(BISON) -Wall -Wcounterexamples -Werror \
		--header=$(B)/parser/dockerfile.tab.h \
		-o $(B)/parser/dockerfile.tab.c $<

-include $(OBJS:.o=.d)

# ---- unit tests: one binary a folder ----------------------------------------

test-srcs = $(wildcard $(1)/test/test_*.c) $(wildcard $(1)/*/test/test_*.c)
UNIT_FOLDERS := $(foreach d,$(TEST_FOLDERS),$(if $(call test-srcs,$(d)),$(d)))
UNIT_BINS := $(UNIT_FOLDERS:%=$(B)/test/%)

define unit-rule
$(B)/test/$(1): $(patsubst %.c,$(B)/%.o,$(call test-srcs,$(1))) $(LIB_OBJS)
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	@$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(PKG_LIBS) $$(TEST_LIBS) -ldl
-include $(patsubst %.c,$(B)/%.d,$(call test-srcs,$(1)))
endef
$(foreach d,$(UNIT_FOLDERS),$(eval $(call unit-rule,$(d))))

.PHONY: units
units: $(UNIT_BINS) all

.PHONY: check-units
check-units: units ## unit tests alone (no root, no network)
	@.ci/run-units $(SUITE_PREFIX)units $(B)/test $(UNIT_FOLDERS)
# Put before a suite's name in its closing line.
SUITE_PREFIX ?=

# ---- fuzz targets: with libFuzzer, or with a main that replays files ---------

FUZZ_SRCS := $(foreach d,$(FOLDERS),$(wildcard $(d)/fuzz/fuzz_*.c))
fuzz-name = $(patsubst fuzz_%,%,$(basename $(notdir $(1))))
FUZZ_NAMES := $(foreach f,$(FUZZ_SRCS),$(call fuzz-name,$(f)))

define fuzz-rule
$(B)/fuzz/$(call fuzz-name,$(1)): $(1:%.c=$(B)/%.o) $(LIB_OBJS)
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	@$$(CC) $$(ALL_LDFLAGS) -fsanitize=fuzzer -o $$@ $$^ $$(PKG_LIBS) -ldl
$(B)/replay/$(call fuzz-name,$(1)): $(1:%.c=$(B)/%.o) \
		$(B)/core/fuzz/replay_main.o $(LIB_OBJS)
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	@$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(PKG_LIBS) -ldl
-include $(1:%.c=$(B)/%.d)
endef
$(foreach f,$(FUZZ_SRCS),$(eval $(call fuzz-rule,$(f))))

.PHONY: fuzz-bins replay-bins check-replay fuzz
fuzz-bins: $(FUZZ_NAMES:%=$(B)/fuzz/%)
replay-bins: $(FUZZ_NAMES:%=$(B)/replay/%)

check-replay: replay-bins ## the fuzz targets on their stored corpora
	@.ci/run-replay $(SUITE_PREFIX)replay $(B)/replay $(FUZZ_NAMES)

fuzz: ## each fuzz target for FUZZ_SECONDS (30)
	@+$(SUBMAKE) B=build/fuzz CC=$(CLANG) OPT="-O1 -g" HARDEN= \
		SAN="-fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=all" fuzz-bins
	@.ci/run-fuzz build/fuzz/fuzz $(FUZZ_SECONDS) $(FUZZ_NAMES)

# ---- what people call -------------------------------------------------------

# One job a processor, unless the caller has said how many.
JOBS ?= $(shell nproc)
SUBMAKE = $(MAKE) --no-print-directory \
	$(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: demo test e2e e2e-live setup bench
demo: ## build stave, make a base image, build an image with it, run that
	@.ci/setup build demo
	@+$(SUBMAKE) all
	@STAVE=$(CURDIR)/$(B)/stave cmd/demo.sh

test: ## unit tests, fuzz corpora, end-to-end tests
	@.ci/setup build test
	@+$(SUBMAKE) units replay-bins
	@+$(MAKE) --no-print-directory -k check-units check-replay e2e

e2e: all ## end-to-end tests: recorded results, and cmd/test/*.sh
	@STAVE=$(CURDIR)/$(B)/stave STAVE_E2E="$(STAVE_E2E)" \
		.ci/run-e2e $(SUITE_PREFIX)
STAVE_E2E ?=

e2e-live: ## record the results of the end-to-end cases afresh, with BuildKit
	@.ci/setup build test
	@cmd/test/record-golden

setup: ## install all packages that any target needs (Debian, Ubuntu; root)
	@.ci/setup build demo test lint

ifneq ($(wildcard bench/run),)
bench: all ## measure stave, BuildKit and buildah in one run
	@STAVE=$(CURDIR)/$(B)/stave bench/run
endif

# ---- variants ---------------------------------------------------------------

.PHONY: asan tsan cov valgrind
# Children between clone3 and exec are never instrumented (CHILD_OBJS).
ASAN_ARGS = B=build/asan OPT="-O1 -g" HARDEN= \
	SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer"
asan: ## all tests under AddressSanitizer and UBSan
	@+$(SUBMAKE) $(ASAN_ARGS) units replay-bins
	@+$(MAKE) --no-print-directory -k $(ASAN_ARGS) SUITE_PREFIX=asan- \
		STAVE_E2E="$(ASAN_E2E)" check-units check-replay e2e
# Not those that trace the program (LeakSanitizer cannot) or measure it.
ASAN_E2E ?= golden e2e-apps e2e-cache e2e-copy e2e-deliver e2e-input e2e-mount \
	e2e-registry

tsan: ## unit tests under ThreadSanitizer
	@+$(SUBMAKE) B=build/tsan OPT="-O1 -g" HARDEN= SAN=-fsanitize=thread \
		SUITE_PREFIX=tsan- check-units

valgrind: replay-bins ## the parser under valgrind, on all Dockerfiles here
	@REPLAY_WITH="valgrind -q --error-exitcode=9 --leak-check=full \
		--errors-for-leak-kinds=definite,indirect" \
		.ci/run-replay valgrind $(B)/replay parse expand ignore

COV_ARGS = B=build/cov OPT="-O0 -g" HARDEN= \
	SAN="--coverage -fprofile-update=atomic"
cov: ## line coverage by all tests, per folder, with the wanted minimum
	@find build/cov -name '*.gcda' -delete 2>/dev/null || true
	@+$(SUBMAKE) $(COV_ARGS) units replay-bins
	@+$(MAKE) --no-print-directory -k $(COV_ARGS) SUITE_PREFIX=cov- \
		check-units check-replay e2e || true
	@.ci/cov build/cov

# ---- checks -----------------------------------------------------------------

HEADERS := $(foreach d,$(FOLDERS),$(wildcard $(d)/*.h))
TEST_SRCS := $(foreach d,$(UNIT_FOLDERS),$(call test-srcs,$(d)))
C_FILES := $(SRCS) $(HEADERS) $(TEST_SRCS) \
	$(foreach d,$(FOLDERS),$(wildcard $(d)/fuzz/*.[ch] $(d)/test/*.h))

.PHONY: lint headers format format-check tidy analyze cppcheck shellcheck \
	man-check compile_commands.json

lint: ## every static check; 'make lint ONLY="tidy docs"' for some
	@.ci/lint $(ONLY)

headers: $(HEADERS:%=$(B)/alone/%) ## does each header compile alone?
$(B)/alone/%.h: %.h $(B)/.flags | $(GEN_H)
	@mkdir -p $(@D)
	@echo '#include "$<"' | $(CC) $(ALL_CFLAGS) -Werror -fsyntax-only \
		-MMD -MP -MT $@ -MF $@.d -x c -
	@touch $@
-include $(HEADERS:%=$(B)/alone/%.d)

format: ## format all C files
	@clang-format -i $(C_FILES)

format-check:
	@clang-format --dry-run -Werror $(C_FILES)

# What analyzers cannot know by themselves.
ANALYZER_H = $(if $(filter core/err.c,$<),,-include .ci/analyzer.h)

# Flags that clang knows, for clang-tidy.
TIDY_CFLAGS = -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -isystem $(B) \
	-DSTAVE_VERSION='"$(VERSION)"' $(PKG_CFLAGS) -Wall -Wextra
tidy: $(SRCS:%=$(B)/tidy/%)
$(B)/tidy/%.c: %.c .clang-tidy $(HEADERS) | $(GEN_H)
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- $(TIDY_CFLAGS) $(ANALYZER_H) 2>$@.err || \
		{ cat $@.err; rm -f $@; false; }
	@touch $@

# What optimization has rewritten, gcc 12's analyzer misreads; and its check for
# unset values reports whole structures that were assigned.  clang-analyzer,
# -Wmaybe-uninitialized and valgrind look for those.
$(B)/analyze/%.o: private OPT := -O0
$(B)/analyze/%.o: private HARDEN :=
analyze: $(SRCS:%.c=$(B)/analyze/%.o)
$(B)/analyze/%.o: %.c $(B)/.flags | $(GEN_H)
	@mkdir -p $(@D)
	@$(CC) $(BASE_CFLAGS) $(ANALYZER_H) -fanalyzer \
		-Wno-analyzer-use-of-uninitialized-value -Werror \
		-fdiagnostics-path-format=none -MMD -MP -c -o $@ $<
-include $(SRCS:%.c=$(B)/analyze/%.d)

cppcheck: | $(GEN_H)
	@mkdir -p $(B)/cppcheck
	@cppcheck -q -j$(JOBS) --std=c11 --cppcheck-build-dir=$(B)/cppcheck \
		--enable=warning,performance,portability --inline-suppr \
		--suppressions-list=.ci/cppcheck-suppressions \
		--error-exitcode=1 -D_GNU_SOURCE -D__x86_64__ -I. -I$(B) \
		$(FOLDERS:%=%) -i core/fuzz $(foreach d,$(FOLDERS),-i $(d)/test)

shellcheck:
	@.ci/check-shell.sh

man-check:
	@mandoc -T lint -W warning $(wildcard man/*.[1-8])

compile_commands.json: | $(GEN_H) ## for editors
	@.ci/compile-commands '$(CC) $(ALL_CFLAGS)' $(SRCS) $(TEST_SRCS) > $@

# ---- installation -----------------------------------------------------------

.PHONY: install uninstall dist clean help
MAN_PAGES := $(wildcard man/*.[1-8])
COMPLETIONS := $(wildcard completion/* cmd/completion/*)

install: all ## install below $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(BINDIR)
	install -m 755 $(B)/stave $(DESTDIR)$(BINDIR)/stave
	ln -sfn stave $(DESTDIR)$(BINDIR)/build
	$(foreach m,$(MAN_PAGES),install -D -m 644 $(m) \
		$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m));)
	$(foreach c,$(COMPLETIONS),install -D -m 644 $(c) \
		$(DESTDIR)$(COMPLETIONDIR)/$(basename $(notdir $(c)));)

uninstall: ## remove what install has put there
	rm -f $(DESTDIR)$(BINDIR)/stave $(DESTDIR)$(BINDIR)/build
	rm -f $(foreach m,$(MAN_PAGES),\
		$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))
	rm -f $(foreach c,$(COMPLETIONS),\
		$(DESTDIR)$(COMPLETIONDIR)/$(basename $(notdir $(c))))

dist: ## a tarball of the committed sources
	@mkdir -p $(B)
	git archive --format=tar --prefix=stave-$(VERSION)/ HEAD | \
		gzip -9n > $(B)/stave-$(VERSION).tar.gz

clean: ## remove everything that was built
	rm -rf build compile_commands.json

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9._-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | \
		sort | expand -t 24
