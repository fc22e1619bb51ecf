#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs from the second disk of the stock Debian in tests/system/hosted.py: installs the programs as "./run install"
# would, then does what a person would do; its unit powers off. The test reads the serial console: a step
# begins with "%% NAME" and ends with "%% exit CODE".
exec >/dev/ttyS0 2>&1 </dev/null
dmesg -n 1
trap 'echo "%% end"' EXIT

step() {
	echo "%% $1"
	shift
	# Through a file: on a terminal niter draws progress bars, and this line is slow.
	"$@" >/tmp/said 2>&1
	code=$?
	cat /tmp/said
	printf '\n%%%% exit %d\n' "$code" # a guest's console may end in the middle of a line
	return $code
}

install_programs() {
	cp -a /mnt/stage/. / && niter --help >/dev/null
}

machine() {
	uname -r
	grep PRETTY_NAME /etc/os-release
	ls -l /dev/kvm /dev/tpmrm0
}

# console PATTERN: until it is there. What the guest said ends up in /tmp/console.
console_wait() {
	n=0
	while [ $n -lt 600 ]; do
		niter console "$id" >/tmp/console 2>/tmp/console.err || { cat /tmp/console.err; return 1; }
		grep -q "$1" /tmp/console && return 0
		niter ps --json | grep -q '"running"\|"pending"' || break
		sleep 2
		n=$((n + 1))
	done
	echo "the console never said \"$1\""
	tail -n 20 /tmp/console
	tail -n 20 /var/lib/niter/run/console.log
	return 1
}

marker_search() {
	marker=$(printf 'niter marker' | sha256sum | cut -c1-64)
	ls -s /var/lib/niter/volumes
	! grep -q "$marker" /var/lib/niter/volumes/*
}

restart() {
	niter stop "$id" || return
	n=0
	until niter ps --json | grep -q '"stopped"' || [ $n -ge 120 ]; do
		sleep 1
		n=$((n + 1))
	done
	niter start "$id"
}

# What a person's Debian has from its installer. Prints the device's name.
uplink() {
	modprobe virtio_net
	dev=$(ls /sys/class/net | grep -v lo)
	ip link set "$dev" up && ip addr add 10.0.2.15/24 dev "$dev" && ip route add default via 10.0.2.2 && echo "$dev"
}

switch() { cat "/proc/sys/net/ipv4/conf/$1/forwarding"; }

way_out() {
	ip -br addr show | grep nitergw | grep 100.64 || return 1
	tap=$(ls /sys/class/net | grep nitergw)
	[ "$(switch "$tap")$(switch "$dev")$(switch all)$(switch lo)" = 1100 ]
}

left_behind() {
	ls /sys/class/net | grep nitergw
	[ "$(switch "$dev")" = 0 ] || echo "$dev still forwards"
	ps -e -o pid=,uid=,comm= | grep niter | grep -v steps
	find /sys/fs/cgroup/niter -mindepth 1 -type d 2>/dev/null
	ls /run/niter 2>/dev/null
	grep niter /proc/mounts
	return 0
}

start_host() {
	niter host start --native && return 0
	cat /var/lib/niter/run/console.log
	return 1
}

step install install_programs || exit
step machine machine
step uplink uplink
dev=$(ls /sys/class/net | grep -v -e lo -e nitergw)
step start start_host || exit
step status niter host status --json
step put niter image put /mnt/image --name debian || exit
step run niter run debian --type t3.micro --cpus 1x1 --name hosted --json || { cat /var/lib/niter/run/console.log; exit; }
id=$(niter ps --json | grep -o 'i-[0-9a-f]\{17\}' | head -n 1)
step boot console_wait '@@ done 1' || exit
step console tr -d '\r' </tmp/console # the guest's whole boot
step processes niter host processes --json
step way-out way_out
step marker marker_search
step restart restart || exit
step boot-again console_wait '@@ done 2' || exit
step console-again grep '^data: ' /tmp/console
step rm niter rm "$id"
step volumes find /var/lib/niter/volumes -type f
step stop niter host stop
step left left_behind
step again start_host || exit
step refused niter run debian --type t3.nano --cpus 1x1
step stop-again niter host stop
