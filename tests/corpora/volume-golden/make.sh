#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Parts of making a golden vector; README.md says how.
#   make.sh plaintext                          262144 bytes that are different in every sector
#   make.sh split CONTAINER DIR KEYFILE ORIGIN [OFFSET BYTES]
#                                              cut a container into the files of a vector; BYTES at OFFSET were written
set -eu
plaintext() { seq -f 'niter golden line %012.0f' 1 10000 | head -c 262144; }
case ${1:-} in
plaintext) plaintext ;;
split)
	offset=${6:-0} bytes=${7:-262144}
	mkdir -p "$3"
	head -c 32768 "$2" >"$3/header.bin"
	tail -c +$((16777216 + offset + 1)) "$2" | head -c "$bytes" >"$3/payload.bin"
	cp "$4" "$3/key.bin"
	plaintext | head -c "$bytes" | sha256sum | cut -d' ' -f1 >"$3/plaintext.sha256"
	[ "$offset" = 0 ] || echo "$offset" >"$3/offset"
	echo "$5" >"$3/origin"
	;;
*)
	sed -n 's/^# *//p' "$0" >&2
	exit 2
	;;
esac
