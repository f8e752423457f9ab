# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced by the checks: compiles Rust the way kbuild does, against the kernel that is built for x86_64.

# rustc_as_kbuild DRIVER OBJECT SOURCE [OPTION]: run DRIVER on SOURCE with the options that made OBJECT of the kernel, for
# what it says, not for what it makes, unless OPTION says what to make; $without is a symbol of the configuration that is off
rustc_as_kbuild() {
	local driver=$1 object=$2 source=$3 command name output=${4:---emit=metadata=/tmp/checked.rmeta}
	name=$(basename "$source" .rs)
	[ "$name" != lib ] || name=$(basename "$object" .o)
	cd "$OUT/x86_64" || die "there is no kernel for x86_64; run: make kernel"
	command=$(sed -n '1s/^savedcmd_[^ ]* := //p' "$(dirname "$object")/.$(basename "$object").cmd")
	[ "$command" ] || die "$object was not built; run: make kernel"
	command=${command%%;*}
	command=$(tr ' ' '\n' <<<"$command" |
		awk '/^--(out-dir|crate-name)$/ { getline; next } /^--emit=/ || /\.rs$/ { next } { print }' | paste -sd ' ')
	command=${command/ rustc / $driver }
	if [ "${without:-}" ]; then
		grep -vx -e "--cfg=$without\(=.*\)\?" include/generated/rustc_cfg >/tmp/rustc_cfg
		command=${command/@.\/include\/generated\/rustc_cfg/@\/tmp\/rustc_cfg}
	fi
	# Private items are described, too, so that links may lead to them.
	[ "$driver" != rustdoc ] ||
		output="-Zunstable-options --check --document-private-items -Arustdoc::private_intra_doc_links"
	RUSTC_BOOTSTRAP=1 CLIPPY_CONF_DIR="$(tree_of y)" \
		sh -c "$command --crate-name $name $output $source"
}

# is_clean DRIVER OBJECT SOURCE: no errors, and no warnings in files under vma/, which are ours: the kernel crate has some
# of its own
is_clean() {
	local output
	output=$(rustc_as_kbuild "$@" 2>&1) || {
		echo "$output"
		return 1
	}
	if grep -q -- '--> .*/vma/' <<<"$output"; then
		echo "$output"
		return 1
	fi
}
