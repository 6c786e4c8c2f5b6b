# stave - Dockerfile image builder.  GNU make >= 4.3; see 'make help'.
#
# One non-recursive makefile.  All output goes below $(B); variants (asan,
# tsan, cov, fuzz) are other output folders of the same rules.

B ?= build
VERSION := $(shell cat VERSION)

CC ?= gcc
PKG_CONFIG ?= pkg-config
FLEX ?= flex
BISON ?= bison
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
CHILD_OBJS := $(B)/builder/sandbox/child.o

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

PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LINKED_PKGS) $(HEADER_PKGS) 2>/dev/null)
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
$(B)/.flags: FORCE
	@mkdir -p $(B)
	@echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(FLAGS_NOW))' > $@
.PHONY: FORCE
FORCE:

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

.PHONY: clean
clean:
	rm -rf build compile_commands.json
