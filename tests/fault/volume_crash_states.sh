#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# niter-test: deferred
# niter-test: timeout=600
# Ten times the crash states that the unit tests check: src/volume/crash_test.c says what they are.
set -eu
name=volume_keeps_its_promise_in_20000_crash_states
if out=$(NITER_CRASH_STATES=20000 "$NITER_BUILD/src/volume/volume_crash_test" 2>&1); then
	echo "$out" | grep 'crash states of'
	echo "ok $name"
else
	echo "$out"
	echo "not ok $name: $(echo "$out" | grep -m 1 ERROR || echo 'see the log')"
fi
