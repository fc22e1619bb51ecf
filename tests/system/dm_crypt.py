#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real dm-crypt reads our volumes and writes the same bytes: tests/corpora/volume-golden/dm-crypt.sh, with the kernel
and the modules of the test image. The vectors it once made are replayed natively by src/volume/golden_test.c."""
# niter-test: timeout=600
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import lab

FOUND = ("dm_crypt__reads_what_our_code_wrote", "our_code__reads_what_dm_crypt_wrote", "containers__are_the_same_bytes",
         "units_beyond_2_tib__are_the_same_bytes")
ROOT_OFFSET = 1 << 20  # the image's first partition
image = os.environ["NITER_TEST_IMAGE"]
build = os.environ.get("NITER_BUILD", os.path.join(lab.TOP, "build"))
home = os.path.join(lab.LAB, "dm-crypt")


def debugfs(command):
    disk = f"{os.path.join(image, 'disk.raw')}?offset={ROOT_OFFSET}"
    return subprocess.run(["debugfs", "-R", command, disk], check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()


shutil.rmtree(home, ignore_errors=True)
os.makedirs(home)
top = "/usr/lib/modules" if "lib" in debugfs("ls -p /usr/lib/modules") else "/lib/modules"
version = next(e.split("/")[5] for e in debugfs(f"ls -p {top}").splitlines() if e.count("/") > 5 and e.split("/")[5][0] != ".")
for folder in ("drivers/md", "crypto"):
    debugfs(f"rdump {top}/{version}/kernel/{folder} {home}")
os.makedirs(os.path.join(home, version))
for folder in ("md", "crypto"):
    shutil.move(os.path.join(home, folder), os.path.join(home, version))

done = subprocess.run([os.path.join(lab.TOP, "tests", "corpora", "volume-golden", "dm-crypt.sh"),
                       os.path.join(build, "src", "volume", "volume-tool"), os.path.join(image, "kernel"),
                       os.path.join(home, version)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
out = done.stdout.decode(errors="replace")
print(f"Linux {version}\n{out}", flush=True)
if done.returncode == 77:
    lab.skip("dm_crypt", out)
else:
    for name in FOUND:
        if f"ok {name}" not in out:
            lab.not_ok(name, out[-1500:])
shutil.rmtree(home)
lab.finish()
