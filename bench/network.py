#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packets from guest to guest on two hosts, beside a plain encrypted UDP loop and the cipher's ceiling, in one run.

Ours: guest's driver -> ENA device, VPC engine (20 security group rules each way, source check, connection tracking) -> ring ->
wire -> UDP on the loopback -> wire -> ring -> VPC engine, ENA device -> guest's memory. The code of niter-network-card
and niter-wire, driven in one thread so that each stage's time can be told (bench/network_bench.c); the played guest
driver's own time is not counted. From the same runs:
  one core     all four stages on one core: 1 / sum of their times
  per stage    a core for each stage: 1 / the slowest one's time. Calculated, not measured: nothing runs side by side
The kernel's part of the loopback is in the wires' stages: sending on it includes receiving.

"no cipher" is the same program with an empty cipher linked in; what is missing from it is the price of encryption.
Then the real niter-wire processes in their jails, two of them, with played cards at their rings: CPU time of each per frame
(what matters: three processes share the CPUs), and the time of one frame there and one back with everybody asleep
in between.

UDP + OpenSSL is the plainest tunnel there can be: seal, sendmmsg, recvmmsg, open, one thread, no card, no rules.
ceiling is libipsec-mb sealing and opening in memory, nothing else.

All are pinned to one CPU and take turns. A run's figure is the median of its batches (128 packets, or 4 sends): what a batch
takes that nobody interrupts. The plain mean is in the JSON as ns_mean. Printed are the median and the spread (lowest to
highest) over the rounds. Packets of tcp rows are cut by the device (TSO) from sends of 60 KiB.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys

ETH = 14
ROWS = [  # name, command, bytes of a frame
    ("64 B frames, udp", "udp", 64), ("1408 B packets, udp", "udp", 1408 + ETH),
    ("1408 B packets, tcp cut by TSO", "tso", 1408 + ETH), ("8901 B packets, tcp cut by TSO", "tso", 8901 + ETH)]
STAGES = ["card_tx", "wire_tx", "wire_rx", "card_rx"]
TARGETS = {"64 B frames, udp": ("mpps", 3.0), "1408 B packets, udp": ("gbit", 20.0)}  # facts: per core


class Broken(Exception):
    pass


class Driver:
    def __init__(self, a, program, *args, pinned=True):
        path = os.path.join(a.build, "bench", program)
        cpu = a.cpu if pinned else None
        self.p = subprocess.Popen([path, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=a.log,
                                  env=dict(os.environ, NITER_LOG="err"),
                                  preexec_fn=lambda: cpu is None or os.sched_setaffinity(0, {cpu}))
        self.log = a.log.name
        self.cipher = self.read().get("cipher")

    def read(self):
        line = self.p.stdout.readline()
        if not line:
            raise Broken("network-bench ended; see " + self.log)
        return json.loads(line)

    def run(self, what, size, seconds):
        self.p.stdin.write(f"{what} {size} {seconds}\n")
        self.p.stdin.flush()
        return self.read()

    def close(self):
        self.p.stdin.close()
        self.p.wait(60)


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def figures(frame, ns):
    """Packets per second in millions, and gigabits of IP packets per second, from nanoseconds per packet."""
    return {"mpps": spread([1e3 / n for n in ns]), "gbit": spread([(frame - ETH) * 8 / n for n in ns])}


def measure(a, real, null, row):
    name, what, frame = row
    runs = {"niter": [], "no cipher": [], "UDP + OpenSSL": [], "ceiling": []}
    for _ in range(a.rounds):
        runs["niter"].append(real.run(what, frame, a.seconds))
        runs["no cipher"].append(null.run(what, frame, a.seconds))
        if what == "udp":
            runs["UDP + OpenSSL"].append(real.run("openssl", frame, a.seconds))
            runs["ceiling"].append(real.run("ceiling", frame, a.seconds))
    out = {"row": name, "frame_bytes": frame, "systems": {}}
    for system in ("niter", "no cipher"):
        rs = runs[system]
        out["systems"][system] = {
            "one_core": figures(frame, [r["ns_total"] for r in rs]),
            "core_per_stage": figures(frame, [max(r["ns_" + s] for s in STAGES) for r in rs]),
            "ns": {s: spread([r["ns_" + s] for r in rs]) for s in STAGES},
            "ns_mean": spread([r["ns_mean"] for r in rs]),
            "lost": sum(r["lost"] for r in rs), "frames": sum(r["frames"] for r in rs)}
    for system in ("UDP + OpenSSL", "ceiling"):
        if runs[system]:
            out["systems"][system] = {"one_core": figures(frame, [r["ns_total"] for r in runs[system]])}
    pairs = list(zip(runs["niter"], runs["no cipher"]))
    out["encryption_costs"] = spread([1 - n["ns_total"] / y["ns_total"] for y, n in pairs])
    out["encryption_costs_slowest_stage"] = spread(
        [1 - max(n["ns_" + s] for s in STAGES) / max(y["ns_" + s] for s in STAGES) for y, n in pairs])
    if runs["UDP + OpenSSL"]:
        out["niter_to_openssl"] = spread([o["ns_total"] / y["ns_total"]
                                          for y, o in zip(runs["niter"], runs["UDP + OpenSSL"])])
    return out


def processes(a):
    """The real programs."""
    d = Driver(a, "network-wire-bench", os.path.join(a.build, "src/wire/niter-wire"), pinned=False)
    try:
        out = {"stream": [], "echo_us": None}
        for frame in (64, 1408 + ETH):
            rs = [d.run("stream", frame, a.seconds) for _ in range(a.rounds)]
            row = {"frame_bytes": frame, "mpps": spread([r["pps"] / 1e6 for r in rs]), "lost": sum(r["lost"] for r in rs),
                   "cpu_ns_tx": spread([r["cpu_ns_tx"] for r in rs]), "cpu_ns_rx": spread([r["cpu_ns_rx"] for r in rs])}
            out["stream"].append(row)
            print(f"niter-wire processes, {frame} B frames: {row['mpps']['median']:.2f} M packets/s "
                  f"({row['mpps']['lowest']:.2f}-{row['mpps']['highest']:.2f}) on {os.cpu_count()} CPUs with their cards' player; "
                  f"CPU time of a packet: sender {row['cpu_ns_tx']['median']:.0f} ns, receiver "
                  f"{row['cpu_ns_rx']['median']:.0f} ns; lost {row['lost']}")
        out["echo_us"] = spread([d.run("echo", 64, a.seconds)["us_median"] for _ in range(a.rounds)])
        e = out["echo_us"]
        print(f"niter-wire processes, one frame there and back: {e['median']:.0f} us ({e['lowest']:.0f}-{e['highest']:.0f})")
        return out
    finally:
        d.close()


def text(f):
    m, g = f["mpps"], f["gbit"]
    return (f"{m['median']:>6.2f} M packets/s ({m['lowest']:.2f}-{m['highest']:.2f}), "
            f"{g['median']:>5.1f} Gbit/s ({g['lowest']:.1f}-{g['highest']:.1f})")


def print_row(row):
    print(row["row"])
    for name, s in row["systems"].items():
        print(f"    {name:<14} one core  {text(s['one_core'])}")
        if "core_per_stage" in s:
            print(f"    {'':<14} per stage {text(s['core_per_stage'])}")
            print(f"    {'':<14} ns/packet " + ", ".join(f"{k} {v['median']:.0f}" for k, v in s["ns"].items()) +
                  f"; lost {s['lost']} of {s['frames']}")
    e, t = row["encryption_costs"], row["encryption_costs_slowest_stage"]
    print(f"    encryption costs {e['median']:.0%} of the rate on one core ({e['lowest']:.0%}-{e['highest']:.0%}), "
          f"{t['median']:.0%} of the slowest stage's ({t['lowest']:.0%}-{t['highest']:.0%})")
    if "niter_to_openssl" in row:
        o = row["niter_to_openssl"]
        print(f"    all of niter on one core / UDP + OpenSSL: {o['median']:.2f} x ({o['lowest']:.2f}-{o['highest']:.2f})")
    sys.stdout.flush()


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="ascii") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    try:
        openssl = subprocess.run(["openssl", "version"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    except OSError:
        openssl = "?"
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0],
            "openssl": openssl}


def neighbour(a):
    """Two real cards with the same contract; one floods. Wall clock, five alternations; never a gate."""
    program = os.path.join(a.build, "tests/native/network-neighbour")
    card = os.path.join(a.build, "src/cards/network/niter-network-card")
    rounds = []
    for _ in range(a.rounds):
        r = subprocess.run([program, card, str(a.seconds)], stdout=subprocess.PIPE, text=True, stderr=a.log, check=False)
        if r.returncode:
            raise Broken("network-neighbour ended; see " + a.log.name)
        rounds.append(json.loads(r.stdout))
    m = {k: statistics.median(x[k] for x in rounds) for k in rounds[0]}
    print(f"neighbour: sends {m['victim_sends_of_contract']:.0%} of its {m['contract_bps'] / 1e6:.0f} Mbit/s; "
          f"arrived alone {m['victim_alone']:.1%}, beside a flood {m['victim_beside']:.1%}; "
          f"p99 {m['victim_p99_us_alone']:.0f} us and {m['victim_p99_us_beside']:.0f} us; "
          f"the flooder got {m['flooder_of_contract']:.1%} of its contract")
    return {"median": m, "rounds": rounds}


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    ap.add_argument("--build", default="build")
    ap.add_argument("--out", default="build/bench/network.json")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=float, default=1.0)
    a = ap.parse_args()
    os.makedirs(os.path.dirname(a.out) or ".", exist_ok=True)
    a.log = open(a.out + ".log", "w", encoding="utf-8")
    cpus = sorted(os.sched_getaffinity(0))
    a.cpu = cpus[-1] if len(cpus) > 1 else None
    print(f"network: guest to guest through two cards and two wires, {a.rounds} rounds of {a.seconds} s; "
          "median (lowest-highest)")
    if os.getloadavg()[0] > 0.7:
        print(f"the machine is busy with something else (load {os.getloadavg()[0]:.1f}): the figures are too low")
    systems = []
    try:
        real, null = Driver(a, "network-bench"), Driver(a, "network-bench-null")
        systems = [real, null]
        out = {"machine": machine(), "cipher": real.cipher, "rounds": a.rounds, "seconds": a.seconds,
               "pinned": a.cpu is not None, "command": " ".join(sys.argv), "rows": []}
        if null.cipher != "none" or real.cipher == "none":
            raise Broken("the two programs have the wrong ciphers")
        print("cipher: AES-256-GCM, " + real.cipher)
        for row in ROWS:
            out["rows"].append(measure(a, real, null, row))
            print_row(out["rows"][-1])
        out["processes"] = processes(a)
        out["neighbour"] = neighbour(a)
    except Broken as e:
        sys.exit(f"bench network: {e}")
    finally:
        for s in systems:
            s.close()
    for row in out["rows"]:
        if row["row"] in TARGETS:
            unit, least = TARGETS[row["row"]]
            got = row["systems"]["niter"]["core_per_stage"][unit]["median"]
            row["target"] = {"unit": unit, "least": least, "reached": got >= least}
            print(f"target {row['row']}: {least:g} {unit} per core, {got:.2f}: "
                  f"{'reached' if got >= least else 'missed'}")
    with open(a.out, "w", encoding="utf-8") as f:
        json.dump(out, f, indent=1)
        f.write("\n")
    print(f"figures in {a.out}")


if __name__ == "__main__":
    main()
