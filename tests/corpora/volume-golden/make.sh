#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Parts of making a golden vector; README.md says how.
#   make.sh plaintext                          262144 bytes that are different in every sector
#   make.sh split CONTAINER DIR KEYFILE ORIGIN cut a container into the files of a vector
set -eu
plaintext() { seq -f 'niter golden line %012.0f' 1 10000 | head -c 262144; }
case ${1:-} in
plaintext) plaintext ;;
split)
	mkdir -p "$3"
	head -c 32768 "$2" >"$3/header.bin"
	tail -c +16777217 "$2" | head -c 262144 >"$3/payload.bin"
	cp "$4" "$3/key.bin"
	plaintext | sha256sum | cut -d' ' -f1 >"$3/plaintext.sha256"
	echo "$5" >"$3/origin"
	;;
*)
	sed -n 's/^# *//p' "$0" >&2
	exit 2
	;;
esac
