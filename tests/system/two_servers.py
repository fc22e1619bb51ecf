#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two simulated servers joined by a network, an instance on each, one VPC: what crosses is ESP, and tshark can read it.

The servers run a laboratory build of niter-wire that logs its keys (-Dkey_export=true, build-lab/); nothing else differs.
"""
# niter-test: deferred
# niter-test: timeout=1800
import concurrent.futures
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import lab

MARKER = "a sentence that only the two guests may see"
host_image = os.environ.get("NITER_LAB_HOST_IMAGE", "")
if not os.path.exists(os.path.join(host_image, "initramfs.cpio")):
    lab.skip("two_servers", "no host image in NITER_LAB_HOST_IMAGE: ./run test --all makes it")
    lab.finish()
os.environ["NITER_HOST_IMAGE"] = host_image

link = os.path.join(lab.LAB, "two.link")
capture = os.path.join(lab.LAB, "two.pcap")
for path in (link, capture):
    if os.path.exists(path):
        os.unlink(path)
# Not copies of one golden home: that would be one host twice, with one identity.
servers = {"left": lab.Lab("two-left", golden=False), "right": lab.Lab("two-right", golden=False)}
underlay = {"left": "10.77.0.1", "right": "10.77.0.2"}
private = {"left": "172.31.0.10", "right": "172.31.0.11"}
other = {"left": "right", "right": "left"}
vni = 0x1001

servers["left"].start(snapshot=False, more=["--link", link, "--link-listen", "--link-address", underlay["left"] + "/24",
                                            "--link-capture", capture])
servers["right"].start(snapshot=False, more=["--link", link, "--link-address", underlay["right"] + "/24"])
fingerprint = {s: servers[s].fingerprint() for s in servers}
lab.check("hosts__have_identities_of_their_own", len(set(fingerprint.values())) == 2 and all(fingerprint.values()), fingerprint)


def launch(s):
    key = servers[s].key()
    servers[s].niter("image", "put", os.environ["NITER_NETWORK_IMAGE"], "--name", "debian", timeout=900)
    return servers[s].run("--type", "t3.micro", "--cpus", "1x1", "--name", s, "--key", key + ".pub", "--private-ip", private[s])


with concurrent.futures.ThreadPoolExecutor() as pool:
    instance = dict(zip(servers, pool.map(launch, servers)))
for s, o in other.items():
    interface = next(i for i in servers[o].niter("network", "ls")["interfaces"] if i["instance"] == instance[o])
    servers[s].niter("peer", "add", o, underlay[o], fingerprint[o])
    servers[s].niter("peer", "map", o, "--ip", private[o], "--mac", interface["mac"])
with concurrent.futures.ThreadPoolExecutor() as pool:
    list(pool.map(lambda s: servers[s].ssh(instance[s], "true", timeout=900), servers))

for s, o in other.items():
    said = servers[s].ssh(instance[s], f"ping -c 5 -W 10 {private[o]}", check=False)
    lab.check(f"{s}__reaches_the_instance_on_the_other_host", " 0% packet loss" in said, said)
servers["right"].ssh(instance["right"], f"mkdir -p www; echo {MARKER} >www/marker; head -c 8388608 /dev/urandom >www/blob; cd www; "
                                        "setsid -f python3 -m http.server 8000 >/dev/null 2>&1 </dev/null")
want = servers["right"].ssh(instance["right"], "sha256sum www/blob").split()[0]
fetch = "import hashlib, sys, urllib.request as u; d = u.urlopen(sys.argv[1]).read(); print(hashlib.sha256(d).hexdigest(), d[:60])"
base = f"http://{private['right']}:8000"
said = servers["left"].ssh(instance["left"], f"python3 -c '{fetch}' {base}/marker")
lab.check("marker__crosses", MARKER in said, said)
said = servers["left"].ssh(instance["left"], f"python3 -c '{fetch}' {base}/blob")
lab.check("traffic__8_mib_arrive_whole", said.split()[0] == want, said[:200])

logs = {s: servers[s].log() for s in servers}
for s in servers:
    servers[s].niter("rm", instance[s])
    servers[s].stop()

with open(capture, "rb") as f:
    raw = f.read()
lab.check("capture__does_not_hold_the_marker", MARKER.encode() not in raw)
keys = set()
for s, text in logs.items():
    for m in re.finditer(r"key_export\.sa.*dir=(\w+).*vni=(\w+) spi=(0x[0-9a-f]+) key=([0-9a-f]+) salt=([0-9a-f]+)", text):
        if m.group(1) == "tx":
            keys.add((s, m.group(3), m.group(4) + m.group(5)))
lab.check("keys__were_logged_by_the_laboratory_build", len(keys) >= 2, logs["left"][-800:])
sa = [arg for s, spi, key in sorted(keys) for arg in ("-o", f'uat:esp_sa:"IPv4","{underlay[s]}","{underlay[other[s]]}","{spi}",'
                                                            f'"AES-GCM with 16 octet ICV [RFC4106]","0x{key}","NULL",""')]


def tshark(*args):
    done = subprocess.run(["tshark", "-r", capture, "-n", "-o", "esp.enable_encryption_decode:TRUE",
                           "-o", "esp.enable_authentication_check:TRUE", *sa, *args],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("tshark: " + done.stderr[-1000:])
    return done.stdout.splitlines()


everything = tshark()
lab.check("capture__holds_something", len(everything) > 1000, len(everything))
# The servers' own kernels find each other by ARP and IPv6's neighbour discovery; handshakes begin with the non-ESP marker. The
# guests' MTU is EC2's 9001, so that a large frame's datagram crosses as IP fragments; tshark puts them together again.
stray = tshark("-Y", "!(udp.port == 4500) && !arp && !icmpv6 && !(ip.proto == 17 && ip.flags.mf == 1)")
lab.check("capture__holds_only_the_tunnel", not stray, stray[:5])
esp = tshark("-Y", "esp", "-T", "fields", "-e", "esp.spi")
inner = tshark("-Y", "esp && geneve", "-T", "fields", "-e", "geneve.vni")
lab.check("tshark__decrypts_every_packet", esp and len(inner) == len(esp), f"{len(inner)} of {len(esp)}")
lab.check("tshark__finds_the_vni", {int(v.split(",")[0], 0) for v in inner} == {vni}, set(inner))
good = tshark("-Y", "esp.icv_good == 1")
lab.check("tshark__verifies_every_packet", len(good) == len(esp), f"{len(good)} of {len(esp)}")
text = "\n".join(tshark("-Y", f'frame contains "{MARKER}" || tcp contains "{MARKER}" || http contains "{MARKER}"'))
lab.check("tshark__finds_the_marker_once_decrypted", text != "", "nothing found")
print(f"# {len(esp)} ESP packets", flush=True)
lab.finish()
