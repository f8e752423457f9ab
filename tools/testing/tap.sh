# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced by the checks, which end with: tap_end

tap_count=0
tap_failed=0

# tap NAME COMMAND...: one test, passed if the command succeeds; what it prints is shown if it does not
tap() {
	local name=$1 output
	shift
	tap_count=$((tap_count + 1))
	if output=$("$@" 2>&1); then
		echo "ok $tap_count $name"
	else
		echo "not ok $tap_count $name"
		printf '%s\n' "# ${output//$'\n'/$'\n'# }"
		tap_failed=1
	fi
}

tap_end() {
	exit "$tap_failed"
}
