# SPDX-License-Identifier: Apache-2.0
# What ./run needs before it can do anything: packages, the build, the host image, instance images. Sourced.
# Every step is quick when it has been done before: results are kept by what went into them.

cache=${NITER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/niter}
mkdir -p "$cache" build

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }
die() { echo "run: $*" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
content_key() { cat "$@" | sha256sum | cut -c1-16; }

# All from Debian, by name; docs/decisions says why each.
packages_build="gcc libc6-dev meson ninja-build pkgconf python3 libssl-dev libjansson-dev libsqlite3-dev libaio-dev libcurl4-openssl-dev libexpat1-dev
	libtss2-dev libcmocka-dev libipsec-mb-dev musl-tools acpica-tools iproute2"
packages_host="qemu-system-x86 qemu-utils swtpm mmdebstrap e2fsprogs fdisk cpio zstd xz-utils lz4 kmod debian-archive-keyring
	cryptsetup-bin openssh-client openssl"
packages_bench="qemu-system-common qemu-utils fio"
packages_demo="awscli"
packages_test="tshark awscli python3-boto3"
# A Node.js that did not come from Debian brings its own npm, and cannot be installed beside Debian's.
command -v npm >/dev/null || packages_test="$packages_test nodejs npm"
packages_all="clang clang-tidy"
packages_fuzz="clang llvm libclang-rt-dev"

setup_packages() {
	local extra=packages_${1:-none} missing=() name
	[ -r /etc/debian_version ] || die "this needs Debian 12 or 13: only there all packages are known by name"
	for name in $packages_build $packages_host ${!extra:-}; do
		dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
	done
	[ ${#missing[@]} -eq 0 ] && return
	say "packages: installing ${missing[*]}"
	as_root apt-get update -qq || die "apt-get update fails: is a Debian mirror reachable?"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" \
		>build/packages.log 2>&1 || { tail -n 5 build/packages.log >&2; die "packages could not be installed: see build/packages.log"; }
}

setup_build() {
	[ -e build/build.ninja ] || { say "build: configuring"; meson setup build >build/setup.log || { tail -n 20 build/setup.log >&2; die "meson setup fails"; }; }
	say "build: compiling"
	ninja -C build >build/ninja.log 2>&1 || { grep -m 40 -E 'error|FAILED|warning' -A 5 build/ninja.log >&2; die "the build fails: see build/ninja.log"; }
	rm -rf build/stage
	DESTDIR=$PWD/build/stage meson install -C build --no-rebuild --quiet >build/install.log 2>&1 || die "meson install fails: see build/install.log"
	install -m 755 host/image-build-debian host/extract-vmlinux build/stage/usr/lib/niter/
	export PATH=$PWD/build/stage/usr/bin:$PATH
	export NITER_LIBEXEC=$PWD/build/stage/usr/lib/niter
}

setup_host_image() {
	local key
	key=$(content_key host/fetch-kernel host/fetch-debs host/extract-vmlinux)
	[ -e "$cache/kernel-$key/complete" ] || say "host image: fetching Debian's kernel"
	host/fetch-kernel "$cache/kernel-$key"
	mkdir -p build/host
	if [ ! -e build/host/vmlinux ] || [ "$(cat build/host/kernel-key 2>/dev/null)" != "$key" ]; then
		cp "$cache/kernel-$key/vmlinux" build/host/vmlinux
		echo "$key" >build/host/kernel-key
	fi
	say "host image: initramfs"
	host/build-initramfs build/stage "$cache/kernel-$key" build/host/initramfs.new
	# An equal image keeps its time stamp and its snapshots.
	if cmp -s build/host/initramfs.new build/host/initramfs.cpio; then
		rm build/host/initramfs.new
	else
		mv build/host/initramfs.new build/host/initramfs.cpio
	fi
	export NITER_HOST_IMAGE=$PWD/build/host
	setup_qemu
}

# A host image that differs in one thing: its niter-wire logs the keys of what it sends. For tests with tshark.
setup_lab_host_image() {
	say "host image: one that logs its tunnel keys, for the laboratory"
	[ -e build-lab/build.ninja ] || meson setup build-lab -Dkey_export=true >build/setup-lab.log || die "meson setup fails: see build/setup-lab.log"
	ninja -C build-lab src/wire/niter-wire >build/ninja-lab.log 2>&1 || die "the build fails: see build/ninja-lab.log"
	rm -rf build-lab/stage
	mkdir -p build-lab/host
	cp -a build/stage build-lab/stage
	install -m 755 build-lab/src/wire/niter-wire build-lab/stage/usr/lib/niter/
	host/build-initramfs build-lab/stage "$cache/kernel-$(cat build/host/kernel-key)" build-lab/host/initramfs.cpio
	ln -f build/host/vmlinux build-lab/host/vmlinux
	export NITER_LAB_HOST_IMAGE=$PWD/build-lab/host
}

# The simulated server runs on QEMU 7.2 (docs/decisions): Debian 12's own, or a private copy of it on Debian 13.
setup_qemu() {
	case $(qemu-system-x86_64 --version 2>/dev/null | head -n 1) in
	*" 7.2"*) ;;
	*)
		[ -e "$cache/qemu-7.2/complete" ] || say "host image: fetching QEMU 7.2 for the simulated server"
		host/fetch-qemu "$cache/qemu-7.2"
		export NITER_QEMU=$cache/qemu-7.2/qemu
		;;
	esac
}

# setup_image NAME [OVERLAY] [OPTION...]: an image built here with image-build-debian, in $cache; sets image_dir.
setup_image() {
	local key name=$1 overlay=()
	shift
	[[ ${1:-} == -* ]] || { overlay=("$1") && shift; }
	key=$({ find host/image-build-debian "${overlay[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 cat; printf '%s' "$*"; } |
		sha256sum | cut -c1-16)
	image_dir=$cache/image-$name-$key
	[ -e "$image_dir/image.json" ] && return
	say "image: building $name from Debian's packages (once)"
	as_root host/image-build-debian ${overlay[0]:+--overlay "${overlay[0]}"} "$@" "$image_dir" >build/image.log 2>&1 ||
		{ tail -n 5 build/image.log >&2; die "the image cannot be built: see build/image.log"; }
}

# The Debian that hosts Niter in a test: of this system's suite, with the library packages our programs were linked with.
setup_hosted_image() {
	local suite packages
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	packages=$(for program in build/stage/usr/bin/niter build/stage/usr/lib/niter/*; do ldd "$program" 2>/dev/null || true; done |
		grep -o '/[^ ]*' | sort -u | xargs readlink -f | sort -u | while read -r library; do
			dpkg-query -S "$library" 2>/dev/null || dpkg-query -S "${library#/usr}"
		done | cut -d: -f1 | sort -u | paste -sd, -)
	setup_image hosted tests/guest/hosted --minimal --suite "$suite" --size 4096 --include "$packages,procps"
	export NITER_HOSTED_IMAGE=$image_dir
}

setup_test_image() {
	setup_image test tests/guest/overlay --minimal --include iputils-ping
	export NITER_TEST_IMAGE=$image_dir
}

# With cloud-init, and what the network tests ask guests to run.
setup_network_image() {
	setup_image network --include iperf3,iputils-ping
	export NITER_NETWORK_IMAGE=$image_dir
}

# The AWS SDK for JavaScript, as tests/api/package-lock.json says, from npm. Without it the test that needs it is skipped.
setup_api_clients() {
	local dir
	dir=$cache/npm-$(content_key tests/api/package-lock.json)
	if [ ! -e "$dir/complete" ]; then
		say "clients: fetching the AWS SDK for JavaScript"
		rm -rf "$dir"
		mkdir -p "$dir"
		cp tests/api/package.json tests/api/package-lock.json "$dir/"
		(cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1 && touch complete) || say "clients: npm ci fails: see $dir/npm.log"
	fi
	export NITER_NODE_MODULES=$dir
}

setup_all() {
	setup_packages
	setup_build
	setup_host_image
}

install_all() {
	DESTDIR=$1 as_root meson install -C build --no-rebuild --quiet
	as_root install -m 755 host/image-build-debian host/extract-vmlinux "$1/usr/lib/niter/"
	as_root install -D -m 644 -t "$1/usr/share/niter/host" build/host/vmlinux build/host/initramfs.cpio
	say "installed: try niter host start"
}
