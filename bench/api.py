#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The EC2 API beside moto's server, in one run.

Ours: niterd with its null launcher (no process is started for an instance), signatures verified, its state directory on a disk and
every change committed there before it is answered. Peer: moto of Debian 13 with Debian 13's Python (bench/fetch-moto): it verifies
nothing, keeps everything in memory, and closes each connection after its answer, since its server speaks HTTP/1.0.

Both are pinned to one CPU, the load generator (bench/api_load.c) to another: all requests are written and signed before the clock
starts. The systems take turns; printed are the median and the spread (lowest to highest) over the rounds. cpu is the server's
CPU time for each request.
"""
import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "lib"))
import api_server

VERSION = "Version=2016-11-15"
DESCRIBE = f"Action=DescribeInstances&{VERSION}"


class Broken(Exception):
    pass


def cpu_ns(pid):
    """CPU time of a process, ended threads included: its CPU clock, as clock_getcpuclockid() gives it."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


class System:
    """A server that runs, and its load generator."""

    def __init__(self, a, folder):
        self.a = a
        began = time.monotonic()
        self.begin(folder)
        self.first_answer(began)
        self.load = subprocess.Popen([os.path.join(a.build, "bench/api-load"), str(self.port), *api_server.KEY, api_server.REGION],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=a.log, text=True,
                                     preexec_fn=lambda: a.cpus[0] is None or os.sched_setaffinity(0, {a.cpus[0]}))

    def first_answer(self, began):
        while True:
            try:
                status, _, _ = api_server.post(self.port, f"Action=DescribeRegions&{VERSION}")
                break
            except OSError:
                if time.monotonic() - began > 60:
                    raise Broken(f"{self.name} does not answer; see {self.a.log.name}") from None
                time.sleep(0.0005)
        if status != 200:
            raise Broken(f"{self.name} answers its first request with {status}")
        self.start_ms = (time.monotonic() - began) * 1000

    def call(self, **params):
        """One request outside any measurement. Returns the body."""
        body = urllib.parse.urlencode({"Version": "2016-11-15", **params}, quote_via=urllib.parse.quote)
        status, _, text = api_server.post(self.port, body)
        if status != 200:
            raise Broken(f"{self.name}: {params['Action']}: {status}: {text[:400]}")
        return text.decode()

    def one(self, tag, **params):
        return re.search(f"<{tag}>([^<]+)</{tag}>", self.call(**params)).group(1)

    def populate(self, cnt):
        """CNT instances in a network of their own. Returns the id of one in the middle."""
        self.image = self.one("imageId", Action="DescribeImages")
        vpc = self.one("vpcId", Action="CreateVpc", CidrBlock="10.0.0.0/16")
        subnet = self.one("subnetId", Action="CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/16")
        ids, left = [], cnt
        while left:
            n = min(left, 50)
            text = self.call(Action="RunInstances", ImageId=self.image, InstanceType="t3.micro", MinCount=n, MaxCount=n, SubnetId=subnet,
                             ClientToken=f"populate-{left}")  # the same again would be another's request, overheard
            ids += re.findall("<instanceId>([^<]+)</instanceId>", text)
            left -= n
        if len(set(ids)) != cnt:
            raise Broken(f"{self.name}: {len(set(ids))} instances instead of {cnt}")
        return ids[cnt // 2]

    def ask(self, body, connections=1, seconds=0.0, requests=0):
        before = cpu_ns(self.pid)
        self.load.stdin.write(f"{connections} {seconds} {requests} {body}\n")
        self.load.stdin.flush()
        line = self.load.stdout.readline()
        if not line:
            raise Broken(f"the load generator ended; see {self.a.log.name}")
        r = json.loads(line)
        if r["errors"]:
            raise Broken(f"{self.name}: {r['errors']} of {r['requests']} requests were refused: {r['first_error']}")
        r["cpu_us"] = (cpu_ns(self.pid) - before) / 1e3 / r["requests"]
        return r

    def close(self):
        self.load.stdin.close()
        self.load.wait(60)
        self.end()


class Niter(System):
    name = "niter"

    def begin(self, folder):
        self.server = api_server.Server(relay=False, base=folder, cpu=self.a.cpus[1])
        self.port, self.pid = self.server.port, self.server.process.pid

    def end(self):
        self.server.close()


class Moto(System):
    name = "moto"

    def begin(self, folder):
        self.port = api_server.free_port()
        self.p = subprocess.Popen([os.path.join(self.a.moto, "moto"), str(self.port)], stdin=subprocess.DEVNULL, stdout=self.a.log,
                                  stderr=self.a.log, preexec_fn=lambda: self.a.cpus[1] is None or os.sched_setaffinity(0, {self.a.cpus[1]}))
        self.pid = self.p.pid

    def end(self):
        self.p.kill()
        self.p.wait()


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def row_of(what, rounds, fields):
    row = {"what": what, "systems": {n: {f: spread([r[f] for r in rs]) for f in fields} for n, rs in rounds.items()}}
    if len(rounds) == 2:
        row["niter_to_moto"] = {f: spread([x[f] / y[f] for x, y in zip(rounds["niter"], rounds["moto"])]) for f in fields}
    return row


def show(row, units):
    print(row["what"])
    for name, s in row["systems"].items():
        cells = [f"{f} {v['median']:,.{units[f]}f} ({v['lowest']:,.{units[f]}f}-{v['highest']:,.{units[f]}f})" for f, v in s.items()]
        print(f"    {name:<6} " + "   ".join(cells))
    if "niter_to_moto" in row:
        print("    niter/moto " + "   ".join(f"{f} {v['median']:.3g} ({v['lowest']:.3g}-{v['highest']:.3g})"
                                             for f, v in row["niter_to_moto"].items()), flush=True)


def turns(a, folder, once):
    """Each system anew in each round: once(system) gives the round's figures."""
    rounds = {k.name: [] for k in a.kinds}
    for _ in range(a.rounds):
        for kind in a.kinds:
            s = kind(a, folder)
            try:
                rounds[kind.name].append(once(s))
            finally:
                s.close()
    return rounds


UNITS = {"ms": 1, "pss_kib": 0, "rate": 0, "p50_us": 0, "p99_us": 0, "cpu_us": 1}
RATE = ["rate", "p50_us", "p99_us", "cpu_us"]


def measure(a, folder):
    rows = []

    def add(what, rounds, fields):
        rows.append(row_of(what, rounds, fields))
        show(rows[-1], UNITS)

    def started(s):
        s.ask(f"Action=DescribeRegions&{VERSION}", 1, 0, 10)
        return {"ms": s.start_ms, "pss_kib": pss_kib(s.pid)}

    add("start to the first answer, memory when idle", turns(a, folder, started), ["ms", "pss_kib"])

    def launch(s):
        image, many = s.one("imageId", Action="DescribeImages"), s.name == "niter"
        body = f"Action=RunInstances&{VERSION}&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1&ClientToken=bench-@"
        return s.ask(body, a.connections if many else 4, 0, a.launches if many else max(a.launches // 10, 20))

    add(f"RunInstances, one instance each, durable (niter: {a.connections} connections, {a.launches} launches)",
        turns(a, folder, launch), RATE)

    for cnt, bodies in ((1, [("DescribeInstances, 1 instance, 1 connection", 1, DESCRIBE),
                             ("DescribeInstances, 1 instance, 16 connections", 16, DESCRIBE)]),
                        (358, [("DescribeInstances, all of 358 instances, 4 connections", 4, DESCRIBE)]),
                        (a.many, [(f"DescribeInstances, one id of {a.many:,} instances, 4 connections", 4, DESCRIBE + "&InstanceId.1={id}"),
                                  (f"DescribeInstances, first page of 100 of {a.many:,} instances, 1 connection", 1, DESCRIBE + "&MaxResults=100"),
                                  (f"DescribeInstances, by state and private address, {a.many:,} instances, 1 connection", 1,
                                   DESCRIBE + "&Filter.1.Name=private-ip-address&Filter.1.Value.1=10.0.7.7"
                                   "&Filter.2.Name=instance-state-name&Filter.2.Value.1=running")])):
        systems = []
        try:
            for kind in a.kinds:
                systems.append(kind(a, folder))
            ids = {s.name: s.populate(cnt) for s in systems}
            if cnt == a.many:
                row = {"what": f"memory with {cnt:,} instances", "systems": {s.name: {"pss_kib": spread([pss_kib(s.pid)])} for s in systems}}
                rows.append(row)
                show(row, UNITS)
            for what, connections, body in bodies:
                rounds = {s.name: [] for s in systems}
                for _ in range(a.rounds):
                    for s in systems:
                        rounds[s.name].append(s.ask(body.replace("{id}", ids[s.name]), connections, a.seconds))
                add(what, rounds, RATE)
        finally:
            for s in systems:
                s.close()
    return rows


TARGETS = [  # what, figure, compare, value, note
    ("start to", "ms", "at most", 20), ("start to", "pss_kib", "at most", 8 * 1024), ("RunInstances", "rate", "at least", 2000),
    ("DescribeInstances, 1 instance, 16", "rate", "at least", 20000), ("DescribeInstances, all of 358", "niter_to_moto", "at least", 50),
    ("DescribeInstances, one id", "p99_us", "at most", 2000)]


def targets(rows):
    out = []
    for what, figure, compare, value in TARGETS:
        row = next(r for r in rows if r["what"].startswith(what))
        if figure == "niter_to_moto":
            if figure not in row:
                continue
            got = row[figure]["rate"]["median"]
        else:
            got = row["systems"]["niter"][figure]["median"]
        out.append({"what": row["what"], "figure": figure, "target": f"{compare} {value}", "got": got,
                    "met": got <= value if compare == "at most" else got >= value})
        print(f"    {'met   ' if out[-1]['met'] else 'MISSED'} {figure} {compare} {value:,}: {got:,.1f}   {row['what']}")
    return out


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="ascii") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}


def fetch_moto(a):
    """Return: why there is none; empty: there is one in a.moto."""
    cache = os.environ.get("NITER_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "niter")
    a.moto = os.path.join(cache, "moto-13")
    done = subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "fetch-moto"), a.moto],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["fetch-moto failed"])[-1]


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    ap.add_argument("--build", default="build")
    ap.add_argument("--out", default="build/bench/api.json")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=float, default=1.5)
    ap.add_argument("--connections", type=int, default=64)
    ap.add_argument("--launches", type=int, default=2000)
    ap.add_argument("--many", type=int, default=10000)
    ap.add_argument("--no-peer", action="store_true")
    a = ap.parse_args()
    os.makedirs(os.path.dirname(a.out) or ".", exist_ok=True)
    a.log = open(a.out + ".log", "w", encoding="utf-8")
    cpus = sorted(os.sched_getaffinity(0))
    a.cpus = (cpus[0], cpus[1]) if len(cpus) > 1 else (None, None)
    api_server.NITERD = os.path.join(a.build, "src/controller/niterd")
    missing = "left out by --no-peer" if a.no_peer else fetch_moto(a)
    a.kinds = [Niter] if missing else [Niter, Moto]
    print(f"api: niterd --launcher=null beside moto's server, {a.rounds} rounds of {a.seconds} s; median (lowest-highest)")
    if os.getloadavg()[0] > 0.7:
        print(f"the machine is busy with something else (load {os.getloadavg()[0]:.1f}): only cpu means much")
    if missing:
        print("no peer: " + missing)
    out = {"machine": machine(), "rounds": a.rounds, "seconds": a.seconds, "pinned": a.cpus[0] is not None,
           "peer": "missing: " + missing if missing else "moto 5.1.1 of Debian 13, HTTP/1.0, nothing verified, nothing durable",
           "command": " ".join(sys.argv)}
    folder = tempfile.mkdtemp(prefix="niter-bench-", dir=os.path.dirname(os.path.abspath(a.out)))
    try:
        out["rows"] = measure(a, folder)
    except (Broken, api_server.Broken) as e:
        sys.exit(f"bench api: {e}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    out["targets"] = targets(out["rows"])
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(out, f, indent=1)
        f.write("\n")
    print(f"figures in {a.out}")


if __name__ == "__main__":
    main()
