#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# niter-test: timeout=300
"""Bad input and broken surroundings: one clear line, an exit code that is not 0, nothing half-made left behind.

The server has a state disk of 96 MiB of its own and images of a few KiB: their kernel is a loop that halts.
"""
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import lab

MIB = 1 << 20
STATE_MIB = 96
HEADER_COPY = 16384  # of a LUKS2 header: 4096 bytes of binary, the rest JSON; the second copy follows
PROGRESS = re.compile(r"(making the encrypted disk|starting the instance|uploading)(: \d+%)?$")
HALT = b"\xfa\xf4\xeb\xfd"  # cli; 1: hlt; jmp 1b


def kernel():
    """The smallest vmlinux: it starts and sleeps."""
    at, start = 64 + 56, 16 * MIB
    size = at + len(HALT)
    return (struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, start + at, 64, 0, 0, 64, 56, 1, 0, 0, 0) +
            struct.pack("<IIQQQQQQ", 1, 5, 0, start, start, size, size, 4096) + HALT)


def image(name, kernel_bytes, disk=MIB, text=None):
    """An image directory; DISK is a size or None, TEXT stands in for its description."""
    path = os.path.join(files, name)
    os.makedirs(path)
    with open(os.path.join(path, "kernel"), "wb") as f:
        f.write(kernel_bytes)
    if disk is not None:
        with open(os.path.join(path, "disk.raw"), "wb") as f:
            f.write(b"disk of " + name.encode())
            f.truncate(disk)
    description = {"name": name, "architecture": "x86_64", "kernel_version": "none", "cmdline": "quiet"}
    with open(os.path.join(path, "image.json"), "w") as f:
        f.write(text or json.dumps(description))
    return path


def one_line(name, answer, *wanted, code=1):
    """ANSWER of a refusal: the exit code, and one line in which all of WANTED stand."""
    got, text = answer
    lines = [line for line in text.splitlines() if not PROGRESS.match(line)]
    if os.environ.get("NITER_BAD_INPUT_SHOW"):
        print(f"# {name}: {lines}", flush=True)
    lab.check(name, got == code and len(lines) == 1 and lines[0].startswith("niter: ") and
              all(w in lines[0] for w in wanted), f"exit code {got}: {text}")


def left():
    """What there is: names of processes, instances of any state but terminated, volumes, images, free memory."""
    status = server.niter("host", "status")
    instances = [(i["id"], i["state"]) for i in server.niter("ps", "--all")["instances"] if i["state"] != "terminated"]
    return (sorted(p["name"] for p in server.processes()), instances,
            sorted((v["id"], v["state"]) for v in server.niter("volume", "ls")["volumes"]),
            sorted(i["id"] for i in server.niter("image", "ls")["images"]), status.get("ram_free_bytes"))


def left_nothing(name, before):
    now = left()
    lab.check(name, now == before, f"before: {before}; now: {now}")


def home_processes(home):
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            words = open(path, "rb").read()
        except OSError:
            continue
        if home.encode() + b"/" in words:
            found.append(words.replace(b"\0", b" ")[:200].decode(errors="replace"))
    return found


def without_host(name, *wanted, args=("host", "start", "--simulated"), code=1, **env):
    """niter ARGS where no host runs: refused, and then none runs either."""
    home = os.path.join(files, "home-" + name)
    done = subprocess.run([lab.NITER, *args], env={**server.env, "NITER_HOME": home, **env}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    one_line(name, (done.returncode, done.stderr.decode(errors="replace").strip()), *wanted, code=code)
    halves = [p for p in ("host.json", "state.raw.new", "run/qemu.pid") if os.path.exists(os.path.join(home, p))]
    lab.check(name + "__leaves_nothing", not home_processes(home) and not halves, (home_processes(home), halves))


def volume_path(volume):
    for directory in ("/volumes", "/launcher/volumes", "/niter/volumes"):
        path = f"{directory}/{volume}.luks"
        if blocks(path):
            return path
    raise FileNotFoundError(volume)


def blocks(path):
    done = subprocess.run(["debugfs", "-R", f"blocks {path}", server.state_path()], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=60)
    return [int(w) for w in done.stdout.split() if w.isdigit()]


def block_size():
    with open(server.state_path(), "rb") as f:
        f.seek(1024 + 24)
        return 1024 << struct.unpack("<I", f.read(4))[0]


def header_io(volume, data=None):
    """Read both copies of a volume's header on the stopped server's disk, or write them."""
    size = block_size()
    where = blocks(volume_path(volume))[:2 * HEADER_COPY // size]
    got = b""
    with open(server.state_path(), "r+b") as f:
        for k, block in enumerate(where):
            f.seek(block * size)
            if data is None:
                got += f.read(size)
            else:
                f.write(data[k * size:(k + 1) * size])
        f.flush()
        os.fsync(f.fileno())
    return got


def stopped_instance(name):
    instance = server.niter("run", "good", "--type", "t3.nano", "--name", name)["instance"]["id"]
    server.niter("stop", "--force", instance)
    lab.check(name + "__is_stopped", server.wait_state(instance, "stopped"), server.state(instance))
    volume = [v["id"] for v in server.niter("volume", "ls")["volumes"] if v.get("instance") == instance][0]
    return instance, volume


server = lab.Lab("bad_input", memory=1024, golden=False)
files = server.home + ".files"
shutil.rmtree(files, ignore_errors=True)
os.makedirs(files)

# No host -------------------------------------------------------------------------------------------------------------
tools = os.path.join(files, "bin")
os.makedirs(tools)
for tool in ("mke2fs", "qemu-system-x86_64"):
    os.symlink(shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"), os.path.join(tools, tool))
without_host("host__not_running", "the host is not running", "niter host start", args=("ps",))
without_host("qemu__is_not_there", "/nonexistent", "apt-get install qemu-system-x86", NITER_QEMU="/nonexistent")
without_host("tpm__is_not_there", "swtpm", "apt-get install swtpm", PATH=tools)
without_host("host_image__is_not_there", "no host image in /nonexistent", "NITER_HOST_IMAGE", NITER_HOST_IMAGE="/nonexistent")
without_host("usage__memory_is_no_number", "--memory", "niter --help", args=("host", "start", "--memory", "much"), code=2)
without_host("usage__odd_cpus", "--cpus", "niter --help", args=("host", "start", "--cpus", "3"), code=2)
without_host("usage__unknown_verb", "unknown verb", "niter --help", args=("fly",), code=2)
without_host("usage__unknown_option", "unknown option", "--help", args=("ps", "--fast"), code=2)
without_host("usage__nothing_to_run", "something is missing", "--help", args=("run",), code=2)
without_host("usage__no_size", "no size", args=("run", "good", "--disk", "big"), code=2)

# A host of 1 GiB with a disk of 96 MiB -------------------------------------------------------------------------------
os.makedirs(server.home, exist_ok=True)
subprocess.run(["mke2fs", "-qF", "-text4", "-Lniter-state", "-m0", "-N16384",
                "-Enodiscard,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0", server.state_path(), f"{STATE_MIB}M"],
               check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin"))
server.start()
server.niter("image", "put", image("good", kernel()))
server.niter("image", "put", image("garbage", bytes(range(256)) * 256))
server.niter("image", "put", image("short", kernel()[:100]))
before = left()
for name, wanted, args in (
        ("type__unknown", ('"t9.huge"', "niter types"), ("run", "good", "--type", "t9.huge")),
        ("image__unknown", ("nothere", "niter image ls"), ("run", "nothere")),
        ("image__unknown_removed", ("nothere", "niter image ls"), ("image", "rm", "nothere")),
        ("id__unknown_started", ("i-0123456789abcdef0", "niter ps"), ("start", "i-0123456789abcdef0")),
        ("id__unknown_stopped", ("i-0123456789abcdef0", "niter ps"), ("stop", "i-0123456789abcdef0")),
        ("id__unknown_rebooted", ("i-0123456789abcdef0", "niter ps"), ("reboot", "i-0123456789abcdef0")),
        ("id__unknown_removed", ("i-0123456789abcdef0", "niter ps"), ("rm", "i-0123456789abcdef0")),
        ("id__unknown_console", ("i-0123456789abcdef0", "niter ps"), ("console", "i-0123456789abcdef0")),
        ("volume__unknown_removed", ("vol-0123456789abcdef0", "niter volume ls"), ("volume", "rm", "vol-0123456789abcdef0")),
        ("cpus__malformed", ("CORESxTHREADS",), ("run", "good", "--cpus", "many")),
        ("cpus__too_many", ("t3.nano has at most 1 core",), ("run", "good", "--type", "t3.nano", "--cpus", "8x2")),
        ("disk__smaller_than_the_image", ("needs a disk of",), ("run", "good", "--type", "t3.nano", "--disk", "4096")),
        ("memory__too_little", ("t3.small needs 2048 MiB", "niter stop"), ("run", "good", "--type", "t3.small")),
        ("kernel__garbage", ("neither a bzImage nor an x86-64 vmlinux",), ("run", "garbage", "--type", "t3.nano")),
        ("kernel__cut_short", ("vmlinux has a damaged ELF header", "again"), ("run", "short", "--type", "t3.nano")),
        ("image_put__no_directory", ("/nonexistent", "give a directory"), ("image", "put", "/nonexistent")),
        ("image_put__no_disk", ("no ", "disk.raw", "give a directory"), ("image", "put", image("nodisk", kernel(), disk=None))),
        ("image_put__empty_disk", ("disk.raw is empty", "again"), ("image", "put", image("empty", kernel(), disk=0))),
        ("image_put__bad_json", ("image.json", "again"), ("image", "put", image("badjson", kernel(), text='{"name": "bad'))),
):
    one_line(name, server.refused(*args), *wanted)
left_nothing("refusals__leave_nothing", before)

# Full disk -----------------------------------------------------------------------------------------------------------
big = image("big", kernel(), disk=STATE_MIB * MIB)
with open(os.path.join(big, "disk.raw"), "r+b") as f:
    f.write(os.urandom(STATE_MIB * MIB))
one_line("disk_full__image_put", server.refused("image", "put", big), "state disk is full", "niter image rm")
left_nothing("disk_full__leaves_nothing", before)
half = image("half", kernel(), disk=STATE_MIB // 2 * MIB)
with open(os.path.join(half, "disk.raw"), "r+b") as f:
    f.write(os.urandom(STATE_MIB // 2 * MIB))
half = server.niter("image", "put", half)["image"]["id"]
with_half = left()
one_line("disk_full__run", server.refused("run", half, "--type", "t3.nano"), "is full", "free some space")
left_nothing("disk_full__run_leaves_nothing", with_half)
server.niter("image", "rm", half)

# Volumes that were tampered with while the server was off ------------------------------------------------------------
damaged, damaged_volume = stopped_instance("damaged")
swapped, swapped_volume = stopped_instance("swapped")
healthy, healthy_volume = stopped_instance("healthy")
server.stop()
good = header_io(damaged_volume)
lab.check("header__is_where_it_should_be", good[:4] == b"LUKS" and good[HEADER_COPY:HEADER_COPY + 4] == b"SKUL", good[:16])
header_io(damaged_volume, bytes(b ^ 0x5a for b in good))
header_io(swapped_volume, header_io(healthy_volume))
server.start()
before = left()
one_line("header__damaged", server.refused("start", damaged), damaged_volume, "header is damaged")
one_line("key__of_another_volume", server.refused("start", swapped), swapped_volume)
lab.check("header__damaged_stays_stopped", server.wait_state(damaged, "stopped", 10), server.state(damaged))
lab.check("key__of_another_volume_stays_stopped", server.wait_state(swapped, "stopped", 10), server.state(swapped))
left_nothing("tampered_volumes__leave_nothing", before)
lab.check("healthy__starts_still", server.niter("start", healthy)["instance"]["state"] == "running")
for instance in (damaged, swapped, healthy):
    server.niter("rm", instance)
lab.check("teardown__leaves_no_volume", server.niter("volume", "ls")["volumes"] == [])
server.stop()

# Another TPM than the one the root key is sealed to; a snapshot would bring the old one back --------------------------
shutil.rmtree(os.path.join(server.home, "tpm"))
server.start(snapshot=False)
before = left()
one_line("tpm__is_another", server.refused("run", "good", "--type", "t3.nano"), "belongs to another TPM")
left_nothing("tpm__is_another__leaves_nothing", before)
server.stop()
shutil.rmtree(files, ignore_errors=True)
shutil.rmtree(server.home, ignore_errors=True)
lab.finish()
