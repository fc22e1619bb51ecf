#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three instances at once, with 1, 2 and 4 vCPUs and a truthful topology, each in its own set of jailed processes."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import jail
import lab

# cores x threads: what Linux must say of each CPU. The first thread of every core comes first, as on EC2.
SHAPES = {
    "1x1": ("t3.nano", ["cpu0 core=0 siblings=0"]),
    "1x2": ("t3.nano", ["cpu0 core=0 siblings=0-1", "cpu1 core=0 siblings=0-1"]),
    "2x2": ("c5.xlarge", ["cpu0 core=0 siblings=0,2", "cpu1 core=1 siblings=1,3",
                          "cpu2 core=0 siblings=0,2", "cpu3 core=1 siblings=1,3"]),
}

server = lab.Lab("cpus", memory=11 * 1024, cpus=1)
server.start()
before = sorted(p["name"] for p in server.processes())
instances = {shape: server.run("--type", kind, "--cpus", shape, "--name", f"shape-{shape}")
             for shape, (kind, _) in SHAPES.items()}
jail.check(server.processes(), instances.values())

for shape, (_, cpus) in SHAPES.items():
    try:
        seen = server.probe(instances[shape], 1, timeout=600)
    except TimeoutError as e:
        lab.not_ok(f"guest_{shape}__boots", e)
        continue
    lab.ok(f"guest_{shape}__boots")
    lines = seen["cpus"].splitlines()
    lab.check(f"guest_{shape}__sees_its_vcpus", lines[0] == str(len(cpus)), lines)
    lab.check(f"guest_{shape}__topology_is_truthful", lines[1:] == cpus, lines)
    lab.check(f"guest_{shape}__kernel_logs_no_warning", lab.unknown_warnings(seen["warnings"]) == "", lab.unknown_warnings(seen["warnings"]))
    lab.check(f"guest_{shape}__has_its_own_data", "data: made" in seen["data"], seen["data"])

ids = {i["id"] for i in server.niter("ps")["instances"] if i["state"] == "running"}
lab.check("instances__all_run_at_once", ids == set(instances.values()), ids)
for instance in instances.values():
    server.niter("rm", instance)
after = sorted(p["name"] for p in server.processes() if p["name"] != "niter-gateway")  # one a network; it stays
lab.check("teardown__leaves_no_process", after == before, after)
lab.check("teardown__leaves_no_volume", server.niter("volume", "ls")["volumes"] == [])
server.stop()
lab.finish()
