# rn: residual networks on CPUs. `make help` lists the targets.
#   B=build/NAME  where objects go (asan, ubsan have their own)     DEV=1  warnings are errors
#   CC=clang      another compiler                                        V=1    show commands

B      ?= build/plain
PREFIX ?= /usr/local
ARCH   := $(or $(findstring x86,$(subst i686,x86,$(shell $(CC) -dumpmachine 2>/dev/null))),$(patsubst aarch64,arm,$(findstring aarch64,$(shell $(CC) -dumpmachine 2>/dev/null))),none)
Q      := $(if $(V),,@)
TOOLS  := rn-train rn-infer rn-summary rn-convert rn-bench

# ---- inputs: by folder, so that adding a file edits nothing ----
LAYERS := base data graph ops model weights infer train
ISAS_x86 := sse2 avx2 avx512
ISAS_arm := neon
VEC    := $(foreach i,$(ISAS_$(ARCH)),$(patsubst %.c,%_$(i).o,$(sort $(wildcard lib/kernels/vec/*.c))))
SRC    := $(sort $(foreach d,$(LAYERS) kernels kernels/ref kernels/$(ARCH),$(wildcard lib/$d/*.c)))
OBJ    := $(addprefix $(B)/,$(SRC:.c=.o) $(VEC))
CMDOBJ := $(B)/cmd/opt.o $(B)/cmd/say.o
SUMMARYOBJ := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard cmd/summary_*.c)))
CONVERTOBJ := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard cmd/convert_*.c)))
BENCHOBJ := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard cmd/bench_*.c)))
UNIT   := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/unit/*.c)))
FUZZ   := $(patsubst %.c,$(B)/%,$(filter-out tests/fuzz/driver.c,$(sort $(wildcard tests/fuzz/*.c))))
KERN   := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/kernels/*.c)))
HEADERS := $(sort $(wildcard lib/*.h lib/*/*.h cmd/*.h tests/*/*.h lib/kernels/ref/*.h))

# ---- flags ----
PKGS   := zlib jansson libxxhash libpng libjpeg
DEB_zlib := zlib1g-dev
DEB_jansson := libjansson-dev
DEB_libxxhash := libxxhash-dev
DEB_libpng := libpng-dev
DEB_libjpeg := libjpeg62-turbo-dev
ifeq ($(filter clean help format deps uninstall,$(MAKECMDGOALS)),)
MISSING := $(foreach p,$(PKGS),$(if $(shell pkg-config --exists $p 2>/dev/null && echo y),,$(DEB_$p)))
ifneq ($(strip $(MISSING)),)
ifeq ($(filter check asan ubsan demo,$(MAKECMDGOALS)),)
$(error missing: $(if $(shell command -v pkg-config),,pkg-config) $(MISSING); install them by hand or run scripts/deps.sh)
endif
endif
endif
WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wno-unknown-pragmas $(if $(DEV),-Werror)
CFLAGS ?= -O3 -g
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -ffp-contract=off -fno-math-errno -fopenmp $(WARN) -Ilib $(shell pkg-config --cflags $(PKGS) 2>/dev/null) $(CFLAGS) $(SAN)
# (--as-needed: a library that a tool does not use is not loaded when it starts)
LIBS   := -Wl,--as-needed $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm
$(B)/%_sse2.o:   ISA = -msse2 -DVB=16 -DRN_SUFFIX=sse2
$(B)/%_avx2.o:   ISA = -mavx2 -mfma -DVB=32 -DRN_SUFFIX=avx2
$(B)/%_avx512.o: ISA = -mavx512f -mavx512vl -mavx512bw -mavx512dq -mavx2 -mfma -mprefer-vector-width=512 -DVB=64 -DRN_SUFFIX=avx512
# (gcc schedules the NEON loops into spills before it allocates registers; clang does not know the option)
$(B)/%_neon.o:   ISA = -DVB=16 -DRN_SUFFIX=neon -fno-schedule-insns -Wno-ignored-optimization-argument

# ---- rules ----
all: $(addprefix $(B)/,$(TOOLS)) ## build the five tools and librn.a (default)

$(addprefix $(B)/,$(TOOLS)): $(B)/rn-%: $(B)/cmd/rn-%.o $(CMDOBJ) $(B)/librn.a
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
$(B)/rn-bench: $(BENCHOBJ)
$(B)/rn-summary: $(SUMMARYOBJ)
$(B)/rn-convert: $(CONVERTOBJ)
$(B)/librn.a: $(OBJ) $(B)/objects
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $(OBJ)

define compile
@echo "  CC    $@"
@mkdir -p $(@D)
$(Q)$(CC) $(ALL_CFLAGS) $(ISA) -MMD -MP -c -o $@ $<
endef
$(B)/%.o: %.c $(B)/flags
	$(compile)
define vec_rule
$(B)/%_$(1).o: %.c $(B)/flags
	$$(compile)
endef
$(foreach i,$(ISAS_$(ARCH)),$(eval $(call vec_rule,$i)))

# Notes rewritten only when they change: new flags rebuild everything, a deleted source leaves the library.
# (Copying and removing what is installed is no reason to rewrite them.)
note = $(if $(filter install-files uninstall,$(MAKECMDGOALS)),,$(shell mkdir -p $(B); echo '$(2)' | cmp -s - $(1) || echo '$(2)' > $(1)))
$(B)/flags $(B)/objects: ;
$(call note,$(B)/flags,$(CC) $(ALL_CFLAGS))
$(call note,$(B)/objects,$(OBJ))
-include $(OBJ:.o=.d) $(CMDOBJ:.o=.d) $(BENCHOBJ:.o=.d) $(SUMMARYOBJ:.o=.d) $(CONVERTOBJ:.o=.d) $(KERN:.o=.d) $(UNIT:=.d) $(FUZZ:=.d) $(patsubst %,$(B)/cmd/%.d,$(TOOLS))

# Who says no -j to `make check` or `make demo` does not want to wait for one compiler at a time.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

# ---- tests ----
$(B)/checkkern: $(KERN) $(B)/librn.a
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $(KERN) $(B)/librn.a $(LIBS)
$(UNIT): $(B)/%: $(B)/%.o $(B)/librn.a
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(B)/librn.a $(LIBS)
DRIVER := $(B)/tests/fuzz/driver.o
$(FUZZ): $(B)/%: $(B)/%.o $(filter %.o,$(DRIVER)) $(B)/librn.a
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $< $(DRIVER) $(B)/librn.a $(LIBS)
$(B)/headers: $(HEADERS) $(B)/flags
	$(Q)for h in $(HEADERS); do $(CC) $(ALL_CFLAGS) -fsyntax-only -x c -include $$h /dev/null || exit 1; done; touch $@
tests: all $(B)/checkkern $(UNIT) $(FUZZ) $(B)/headers ## build the test programs too

check: deps ## install what the tests need, build, run every test (under 8 minutes on 2 cores)
	$(Q)$(MAKE) --no-print-directory $(JOBS) tests
	$(Q)tests/run $(B)
deps:
	$(Q)scripts/deps.sh
# (-O2: at -O1 gcc ends AVX code without vzeroupper, and on Intel's processors the SSE code after it crawls)
SANFLAGS := -O2 -g
asan: ## the whole suite under the address sanitizer
	$(Q)$(MAKE) --no-print-directory check B=build/asan CFLAGS='$(SANFLAGS)' SAN='-fsanitize=address -fno-omit-frame-pointer'
ubsan: ## the whole suite under the undefined-behaviour sanitizer
	$(Q)$(MAKE) --no-print-directory check B=build/ubsan CFLAGS='$(SANFLAGS)' SAN='-fsanitize=undefined -fno-sanitize-recover=all'
TSAN   := build/tsan/tests/unit
tsan: ## the loader, training and sessions under clang's thread sanitizer, which libarcher tells of OpenMP's barriers
	$(Q)$(MAKE) --no-print-directory $(JOBS) B=build/tsan CC=clang CFLAGS='-O1 -g' SAN=-fsanitize=thread $(addprefix $(TSAN)/,loader train load team)
	$(Q)for t in loader train load team; do OMP_TOOL_LIBRARIES=$$(dirname $$(realpath $$(clang -print-file-name=libomp.so)))/libarcher.so \
	    TSAN_OPTIONS=ignore_noninstrumented_modules=1 $(TSAN)/$$t || exit 1; done
SECONDS ?= 60
fuzz: ## SECONDS=60 of clang's libFuzzer on each reader; without it the saved inputs and mutations of them
	$(Q)scripts/fuzz $(SECONDS) $(notdir $(FUZZ))
compile_commands.json: ## what clangd and other tools want to know
	$(Q)$(MAKE) --no-print-directory -nB V=1 tests | awk -v dir='$(CURDIR)' '/ -c -o / { gsub(/[\\"]/, "\\\\&"); \
	    printf "%s\n{\"directory\":\"%s\",\"file\":\"%s\",\"command\":\"%s\"}", n++ ? "," : "[", dir, $$NF, $$0 } END { print "\n]" }' >$@
demo: ## install what it needs, build, train for a minute, draw the curves, classify pictures
	$(Q)scripts/deps.sh demo
	$(Q)$(MAKE) --no-print-directory $(JOBS)
	$(Q)scripts/demo $(B)
acceptance: all $(B)/tests/unit/specs $(B)/tests/unit/foreign ## full data sets and full sizes (an hour)
	$(Q)tests/acceptance $(B)
bench: all ## how fast this machine runs the networks of the table in README.md
	$(Q)$(B)/rn-bench peak && $(B)/rn-bench infer resnet18 && $(B)/rn-bench train d2l-resnet18 -b 128
lint: ## manual pages, layers, formatting
	$(Q)scripts/check-layers && mandoc -T lint -W warning man/*.[1-9]
format: ## clang-format over every source
	$(Q)clang-format -i $(sort $(wildcard lib/*.h lib/*/*.[ch] lib/*/*/*.[ch] cmd/*.[ch] tests/*/*.[ch]))

# ---- installing: COPIES names for uninstall what install-files writes (a test holds them together) ----
D      := $(DESTDIR)$(PREFIX)
MAN    := $(sort $(wildcard man/*.[1-9]))
COPIES := $(addprefix bin/,$(TOOLS)) lib/librn.a lib/pkgconfig/rn.pc include/rn.h share/rntools/plot-curves share/rntools/plot-roofline \
    $(foreach m,$(MAN),share/man/man$(patsubst .%,%,$(suffix $m))/$(notdir $m)) \
    $(addprefix share/bash-completion/completions/,$(TOOLS))
PUT    := install -D -m

install: all ## tools, librn.a, rn.h, rn.pc, manuals, completion, plot scripts to PREFIX (DESTDIR before it)
	$(Q)$(MAKE) --no-print-directory install-files
install-files:
	$(Q)for t in $(TOOLS); do \
	    $(PUT) 755 $(B)/$$t "$(D)/bin/$$t" && \
	    $(PUT) 644 scripts/completion.bash "$(D)/share/bash-completion/completions/$$t" || exit 1; done
	$(Q)$(PUT) 644 $(B)/librn.a "$(D)/lib/librn.a"
	$(Q)$(PUT) 644 lib/rn.h "$(D)/include/rn.h"
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|; s|@PKGS@|$(PKGS)|' -e "s|@VERSION@|$$(sed -n 's/.*RN_VERSION "\(.*\)"/\1/p' lib/rn.h)|" \
	    lib/rn.pc.in >$(B)/rn.pc && $(PUT) 644 $(B)/rn.pc "$(D)/lib/pkgconfig/rn.pc"
	$(Q)for s in plot-curves plot-roofline; do $(PUT) 755 scripts/$$s "$(D)/share/rntools/$$s" || exit 1; done
	$(Q)for m in $(MAN); do $(PUT) 644 $$m "$(D)/share/man/man$${m##*.}/$${m##*/}" || exit 1; done
uninstall: ## remove what install put there
	$(Q)[ ! -d "$(D)" ] || { cd "$(D)" && rm -f $(COPIES); }
	$(Q)[ ! -d "$(D)/share/rntools" ] || rmdir --ignore-fail-on-non-empty "$(D)/share/rntools"
clean: ## remove build/
	$(Q)rm -rf build
help: ## this list
	@sed -n 's/^\([a-z_.]*\):.*## /\1\t/p' Makefile | expand -t 24
.PHONY: all tests check deps asan ubsan tsan fuzz compile_commands.json demo acceptance bench lint format install install-files uninstall clean help
.SECONDARY:
