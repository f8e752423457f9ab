# SPDX-License-Identifier: GPL-2.0
# For people; the kernel's build reads Kbuild.

ARCH ?= x86_64
BASE ?= 6.18
BUILD ?= build
export ARCH BASE BUILD

help:
	@sed -n 's/^## \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

## make run               build all that is needed, boot it, run the demo
## make test              all tests on x86_64, arm64 and arm
## make check             the part of the tests that runs on this machine
## make fuzz              compare random memory calls on our kernel, on ours switched off, and on the untouched one
## make soak              the long proof: all tests in debug kernels, a million random operations; takes hours, and when it
##                        was stopped, goes on where it was
## make bench             count the instructions of memory calls on the same three kernels
## make race              count how often the flag is lost beside other changes, on the untouched kernel and on ours
## make shell             boot to a shell with the tests in it
## make kernel            build the kernel only; the last line is the image's path
## make series            write patches for git am on the kernel of BASE=; print their folder
## make setup             tools, build root and kernel tree only
## make clean             remove kernels and guest programs
## make distclean         remove the build root, the kernel trees, and what tests and benchmarks left, too (not what was
##                        downloaded of the kernel: it is in ~/.cache/rust-vma)
##
## ARCH=x86_64|arm64|arm  for run, fuzz, bench, race, shell and kernel (x86_64)
## BASE=6.18|7.3          the kernel: Linux 6.18.15 or 7.3.4 (6.18)
## SEEDS="1 2 3" OPS=N    for fuzz and soak: the sequences, and how many operations each has (20000)
## LOOK=N                 for fuzz and soak: look at the state after every N operations (2; 25)
## PEER=6.19.11           for bench: that kernel, too, which has the flag in C
## RUST_VMA=y|n|stock     for shell and kernel: ours, ours switched off, or the untouched kernel (y)
## DEBUG=1                for run, shell and kernel: a kernel with KASAN, lockdep and more
## JOBS=N                 parallel jobs (processors + 1)
## KERNEL_TARBALL=FILE    the kernel source, instead of a download
## KSRC=FOLDER            an unpacked, untouched kernel of BASE= to copy; for 7.3 that of Debian's linux-source-7.3
## BUILDROOT=host         this machine's toolchain, instead of a build root
## BUILD=FOLDER           where everything goes (build)
setup:
	@scripts/setup-tools
	@scripts/buildroot
	@scripts/prepare

series: setup
	@scripts/series

shell: terminal

# Before anything that takes long
terminal:
	@[ -t 0 ] || scripts/shell $(ARCH)

kernel run fuzz bench race shell: setup
	@scripts/$@ $(ARCH)

soak: setup
	@scripts/soak

test: setup
	@scripts/test

check: setup
	@scripts/test host

clean:
	@scripts/clean

distclean:
	@scripts/clean all

.PHONY: help setup series terminal kernel run fuzz bench race shell test soak check clean distclean
.NOTPARALLEL:
