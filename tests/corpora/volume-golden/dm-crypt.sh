#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the vectors "dm-crypt" and "dm-crypt-high": a machine emulated by QEMU boots Debian's kernel, and its dm-crypt
# writes two containers of ours and reads two others. Nothing of Niter runs in it.
#   dm-crypt.sh VOLUME-TOOL KERNEL MODULES-DIR [VECTOR-DIR]
# KERNEL: vmlinuz or vmlinux; MODULES-DIR: the lib/modules/VERSION of the same package. The second vector goes to
# VECTOR-DIR-high. Without VECTOR-DIR both are made and thrown away: then it is a test. Exits 77 where something is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tool=$(realpath "$1") kernel=$(realpath "$2") modules=$(realpath "$3") vector=${4:-}
qemu=${NITER_QEMU:-qemu-system-x86_64}
for need in "$qemu" cryptsetup cpio gcc xz; do
	command -v "$need" >/dev/null || { echo "skipped: no $need"; exit 77; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
root=$dir/root
mkdir -p "$root/modules" "$root/sbin" "$root/lib64" "$root/tmp"

# What is not there is built in, or dm-crypt.ko is missing, too.
for m in ecb xts dm-mod dm-crypt; do
	f=$(find "$modules" -name "$m.ko" -o -name "$m.ko.xz" | head -n 1)
	case $f in
	*.xz) xz -dc "$f" >"$root/modules/$m.ko" ;;
	*.ko) cp "$f" "$root/modules/$m.ko" ;;
	*) [ $m != dm-crypt ] || { echo "skipped: $modules has no $m"; exit 77; } ;;
	esac
done
gcc -O2 -static -o "$root/init" "$here/dm-crypt-init.c"
bin=$(command -v cryptsetup)
cp "$bin" "$root/sbin/cryptsetup"
for lib in $(ldd "$bin" | grep -o '/[^ ]*'); do
	mkdir -p "$root$(dirname "$lib")"
	cp -L "$lib" "$root$lib"
done

head -c 64 /dev/urandom >"$root/key"
"$here/make.sh" plaintext >"$root/plaintext"
"$tool" create "$dir/golden.luks" 262144 "$root/key" vol-00000000000000002
cp "$dir/golden.luks" "$dir/ours.luks"
"$tool" write "$dir/ours.luks" "$root/key" 0 <"$root/plaintext"
# The same around 2 TiB, where the tweak 8n outgrows 32 bits: the last unit before, and two after. dm-crypt-init.c has
# the same numbers. The files are sparse.
high=$(((1 << 41) - 4096)) high_bytes=12288
"$tool" create "$dir/golden-high.luks" $(((1 << 41) + 1048576)) "$root/key" vol-00000000000000003
cp --sparse=always "$dir/golden-high.luks" "$dir/ours-high.luks"
head -c $high_bytes "$root/plaintext" | "$tool" write "$dir/ours-high.luks" "$root/key" $high
(cd "$root" && find . | cpio -o -H newc --quiet) >"$dir/initramfs"

# Without -cx16 the emulation of QEMU 7.2 breaks the kernel's memory allocator now and then.
timeout 300 "$qemu" -machine q35,accel=tcg -cpu max,-cx16 -m 512 -nodefaults -no-user-config -nographic -serial stdio \
	-no-reboot -kernel "$kernel" -initrd "$dir/initramfs" -append "console=ttyS0 panic=-1 quiet" \
	-device nvme,id=n,serial=n $(n=0; for name in golden ours golden-high ours-high; do
		n=$((n + 1))
		echo "-drive if=none,id=$name,format=raw,file=$dir/$name.luks -device nvme-ns,bus=n,drive=$name,nsid=$n"
	done) </dev/null >"$dir/console" 2>&1 || true
if ! grep -q 'RESULT good' "$dir/console"; then
	cat "$dir/console"
	echo "FAILED: dm-crypt"
	exit 1
fi
echo "ok dm_crypt__reads_what_our_code_wrote"
"$tool" read "$dir/golden.luks" "$root/key" 0 262144 | cmp - "$root/plaintext"
"$tool" read "$dir/golden-high.luks" "$root/key" $high $high_bytes | cmp -n $high_bytes - "$root/plaintext"
echo "ok our_code__reads_what_dm_crypt_wrote"
cmp "$dir/golden.luks" "$dir/ours.luks"
echo "ok containers__are_the_same_bytes"
payload_high() { tail -c +$((16777216 + high + 1)) "$1" | head -c $high_bytes; }
payload_high "$dir/golden-high.luks" >"$dir/a"
payload_high "$dir/ours-high.luks" >"$dir/b"
cmp "$dir/a" "$dir/b"
echo "ok units_beyond_2_tib__are_the_same_bytes"
if [ -n "$vector" ]; then
	origin="dm-crypt of Linux $(basename "$modules"), $(cryptsetup --version | cut -d' ' -f1-2), header by niter 0.1.0"
	"$here/make.sh" split "$dir/golden.luks" "$vector" "$root/key" "$origin"
	"$here/make.sh" split "$dir/golden-high.luks" "$vector-high" "$root/key" "$origin" $high $high_bytes
fi
