#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two stock Debian instances with cloud-init on one host: DHCP through ena, names, metadata, SSH, traffic that arrives whole."""
# niter-test: deferred
# niter-test: timeout=1800
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import jail
import lab

MIB = 64
USER_DATA = """#cloud-config
ssh_genkeytypes: [ed25519]
write_files:
- path: /etc/niter-user-data
  content: brought by user data
"""


def path_ipv4(instance):
    return next(i for i in server.niter("ps")["instances"] if i["id"] == instance)["private_ip"]


def sha256_of(text):
    found = re.search(r"\b[0-9a-f]{64}\b", text)
    return found.group(0) if found else text


server = lab.Lab("network", memory=3072, cpus=1, image="network")
server.start()
before = sorted(p["name"] for p in server.processes())
user_data = os.path.join(server.home, "user-data")
with open(user_data, "w", encoding="ascii") as f:
    f.write(USER_DATA)
instances = [server.run("--type", "t3.micro", "--cpus", "1x1", "--name", name, "--key", server.key() + ".pub",
                        "--user-data", user_data) for name in ("left", "right")]
left, right = instances
jail.check(server.processes(), instances)
address = {i: path_ipv4(i) for i in instances}
name = {i: "ip-" + a.replace(".", "-") for i, a in address.items()}

for which, i in zip(("left", "right"), instances):
    lab.check(f"{which}__ssh_gives_a_shell", server.ssh(i, "echo it is me", timeout=600).strip() == "it is me")
    said = server.ssh(i, "cloud-init status --wait --long; true", timeout=600)
    lab.check(f"{which}__cloud_init_is_done", "status: done" in said, said)
    lab.check(f"{which}__cloud_init_found_ec2", "DataSourceEc2" in said, said)
    lab.check(f"{which}__hostname_is_from_metadata", server.ssh(i, "hostname").strip() == name[i], name[i])
    lab.check(f"{which}__user_data_is_carried_out", "brought by" in server.ssh(i, "cat /etc/niter-user-data"))
    said = server.ssh(i, "ip -4 -o addr show scope global; ip route; cat /etc/resolv.conf")
    lab.check(f"{which}__address_is_from_dhcp", f"inet {address[i]}/20" in said, said)
    lab.check(f"{which}__default_route_is_the_router", "default via 172.31.0.1" in said, said)
    said = server.ssh(i, "basename $(readlink /sys/class/net/e*/device/driver)")
    lab.check(f"{which}__driver_is_ena", said.strip() == "ena", said)
    said = server.ssh(i, "sudo dmesg --level=emerg,alert,crit,err,warn")
    lab.check(f"{which}__kernel_logs_no_warning", lab.unknown_warnings(said) == "", lab.unknown_warnings(said))

token = "T=$(python3 -c 'import urllib.request as u; print(u.urlopen(u.Request(\"http://169.254.169.254/latest/api/token\", " \
        "method=\"PUT\", headers={\"X-aws-ec2-metadata-token-ttl-seconds\": \"60\"})).read().decode())'); "
get = "python3 -c 'import sys, urllib.request as u; sys.stdout.write(u.urlopen(u.Request(\"http://169.254.169.254/latest/\" + sys.argv[2], " \
      "headers={\"X-aws-ec2-metadata-token\": sys.argv[1]})).read().decode())' "
document = server.ssh(left, token + get + "$T dynamic/instance-identity/document")
lab.check("metadata__identity_document_names_the_instance", json.loads(document)["instanceId"] == left, document)
signature = server.ssh(left, token + get + "$T dynamic/instance-identity/rsa2048")
with tempfile.TemporaryDirectory() as folder:
    pkcs7, certificate = os.path.join(folder, "pkcs7"), os.path.join(folder, "certificate")
    with open(pkcs7, "w", encoding="ascii") as f:
        f.write(f"-----BEGIN PKCS7-----\n{signature.strip()}\n-----END PKCS7-----\n")
    with open(certificate, "w", encoding="ascii") as f:
        f.write(server.niter("host", "certificate")["certificate"])
    done = subprocess.run(["openssl", "smime", "-verify", "-inform", "PEM", "-in", pkcs7, "-certfile", certificate, "-noverify"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
lab.check("metadata__identity_document_is_signed_by_the_host", done.returncode == 0 and done.stdout.decode() == document,
          done.stderr.decode())
said = server.ssh(left, "python3 -c 'import urllib.request as u; u.urlopen(\"http://169.254.169.254/latest/meta-data/\")' 2>&1; true")
lab.check("metadata__refuses_requests_without_token", "HTTP Error 401" in said, said)

said = server.ssh(left, f"ping -c 3 -W 5 {name[right]}.ec2.internal")
lab.check("names__lead_to_the_other_instance", address[right] in said and " 0% packet loss" in said, said)
server.ssh(right, "setsid -f iperf3 -s -D; head -c %d /dev/urandom >blob; setsid -f python3 -m http.server 8000 >/dev/null 2>&1" % (MIB << 20))
run = json.loads(server.ssh(left, f"iperf3 -J -t 5 -c {name[right]}", timeout=120))
print(f"# iperf3: {run['end']['sum_received']['bits_per_second'] / 1e6:.1f} Mbit/s, "
      f"{run['end']['sum_sent'].get('retransmits')} retransmits", flush=True)
lab.check("traffic__iperf3_runs", run["end"]["sum_received"]["bytes"] > 1 << 20, run["end"])
want = sha256_of(server.ssh(right, "sha256sum blob"))
got = sha256_of(server.ssh(left, f"python3 -c 'import hashlib, urllib.request as u; r = u.urlopen(\"http://{name[right]}:8000/blob\"); "
                                 "h = hashlib.sha256(); [h.update(b) for b in iter(lambda: r.read(65536), b\"\")]; print(h.hexdigest())'",
                           timeout=300))
lab.check("traffic__64_mib_arrive_whole", got == want, f"{got} is not {want}")

for i in instances:
    server.niter("rm", i)
after = sorted(p["name"] for p in server.processes() if p["name"] != "niter-gateway")
lab.check("teardown__leaves_no_process", after == before, after)
server.stop()
lab.finish()
