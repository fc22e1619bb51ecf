#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Encrypted storage beside qemu-storage-daemon, in one run.

Ours: the real niter-storage-card in its jail, driven through its vfio-user socket by a client that plays the guest's
NVMe driver (bench/storage_card_bench.c).
Peer: qemu-storage-daemon with its own LUKS driver (aes-256-xts), exported as NBD on a unix socket, driven by fio's nbd
engine. To show what that transport costs by itself, the daemon also exports a null device.

Both are pinned to one CPU, their drivers to another; same file system, same size, both filled first. The systems take
turns for each pattern; printed are the median and the spread (lowest to highest) over the rounds. Two stores: a file
on disk (O_DIRECT on both sides), where the disk sets the limit, and a file in memory (tmpfs), where the CPU does.

The numbers are what they are on the machine they were made on. cpu/io is the server's CPU time for each request, without
the driver's.
"""
import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PATTERNS = [  # op, bytes, queue depth
    ("randread", 4096, 1), ("randread", 4096, 32), ("randwrite", 4096, 1), ("randwrite", 4096, 32),
    ("read", 256 << 10, 16), ("write", 256 << 10, 16)]


class Broken(Exception):
    pass


def cpu_ns(pid):
    """CPU time of all threads of a process."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        except OSError:
            pass  # the thread ended
    return total


def pin(pid, cpu):
    if cpu is None:
        return
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {cpu})


class Card:
    name = "niter"

    def __init__(self, a, folder, mib):
        card = os.path.join(a.build, "src/cards/storage/niter-storage-card")
        driver = os.path.join(a.build, "bench/storage-card-bench")
        self.p = subprocess.Popen([driver, os.path.abspath(card), os.path.join(folder, "niter.luks"), str(mib)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=a.log,
                                  preexec_fn=lambda: a.cpus[0] is None or os.sched_setaffinity(0, {a.cpus[0]}))
        line = self.p.stdout.readline()
        if not line:
            raise Broken("storage-card-bench ended; see " + a.log.name)
        self.pid = json.loads(line)["pid"]
        pin(self.pid, a.cpus[1])

    def run(self, op, size, depth, seconds):
        self.p.stdin.write(f"{op} {size} {depth} {seconds}\n")
        self.p.stdin.flush()
        line = self.p.stdout.readline()
        if not line:
            raise Broken("storage-card-bench ended in the middle of a pattern")
        r = json.loads(line)
        return {"iops": r["iops"], "cpu_us": r["cpu_us_per_io"], "cores": r["cores"]}

    def close(self):
        self.p.stdin.close()
        self.p.wait(60)


class Qemu:
    """qemu-storage-daemon; encrypted, or nothing but the transport."""

    def __init__(self, a, folder, mib, null):
        self.name = "qsd null" if null else "qsd luks"
        self.a, self.mib = a, mib
        self.sock = os.path.join(folder, "null.sock" if null else "luks.sock")
        args = ["qemu-storage-daemon", "--nbd-server", f"addr.type=unix,addr.path={self.sock}"]
        if null:
            args += ["--blockdev", f"driver=null-co,node-name=n,size={mib << 20},read-zeroes=on"]
        else:
            path = os.path.join(folder, "qemu.luks")
            subprocess.run(["qemu-img", "create", "-q", "-f", "luks", "--object", "secret,id=s,data=bench",
                            "-o", "key-secret=s,cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64,iter-time=10",
                            path, f"{mib}M"], check=True, stderr=a.log)
            args += ["--object", "secret,id=s,data=bench",
                     "--blockdev", f"driver=file,node-name=f,filename={path},cache.direct=on,aio=native",
                     "--blockdev", "driver=luks,node-name=n,file=f,key-secret=s"]
        args += ["--export", "type=nbd,id=e,node-name=n,name=n,writable=on"]
        self.p = subprocess.Popen(args, stderr=a.log)
        for _ in range(200):
            if os.path.exists(self.sock) or self.p.poll() is not None:
                break
            time.sleep(0.05)
        if self.p.poll() is not None or not os.path.exists(self.sock):
            raise Broken("qemu-storage-daemon did not start; see " + a.log.name)
        pin(self.p.pid, a.cpus[1])
        if not null:
            self.fio("write", 256 << 10, 16, None)

    def fio(self, op, size, depth, seconds):
        args = ["fio", "--name=bench", "--ioengine=nbd", f"--uri=nbd+unix:///n?socket={self.sock}", f"--rw={op}",
                f"--bs={size}", f"--iodepth={depth}", f"--size={self.mib}M", "--randrepeat=0", "--norandommap",
                "--output-format=json"]
        if seconds:
            args += ["--time_based", f"--runtime={seconds}"]
        if self.a.cpus[0] is not None:
            args.append(f"--cpus_allowed={self.a.cpus[0]}")
        r = subprocess.run(args, stdout=subprocess.PIPE, stderr=self.a.log, text=True, check=False)
        if r.returncode:
            raise Broken(f"fio failed with {r.returncode}; see {self.a.log.name}")
        return json.loads(r.stdout[r.stdout.index("{"):])["jobs"][0]["write" if "write" in op else "read"]

    def run(self, op, size, depth, seconds):
        before = cpu_ns(self.p.pid)
        j = self.fio(op, size, depth, seconds)
        used = cpu_ns(self.p.pid) - before
        if not j["total_ios"]:
            raise Broken("fio did nothing")
        return {"iops": j["iops"], "cpu_us": used / 1e3 / j["total_ios"], "cores": used / 1e6 / max(j["runtime"], 1)}

    def close(self):
        self.p.send_signal(signal.SIGTERM)
        self.p.wait(60)


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def measure(a, store, folder):
    """One store: all systems up, patterns in turn."""
    free = shutil.disk_usage(folder).free >> 20
    mib = min(a.mib, free // 3)
    if mib < 64:
        raise Broken(f"not enough room in {folder}: {free} MiB free")
    systems, results = [], []
    try:
        systems.append(Card(a, folder, mib))
        if a.peer:
            systems.append(Qemu(a, folder, mib, False))
            systems.append(Qemu(a, folder, mib, True))
        for op, size, depth in PATTERNS:
            rounds = {s.name: [] for s in systems}
            for _ in range(a.rounds):
                for s in systems:
                    rounds[s.name].append(s.run(op, size, depth, a.seconds))
            row = {"store": store, "op": op, "bytes": size, "depth": depth, "systems": {}}
            for name, rs in rounds.items():
                row["systems"][name] = {
                    "iops": spread([r["iops"] for r in rs]),
                    "mib_s": spread([r["iops"] * size / 1048576 for r in rs]),
                    "cpu_us_per_io": spread([r["cpu_us"] for r in rs]),
                    "cores": spread([r["cores"] for r in rs])}
            if "qsd luks" in rounds:
                n, q = rounds["niter"], rounds["qsd luks"]
                row["niter_to_qsd_iops"] = spread([x["iops"] / y["iops"] for x, y in zip(n, q)])
                row["qsd_to_niter_cpu"] = spread([y["cpu_us"] / x["cpu_us"] for x, y in zip(n, q)])
            results.append(row)
            print_row(row)
    finally:
        for s in systems:
            s.close()
    return results


def print_row(row):
    random = row["bytes"] == 4096
    print(f"{row['store']:<6} {row['op']:<10} {row['bytes'] // 1024:>4} KiB  depth {row['depth']}")
    for name, s in row["systems"].items():
        v, unit = (s["iops"], "IOPS ") if random else (s["mib_s"], "MiB/s")
        print(f"    {name:<9} {v['median']:>9.0f} {unit} ({v['lowest']:.0f}-{v['highest']:.0f})"
              f"   cpu/io {s['cpu_us_per_io']['median']:.1f} us   {s['cores']['median']:.2f} cores")
    if "niter_to_qsd_iops" in row:
        r, c = row["niter_to_qsd_iops"], row["qsd_to_niter_cpu"]
        print(f"    niter/qsd {r['median']:.2f} x the requests ({r['lowest']:.2f}-{r['highest']:.2f}), "
              f"{c['median']:.2f} x less CPU for each ({c['lowest']:.2f}-{c['highest']:.2f})", flush=True)


def version(*cmd):
    try:
        return subprocess.run(cmd, stdout=subprocess.PIPE, text=True, check=False).stdout.splitlines()[0]
    except (OSError, IndexError):
        return "?"


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="ascii") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "load": os.getloadavg()[0], "openssl": version("openssl", "version"), "qemu": version("qemu-storage-daemon", "--version"),
            "fio": version("fio", "--version")}


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    ap.add_argument("--build", default="build")
    ap.add_argument("--out", default="build/bench/storage.json")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=float, default=1.5)
    ap.add_argument("--mib", type=int, default=1024)
    ap.add_argument("--store", choices=["disk", "memory", "both"], default="both")
    a = ap.parse_args()
    os.makedirs(os.path.dirname(a.out) or ".", exist_ok=True)
    a.log = open(a.out + ".log", "w", encoding="utf-8")
    cpus = sorted(os.sched_getaffinity(0))
    a.cpus = (cpus[0], cpus[1]) if len(cpus) > 1 else (None, None)
    missing = [c for c in ("qemu-storage-daemon", "qemu-img", "fio") if not shutil.which(c)]
    a.peer = not missing
    print("storage: niter-storage-card beside qemu-storage-daemon (LUKS over NBD), "
          f"{a.rounds} rounds of {a.seconds} s; median (lowest-highest)")
    print("one CPU for the server, another for its driver" if a.cpus[0] is not None else
          "one CPU for server and driver together: the figures say little")
    if os.getloadavg()[0] > 0.7:
        print(f"the machine is busy with something else (load {os.getloadavg()[0]:.1f}): only cpu/io means much")
    if missing:
        print("no peer: " + ", ".join(missing) + " not installed (packages qemu-system-common, qemu-utils, fio)")
    out = {"machine": machine(), "rounds": a.rounds, "seconds": a.seconds, "pinned": a.cpus[0] is not None,
           "peer": "qemu-storage-daemon, luks, NBD" if a.peer else "missing: " + ", ".join(missing),
           "command": " ".join(sys.argv), "rows": []}
    stores = {"disk": os.path.dirname(os.path.abspath(a.out)), "memory": "/dev/shm"}
    try:
        for store, base in stores.items():
            if a.store not in (store, "both"):
                continue
            with tempfile.TemporaryDirectory(prefix="niter-bench-", dir=base) as folder:
                out["rows"] += measure(a, store, folder)
    except Broken as e:
        sys.exit(f"bench storage: {e}")
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(out, f, indent=1)
        f.write("\n")
    print(f"figures in {a.out}")


if __name__ == "__main__":
    main()
