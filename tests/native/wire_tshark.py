#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tshark judges what two real niter-wire sent each other: given the keys, every packet's ICV is right, its number is the next of its key,
the VNI is the key's, and the inner frame comes from an instance of that network. Before and after a change of keys.

    wire_tshark.py WIRE-PCAP NITER-WIRE

Exits 77 (skipped) where tshark is missing.
"""
import collections
import os
import shutil
import subprocess
import sys
import tempfile

FIELDS = ["ip.src", "esp.spi", "esp.sequence", "geneve.vni", "udp.dstport", "eth.src", "esp.icv_good", "esp.icv_bad", "_ws.malformed"]


def tshark(capture, sas):
    command = ["tshark", "-r", capture, "-n", "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|",
               "-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
    for field in FIELDS:
        command += ["-e", field]
    for src, dst, spi, key, _ in sas:
        command += ["-o", f'uat:esp_sa:"IPv4","{src}","{dst}","{spi}","AES-GCM with 16 octet ICV [RFC4106]","{key}","NULL",""']
    env = {**os.environ, "HOME": os.path.dirname(capture), "XDG_CONFIG_HOME": os.path.dirname(capture)}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        sys.exit(f"tshark fails: {done.stderr}")
    return [dict(zip(FIELDS, line.split("\t"))) for line in done.stdout.splitlines()]


def judge(no, row, vni_of, last):
    spi, vni = int(row["esp.spi"], 16), row["geneve.vni"]
    outer = row["ip.src"].split("|")[0]
    host = {"10.77.0.1": 1, "10.77.0.2": 2}[outer]
    number = {"esp.icv_good": "1", "esp.icv_bad": "0", "_ws.malformed": "", "udp.dstport": None, "eth.src": None}
    for field, want in number.items():
        if want is not None and row[field] != want:
            sys.exit(f"not ok: packet {no}: {field} is {row[field]!r}: {row}")
    if not vni or int(vni, 16) != vni_of[(outer, spi)]:
        sys.exit(f"not ok: packet {no}: VNI {vni!r} under a key of {vni_of[(outer, spi)]:#x}")
    if int(row["esp.sequence"]) != last[spi] + 1:
        sys.exit(f"not ok: packet {no}: number {row['esp.sequence']} after {last[spi]}")
    last[spi] += 1
    if not row["eth.src"].startswith(f"06:00:00:00:0{host}:0"):
        sys.exit(f"not ok: packet {no}: inner source {row['eth.src']!r} from host {host}")


def main():
    if not shutil.which("tshark"):
        print("skip: tshark is not installed (package tshark)")
        return 77
    with tempfile.TemporaryDirectory() as d:
        capture = os.path.join(d, "wire.pcap")
        out = subprocess.run([sys.argv[1], sys.argv[2], capture], stdout=subprocess.PIPE, text=True, check=True).stdout
        words = [line.split() for line in out.splitlines()]
        sas = [w[1:] for w in words if w[0] == "sa"]
        count = next(int(w[1]) for w in words if w[0] == "packets")
        rows = tshark(capture, sas)
    if len(rows) != count or count < 160:
        sys.exit(f"not ok: {count} packets, {len(rows)} rows")
    vni_of = {(src, int(spi, 16)): int(vni) for src, _, spi, _, vni in sas}
    last = collections.Counter()
    for no, row in enumerate(rows, 1):
        judge(no, row, vni_of, last)
    if len(last) != len(sas) or len(sas) != 8:  # two networks, two directions, two epochs
        sys.exit(f"not ok: {len(sas)} keys given out, {len(last)} used")
    print(f"ok: tshark verified {count} packets of {len(sas)} keys in {len(set(vni_of.values()))} networks, numbers without a gap")
    return 0


sys.exit(main())
