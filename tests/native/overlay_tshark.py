#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tshark judges the frame between hosts: given the keys, it decrypts what esp_seal() made, verifies every ICV and finds
UDP, Geneve, the VNI and the inner frame. Packets with one bit turned must not verify, and without the keys nothing
of the inside may be seen.

    overlay_tshark.py OVERLAY-PCAP

Exits 77 (skipped) where tshark is missing.
"""
import os
import shutil
import subprocess
import sys
import tempfile

# One capture column each; -E occurrence=a gives outer and inner, in this order.
FIELDS = ["esp.spi", "esp.sequence", "geneve.vni", "udp.dstport", "ip.src", "eth.src", "esp.icv_good", "esp.icv_bad",
          "esp.pad_len", "esp.protocol", "_ws.malformed"]


def tshark(capture, sas):
    """Rows of FIELDS."""
    command = ["tshark", "-r", capture, "-n", "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|"]
    for field in FIELDS:
        command += ["-e", field]
    if sas:
        command += ["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
    for src, dst, spi, key in sas:
        command += ["-o", f'uat:esp_sa:"IPv4","{src}","{dst}","{spi}","AES-GCM with 16 octet ICV [RFC4106]","{key}","NULL",""']
    env = {**os.environ, "HOME": os.path.dirname(capture), "XDG_CONFIG_HOME": os.path.dirname(capture)}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        sys.exit(f"tshark fails: {done.stderr}")
    return [dict(zip(FIELDS, line.split("\t"))) for line in done.stdout.splitlines()]


def check(what, row, field, want):
    if row[field] != want:
        sys.exit(f"not ok {what}: {field} is {row[field]!r}, should be {want!r}: {row}")


def judge_good(packet, row):
    spi, seq, vni, port, _, _ = packet
    what = f"packet {spi} {seq}"
    for field, want in {
            "esp.spi": spi, "esp.sequence": seq, "geneve.vni": f"0x{int(vni):06x}", "udp.dstport": f"4500|6081|{port}",
            "esp.icv_good": "1", "esp.icv_bad": "0", "esp.protocol": "0x11", "_ws.malformed": ""}.items():
        check(what, row, field, want)
    if not row["ip.src"].endswith("|10.0.0.1") or not row["eth.src"].endswith("|02:00:00:00:00:50"):
        sys.exit(f"not ok {what}: the inner frame is not there: {row}")


def main():
    if not shutil.which("tshark"):
        print("skip: tshark is not installed (package tshark)")
        return 77
    with tempfile.TemporaryDirectory() as d:
        capture = os.path.join(d, "overlay.pcap")
        words = [line.split() for line in subprocess.check_output([sys.argv[1], capture], text=True).splitlines()]
        sas = [w[1:] for w in words if w[0] == "sa"]
        packets = [w[1:] for w in words if w[0] == "packet"]
        rows = tshark(capture, sas)
        closed = tshark(capture, [])
    if len(rows) != len(packets) or len(closed) != len(packets) or not packets:
        sys.exit(f"not ok: {len(packets)} packets, {len(rows)} rows")
    for packet, row in zip(packets, rows):
        if packet[5] == "good":
            judge_good(packet, row)
        else:
            check(f"flipped bit, packet {packet[1]}", row, "esp.icv_bad", "1")
            check(f"flipped bit, packet {packet[1]}", row, "esp.icv_good", "0")
    for packet, row in zip(packets, closed):
        check("without keys", row, "udp.dstport", "4500")
        check("without keys", row, "geneve.vni", "")
    good = sum(p[5] == "good" for p in packets)
    print(f"ok: tshark verified {good} packets of {len(sas)} SAs, found each VNI and inner frame; "
          f"{len(packets) - good} with one flipped bit do not verify; without keys nothing is seen")
    return 0


sys.exit(main())
