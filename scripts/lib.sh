# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced by the other scripts. Progress and errors go to stderr, results to stdout.
# shellcheck disable=SC2034 # the variables are for the other scripts

die() {
	echo "error: $*" >&2
	exit 1
}

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$(realpath -m "${BUILD:-$TOP/build}")
ROOT=$BUILD/root
CACHE=${XDG_CACHE_HOME:-${HOME:?}/.cache}/rust-vma
JOBS=${JOBS:-$(($(nproc) + 1))}
# use_base BASE: its kernel, and the folder of what is built for it only
use_base() {
	case $1 in
	6.18) KVERSION=6.18.15 ;;
	7.3) KVERSION=7.3.4 ;;
	*) die "BASE=$1 is not known; use BASE=6.18 or BASE=7.3" ;;
	esac
	export BASE=$1 OUT=$BUILD/$1
}
use_base "${BASE:-6.18}"
# The kernels whose source is known: the file of Debian, and its SHA-256
declare -A SOURCES=(
	[6.18.15]=linux_6.18.15.orig.tar.xz
	[6.19.11]=linux_6.19.11.orig.tar.xz
	[7.3.4]=linux-source-7.3_7.3.4-1~bpo13+1_all.deb
)
declare -A CHECKSUMS=(
	[6.18.15]=fdf4c4d487c95b17a41cb38003faef86669e532a44fe702eb31a3390b6a60cca
	[6.19.11]=e19d838c34519b050dd48334c673b07f4089d56449b453e6d1d04460e0667fa6
	[7.3.4]=703e369ddd4cce971452f5a593ee55df3a5c10c83caf0fa0df039633ed181ee3
)
export BUILD

# make and the kernel's build know no names with blanks.
case $TOP:$BUILD in
*[[:space:]]* | *:*:*) die "BUILD=$BUILD in $TOP: choose a folder without blanks and colons in its name" ;;
esac
# make clean removes what is in the folder by common names, so that nothing else may be there.
if [ ! -e "$BUILD/.rust-vma" ]; then
	mkdir -p "$BUILD" 2>/dev/null || die "BUILD=$BUILD cannot be made; choose another folder"
	[ "$BUILD" = "$TOP/build" ] || [ ! "$(ls -A "$BUILD")" ] ||
		die "BUILD=$BUILD has other things in it; choose a folder that is new or empty"
	touch "$BUILD/.rust-vma" || die "BUILD=$BUILD cannot be written to; choose another folder"
fi
case $JOBS in
*[!0-9]* | 0*) die "JOBS=$JOBS is not a number of jobs; use JOBS=4, or leave it unset" ;;
esac
case ${ARCH:-x86_64} in
x86_64 | arm64 | arm) ;;
*) die "ARCH=$ARCH is not known; use ARCH=x86_64, arm64 or arm" ;;
esac
case ${RUST_VMA:-y} in
y | n | stock) ;;
peer) [ "${PEER:-}" ] || die "RUST_VMA=peer needs a version, such as PEER=6.19.11" ;;
*) die "RUST_VMA=$RUST_VMA is not known; use RUST_VMA=y, n or stock" ;;
esac
case ${DEBUG:-0} in
0 | 1) ;;
*) die "DEBUG=$DEBUG is not known; use DEBUG=1" ;;
esac
case ${BUILDROOT:-} in
'' | host) ;;
*) die "BUILDROOT=$BUILDROOT is not known; leave it unset, or use BUILDROOT=host" ;;
esac
[ "${CHECKSUMS[${PEER:-$KVERSION}]:-}" ] || die "no checksum of Linux $PEER is known; use PEER=6.19.11"
[[ ${SEEDS:-1} =~ ^[0-9]+(\ +[0-9]+)*$ ]] || die "SEEDS=$SEEDS are not numbers; use SEEDS=\"1 2 3\""
[[ ${OPS:-1} =~ ^[1-9][0-9]*$ ]] || die "OPS=$OPS is not a number of operations; use OPS=20000"
[[ ${LOOK:-1} =~ ^[1-9][0-9]*$ ]] || die "LOOK=$LOOK is not a number of operations; use LOOK=2"

# step TEXT LOG COMMAND...: run a step of the build with its output in a log; $hint helps the user when it fails
step() {
	local text=$1 log=$2 start=$SECONDS status
	shift 2
	echo "==> $text (log: ${log#"$TOP"/})" >&2
	mkdir -p "$(dirname "$log")"
	set +e
	(
		set -e
		"$@"
	) >"$log" 2>&1
	status=$?
	set -e
	if ((status)); then
		tail -n 20 "$log" >&2
		die "failed: $text${hint:+ ($hint)}; the lines above end ${log#"$TOP"/}"
	fi
	echo "    done in $((SECONDS - start)) s" >&2
}

# lock FILE: wait until no other script holds the lock, then hold it until this script ends
lock() {
	local fd
	mkdir -p "$(dirname "$1")"
	exec {fd}>"$1"
	if ! flock --nonblock "$fd"; then
		echo "==> wait for another script to release $1" >&2
		flock "$fd"
	fi
}

# need_space MB DIRECTORY WHAT
need_space() {
	local have
	mkdir -p "$2"
	have=$(df --output=avail -BM "$2" | tail -n 1 | tr -dc 0-9)
	((have >= $1)) ||
		die "not enough disk in $2: $3 needs $1 MB, $have MB are free; free some or set BUILD= to another disk"
}

# find_mirrors: put the Debian mirrors of this machine's apt configuration into the array "mirrors"
find_mirrors() {
	# shellcheck disable=SC2016 # apt expands it
	local targets=(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages')
	mapfile -t mirrors < <("${targets[@]}" 'Origin: Debian' 'Label: Debian' | sort -u)
	# Before the first "apt-get update" apt does not know the origins.
	((${#mirrors[@]})) || mapfile -t mirrors < <("${targets[@]}" | sort -u | grep '/debian/*$')
	((${#mirrors[@]})) || die "apt knows no Debian mirror; add one to /etc/apt/sources.list.d"
}

# tree_of VARIANT: where the kernel source for RUST_VMA=VARIANT is
tree_of() {
	case $1 in
	stock) echo "$BUILD/linux-$KVERSION-stock" ;;
	peer) echo "$BUILD/linux-$PEER" ;;
	*) echo "$BUILD/linux-$KVERSION" ;;
	esac
}

# verified FILE VERSION: it is the source of that kernel
verified() {
	echo "${CHECKSUMS[$2]}  $1" | sha256sum --check --status
}

# check_tarball: $KERNEL_TARBALL is the source of the kernel of BASE=
check_tarball() {
	[ -r "$KERNEL_TARBALL" ] || die "KERNEL_TARBALL=$KERNEL_TARBALL cannot be read"
	verified "$KERNEL_TARBALL" "$KVERSION" ||
		die "KERNEL_TARBALL=$KERNEL_TARBALL has the wrong checksum; ${SOURCES[$KVERSION]} with SHA-256 ${CHECKSUMS[$KVERSION]} is needed"
}

# check_ksrc: $KSRC is a tree of the kernel of BASE=
check_ksrc() {
	local found
	[ -r "$KSRC/Makefile" ] || die "KSRC=$KSRC is not a kernel tree"
	found=$(sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = //p' "$KSRC/Makefile" | paste -sd .)
	[ "$found" = "$KVERSION" ] || die "KSRC=$KSRC is Linux $found; Linux $KVERSION is needed"
	if [ -e "$KSRC/.config" ] || [ -e "$KSRC/include/config" ]; then
		die "KSRC=$KSRC has been built in; give an untouched tree, or run make mrproper there"
	fi
}

# configuration ARCH NAME...: what the kernel of BASE= is configured with, from the files of these names, too
configuration() {
	local arch=$1 name
	shift
	for name in base "$arch" "$BASE" "$@"; do
		[ ! -e "$TOP/configs/$name.config" ] || cat "$TOP/configs/$name.config"
		[ ! -e "$TOP/configs/$name-$arch.config" ] || cat "$TOP/configs/$name-$arch.config"
	done
}

# patch_file NAME: a patch of this base, or one of all bases
patch_file() {
	local file=$TOP/patches/$BASE/$1
	[ -e "$file" ] || file=$TOP/patches/common/$1
	echo "$file"
}

# fuzz_difference SEED LOG LOG: the first line about SEED that only one of two logs of the fuzzer has
fuzz_difference() {
	diff <(grep "^seed $1 " "$2") <(grep "^seed $1 " "$3") | sed -n '/^[<>]/{s/^..//p;q}' || :
}
