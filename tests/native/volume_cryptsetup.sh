#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian's cryptsetup judges a container that our code wrote, without device-mapper: header, key, a keyslot of its own.
#   volume_cryptsetup.sh VOLUME-TOOL
# Exits 77 (skipped) where cryptsetup is missing.
set -eu
tool=$(realpath "$1")
cryptsetup=$(command -v cryptsetup || ls /usr/sbin/cryptsetup /sbin/cryptsetup 2>/dev/null | head -n 1) || true
if [ -z "$cryptsetup" ]; then
	echo "skipped: cryptsetup is not installed (package cryptsetup-bin)"
	exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() {
	echo "FAILED: $*" >&2
	exit 1
}
expect() { # expect WHAT COMMAND...: it must succeed
	what=$1
	shift
	"$@" >out 2>err || { cat out err >&2; fail "$what"; }
	echo "ok: $what"
}
refuse() {
	what=$1
	shift
	if "$@" >out 2>err; then fail "$what"; fi
	echo "ok: $what"
}

head -c 64 /dev/urandom >key
head -c 64 /dev/urandom >wrong
"$tool" create v.luks 8388608 key vol-0123456789abcdef0

expect "cryptsetup takes it for LUKS2" "$cryptsetup" isLuks --type luks2 v.luks
expect "luksDump reads it" "$cryptsetup" luksDump v.luks
for line in 'Version:.*2' 'cipher: aes-xts-plain64' 'sector: 4096 \[bytes\]' 'offset: 16777216 \[bytes\]' \
	'length: 8388608 \[bytes\]' '0: niter' 'Label:.*vol-0123456789abcdef0'; do
	grep -q "$line" out || fail "luksDump says nothing like \"$line\""
done
grep -A1 '^Keyslots:' out | tail -n 1 | grep -q '^Tokens:' || fail "there is a keyslot"
echo "ok: aes-xts-plain64, 4096-byte sectors, no keyslot, a niter token"

open="$cryptsetup open --test-passphrase --key-size 512"
expect "the volume key is accepted" $open --volume-key-file key v.luks
refuse "another key is refused" $open --volume-key-file wrong v.luks

# What an owner does on purpose to look in from outside: a keyslot, added with the volume key.
echo "a passphrase" >pass
expect "cryptsetup adds a keyslot" "$cryptsetup" luksAddKey --batch-mode --key-size 512 --pbkdf pbkdf2 \
	--pbkdf-force-iterations 1000 --volume-key-file key v.luks pass
expect "cryptsetup gives the volume key back" "$cryptsetup" luksDump --batch-mode --dump-volume-key \
	--key-file pass v.luks
grep -q 'MK bits:.*512' out || fail "not a 512-bit key"
[ "$(sed -n '/MK dump:/,$p' out | sed 's/MK dump://' | tr -d ' \t\n')" = "$(od -An -tx1 -v key | tr -d ' \n')" ] ||
	fail "another key than ours"
echo "ok: it is a 512-bit key, and ours"
"$tool" show v.luks | grep -q '^seqid=2' || fail "we do not read what cryptsetup wrote"
head -c 8192 /dev/urandom >data
"$tool" write v.luks key 4096 <data
"$tool" read v.luks key 4096 8192 | cmp -s - data || fail "data after cryptsetup's change"
echo "ok: we go on with the header cryptsetup rewrote"

# Damage: cryptsetup and we agree on which copies still do.
printf x | dd of=v.luks bs=1 seek=5000 conv=notrunc status=none
"$tool" show v.luks | grep -q '^copy_damaged=1' || fail "a damaged copy is not reported"
expect "cryptsetup uses the second copy" $open --volume-key-file key v.luks
printf x | dd of=v.luks bs=1 seek=5001 conv=notrunc status=none
printf x | dd of=v.luks bs=1 seek=21500 conv=notrunc status=none
printf x | dd of=v.luks bs=1 seek=5002 conv=notrunc status=none
refuse "cryptsetup refuses two damaged copies" $open --volume-key-file key v.luks
refuse "so do we" "$tool" show v.luks
