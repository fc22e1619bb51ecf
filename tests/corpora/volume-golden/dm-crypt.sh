#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the vector "dm-crypt": a machine emulated by QEMU boots Debian's kernel, and its dm-crypt writes one container of
# ours and reads another. Nothing of Niter runs in it.
#   dm-crypt.sh VOLUME-TOOL KERNEL MODULES-DIR [VECTOR-DIR]
# KERNEL: vmlinuz; MODULES-DIR: the lib/modules/VERSION of the same package.
# Without VECTOR-DIR the vector is made and thrown away: then it is a test. Exits 77 where something is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tool=$(realpath "$1") kernel=$(realpath "$2") modules=$(realpath "$3") vector=${4:-}
for need in qemu-system-x86_64 cryptsetup cpio gcc xz; do
	command -v $need >/dev/null || { echo "skipped: no $need"; exit 77; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
root=$dir/root
mkdir -p "$root/modules" "$root/sbin" "$root/lib64" "$root/tmp"

for m in virtio_blk xts dm-mod dm-crypt; do
	f=$(find "$modules" -name "$m.ko" -o -name "$m.ko.xz" | head -n 1)
	case $f in
	*.xz) xz -dc "$f" >"$root/modules/$m.ko" ;;
	*.ko) cp "$f" "$root/modules/$m.ko" ;;
	*) echo "skipped: $modules has no $m"; exit 77 ;;
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
(cd "$root" && find . | cpio -o -H newc --quiet) >"$dir/initramfs"

# Without -cx16 the emulation of QEMU 7.2 breaks the kernel's memory allocator now and then.
timeout 300 qemu-system-x86_64 -machine q35,accel=tcg -cpu max,-cx16 -m 512 -nodefaults -no-user-config -nographic -serial stdio \
	-no-reboot -kernel "$kernel" -initrd "$dir/initramfs" -append "console=ttyS0 panic=-1 quiet" \
	-drive "if=virtio,format=raw,file=$dir/golden.luks" \
	-drive "if=virtio,format=raw,file=$dir/ours.luks,read-only=off" </dev/null >"$dir/console" 2>&1 || true
if ! grep -q 'RESULT good' "$dir/console"; then
	cat "$dir/console"
	echo "FAILED: dm-crypt"
	exit 1
fi
echo "ok: dm-crypt reads what our code wrote"
"$tool" read "$dir/golden.luks" "$root/key" 0 262144 | cmp - "$root/plaintext"
echo "ok: our code reads what dm-crypt wrote"
cmp "$dir/golden.luks" "$dir/ours.luks"
echo "ok: the two containers are the same bytes"
if [ -n "$vector" ]; then
	"$here/make.sh" split "$dir/golden.luks" "$vector" "$root/key" \
		"dm-crypt of Linux $(basename "$modules"), $(cryptsetup --version | cut -d' ' -f1-2), header by niter 0.1.0"
	cat "$vector/origin"
fi
