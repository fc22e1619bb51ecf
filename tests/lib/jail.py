# SPDX-License-Identifier: Apache-2.0
"""The table every running process is held against: who it is, what it may do, what it holds."""
import re

import lab

NONE = "0000000000000000"
LAUNCHER_CAPS = "0000000000a010c0"  # SYS_ADMIN, SETUID, SETGID, NET_ADMIN, SYS_NICE

# name -> (what each descriptor may be, filters at least, namespaces of its own)
COMMON = {"/dev/null", "pipe", "eventpoll", "socket"}
TABLE = {
    "niter-security": COMMON | {"file", "/dev/tpmrm0"},
    "niterd": COMMON | {"file", "directory", "eventfd", "timerfd"},
    "niter-wire": COMMON | {"eventfd", "timerfd"},
    "niter-gateway": COMMON | {"eventfd", "/dev/net/tun"},
    "niter-network-card": COMMON | {"eventfd", "memfd:doorbells", "memfd:guest-ram", "/dev/net/tun"},
    "niter-metadata": COMMON,
    "niter-storage-card": COMMON | {"file", "eventfd", "memfd:doorbells", "memfd:guest-ram"},
    "niter-hypervisor": COMMON | {"file", "eventfd", "kvm-vm", "kvm-vcpu", "memfd:guest-ram", "memfd:doorbells"},
}
# Started with a host, or when somebody needs it: no more of them than this, and no instance's.
HOSTS_OWN = {"niter-security": 1, "niterd": 1, "niter-wire": 1, "niter-gateway": 16}
# One an instance; the last two for one that has a network interface, which all have that niter run makes.
INSTANCES_OWN = ("niter-storage-card", "niter-hypervisor", "niter-network-card", "niter-metadata")
# Sockets each holds at most: to the launcher, to niterd, to niter-security, and its own business.
SOCKETS = {"niter-wire": 4, "niter-gateway": 2, "niter-network-card": 2 + 8}
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")


def _check_child(p, launcher_ns):
    what = p["name"].replace("niter-", "")
    caps = {k: p[k] for k in ("cap_eff", "cap_prm", "cap_inh", "cap_bnd", "cap_amb")}
    lab.check(f"{what}__has_no_capability", set(caps.values()) == {NONE}, caps)
    lab.check(f"{what}__gains_no_privileges", p["no_new_privs"] == 1, p)
    lab.check(f"{what}__filters_system_calls", p["seccomp"] == 2 and p["seccomp_filters"] >= 2, p)
    lab.check(f"{what}__has_a_list_of_calls", 0 < (p["syscalls_allowed"] or 0) < 80, p["syscalls_allowed"])
    if what != "niterd":  # its root holds its own state directory's descriptors, nothing to walk to
        lab.check(f"{what}__has_an_empty_root", p["root_entries"] == 0, p["root_entries"])
    shared = [n for n in NAMESPACES if p["ns"][n] in (0, launcher_ns.get(n))]
    lab.check(f"{what}__has_namespaces_of_its_own", not shared, shared)
    wrong = sorted({fd for fd in p["fds"] if fd not in TABLE[p["name"]] and not re.match(r"/dev/vport", fd)})
    lab.check(f"{what}__holds_only_its_descriptors", not wrong, wrong)
    if p["name"] in SOCKETS:
        sockets = p["fds"].count("socket")
        lab.check(f"{what}__has_no_more_sockets_than_it_needs", sockets <= SOCKETS[p["name"]], sockets)
    if p["instance"]:
        lab.check(f"{what}__is_in_its_instances_cgroup", p["cgroup"] == f"/niter/{p['instance']}/{p['name']}", p["cgroup"])


def check(processes, instances):
    by_name = {}
    for p in processes:
        by_name.setdefault(p["name"], []).append(p)
    instances = set(instances)

    launcher, = by_name["niter-launcher"]
    lab.check("launcher__has_five_capabilities", launcher["cap_eff"] == launcher["cap_prm"] == launcher["cap_bnd"] == LAUNCHER_CAPS,
              launcher["cap_eff"])
    lab.check("launcher__filters_system_calls", launcher["seccomp"] == 2, launcher["seccomp"])
    lab.check("hosts__run_nothing_else", set(by_name) <= {"niter-init", "niter-launcher", *TABLE}, sorted(by_name))

    for name, most in HOSTS_OWN.items():
        these = by_name.get(name, [])
        lab.check(f"{name.replace('niter-', '')}__belongs_to_no_instance",
                  len(these) <= most and not any(p["instance"] for p in these), these)
    for name in INSTANCES_OWN:
        owners = [p["instance"] for p in by_name.get(name, [])]
        lab.check(f"{name.replace('niter-', '')}__is_one_an_instance", sorted(owners) == sorted(instances), owners)
    children = [p for p in processes if p["name"] in TABLE]
    uids = [p["uid"] for p in children]
    lab.check("processes__share_no_uid", len(set(uids)) == len(uids) and min(uids) >= 200000, uids)
    for p in children:
        _check_child(p, launcher["ns"])
