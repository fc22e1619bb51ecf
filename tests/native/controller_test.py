#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""niterd and niter whole, against a launcher that starts no guests: what people do, what they do wrong, what breaks.

    controller_test.py FAKE_LAUNCHER NITERD NITER
"""
import hashlib
import json
import os
import random
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time

FAKE, NITERD, NITER = sys.argv[1:4]
failed = []
# As root, niterd runs in the jail the real launcher makes.
JAIL = {"FAKE_JAIL": "1"} if os.geteuid() == 0 else {}


class Host:
    """One state directory, a fake launcher, and niter as a person uses it."""

    alive = []

    def __init__(self, disk_mib=None, **env):
        Host.alive.append(self)
        self.mounted = disk_mib
        self.home = tempfile.mkdtemp(prefix="niter-test.")
        self.state = os.path.join(self.home, "state")
        self.run_dir = os.path.join(self.home, "run")
        if disk_mib:
            os.mkdir(self.home + "/state")
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={disk_mib}m", "small", self.home + "/state"], check=True)
        for d in ("state/niterd", "state/images", "state/volumes", "run"):
            os.makedirs(os.path.join(self.home, d))
        self.sock = os.path.join(self.home, "niterd.sock")
        self.trace = os.path.join(self.home, "trace")
        self.env = {**env, **JAIL, "FAKE_TRACE": self.trace}
        self.launcher = None
        self.start()

    def start(self):
        self.launcher = subprocess.Popen(
            [FAKE, NITERD, self.state, self.sock, os.path.join(self.run_dir, "ctl.0")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **self.env})
        for _ in range(500):
            try:
                Raw(self.sock).close()
                return
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.02)
        raise AssertionError("the fake launcher does not come up")

    def tell(self, line):
        self.launcher.stdin.write(line + "\n")
        self.launcher.stdin.flush()
        assert self.launcher.stdout.readline() == "ok\n"

    def close(self):
        if self.launcher.poll() is None:
            self.launcher.stdin.close()
        self.launcher.wait(timeout=10)
        if self.mounted:
            subprocess.run(["umount", "-l", self.state], check=True)
        shutil.rmtree(self.home)
        Host.alive.remove(self)

    def niter(self, *args, port=False, **kw):
        env = {**os.environ, "NITER_HOME": self.home}
        env.pop("NITER_SOCKET", None)
        if not port:
            env["NITER_SOCKET"] = self.sock
        return subprocess.run([NITER, *args], capture_output=True, text=True, timeout=60, env=env, **kw)

    def ok(self, *args, **kw):
        r = self.niter(*args, **kw)
        assert r.returncode == 0, f"niter {' '.join(args)}: {r.returncode}\n{r.stdout}{r.stderr}"
        return r.stdout

    def json(self, *args, **kw):
        return json.loads(self.ok(*args, "--json", **kw))

    def wrong(self, code, *args, want, **kw):
        """One clear line on standard error (behind progress), nothing on standard output, that exit code."""
        r = self.niter(*args, **kw)
        lines = [x for x in r.stderr.strip().split("\n") if not x.startswith("uploading")]
        assert r.returncode == code, f"niter {' '.join(args)}: {r.returncode}, not {code}: {r.stderr}"
        assert r.stdout == "" and len(lines) == 1 and lines[0].startswith("niter: "), r.stdout + r.stderr
        for w in want:
            assert w in lines[0], f"{w!r} is not in {lines[0]!r}"

    def image_dir(self, name="debian", kernel=b"good kernel", disk=None, initrd=None):
        d = os.path.join(self.home, "image-" + name)
        os.makedirs(d, exist_ok=True)
        with open(os.path.join(d, "kernel"), "wb") as f:
            f.write(kernel)
        if initrd:
            with open(os.path.join(d, "initrd"), "wb") as f:
                f.write(initrd)
        with open(os.path.join(d, "disk.raw"), "wb") as f:
            f.truncate(8 << 20)
            for off, data in disk or [(0, b"first block"), (4 << 20, b"x" * 300000), ((8 << 20) - 3, b"end")]:
                f.seek(off)
                f.write(data)
        with open(os.path.join(d, "image.json"), "w") as f:
            json.dump({"name": name, "architecture": "x86_64", "kernel_version": "6.1.0-test",
                       "cmdline": "root=/dev/nvme0n1p1 console=ttyS0", "disk_bytes": 8 << 20}, f)
        return d

    def image(self, name="debian", **kw):
        return self.ok("image", "put", self.image_dir(name, **kw)).strip()

    def files(self, sub):
        return sorted(os.listdir(os.path.join(self.state, sub)))

    def state_of(self, ref):
        for i in self.json("ps", "--all")["instances"]:
            if ref in (i["id"], i.get("name")):
                return i
        return None

    def until(self, ref, state):
        for _ in range(200):
            i = self.state_of(ref)
            if i and i["state"] == state:
                return i
            time.sleep(0.05)
        raise AssertionError(f"{ref} is {i and i['state']}, not {state}")


    def traced(self):
        """What the fake processes were told so far."""
        with open(self.trace) as f:
            return [json.loads(line) for line in f.read().split("\n")[:-1]]  # the last may not be whole yet

    def told(self, to, ident="", want=None, since=0):
        """Messages to one of them. @want: waits until that many have come, and a moment for one too many."""
        def look():
            return [m for m in self.traced()[since:] if m["to"] == to and m.get("id", "") == ident
                    and m["what"] != "started"]
        for _ in range(200):
            if want is None or len(look()) >= want:
                break
            time.sleep(0.02)
        if want is not None:
            time.sleep(0.1)
            got = look()
            assert len(got) == want, f"{to} {ident}: {len(got)} messages, not {want}: {json.dumps(got, indent=1)}"
        return look()

    def settled(self):
        """Waits until nothing new is said. Return: how many messages there are."""
        cnt = -1
        while cnt != len(self.traced()):
            cnt = len(self.traced())
            time.sleep(0.15)
        return cnt


class Raw:
    """A client that may misbehave."""

    def __init__(self, path, hello=True):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(10)
        self.s.connect(path)
        self.buf = b""
        if hello:
            self.send({"hello": "raw", "version": 1})
            assert self.line()["hello"] == "raw"

    def send(self, o):
        self.s.sendall((o if isinstance(o, bytes) else json.dumps(o).encode()) + b"\n")

    def line(self):
        while b"\n" not in self.buf:
            got = self.s.recv(65536)
            if not got:
                return None
            self.buf += got
        line, self.buf = self.buf.split(b"\n", 1)
        o = json.loads(line) if line.strip() else {"progress": 0}
        return self.line() if "progress" in o else o

    def ask(self, method, **params):
        self.send({"id": 1, "method": method, "params": params})
        return self.line()

    def close(self):
        self.s.close()


def blocks(path):
    return os.stat(path).st_blocks * 512


def test_image_put_is_whole_and_sparse():
    h = Host()
    d = h.image_dir(initrd=b"cpio" * 3000)
    ami = h.ok("image", "put", d).strip()
    assert ami.startswith("ami-0") and len(ami) == 21
    for name in ("kernel", "initrd", "disk.raw"):
        a = open(os.path.join(d, name), "rb").read()
        b = open(os.path.join(h.state, "images", ami, name), "rb").read()
        assert a == b, name
    assert blocks(os.path.join(h.state, "images", ami, "disk.raw")) < (1 << 20)
    assert h.files("images") == [ami]
    img = h.json("image", "ls")["images"]
    assert [i["name"] for i in img] == ["debian"] and img[0]["disk_bytes"] == 8 << 20
    meta = json.load(open(os.path.join(h.state, "images", ami, "image.json")))
    assert meta["cmdline"] == "root=/dev/nvme0n1p1 console=ttyS0"
    assert h.ok("image", "rm", "debian").strip() == ami
    assert h.files("images") == [] and h.json("image", "ls")["images"] == []
    h.close()


def test_life_of_an_instance():
    h = Host()
    ami = h.image()
    i = h.json("run", "debian", "--type", "t3.nano", "--name", "web", "--disk", "16M", "--cpus", "1x1")["instance"]
    assert i["state"] == "running" and i["uuid"].startswith("ec2") and i["image"] == ami
    assert i["times"]["key_us"] == 2000 and i["times"]["volume_us"] > 0
    assert h.files("volumes") == [i["volumes"][0]["volume"] + ".luks"]
    v = h.json("volume", "ls")["volumes"][0]
    assert v["bytes"] == 16 << 20 and v["state"] == "in-use" and v["encrypted"] and v["instance"] == i["id"]
    assert f"boot {i['id']} type=t3.nano cores=1 threads=1" in h.ok("console", "web")
    assert "web" in h.ok("ps") and "t3.nano" in h.ok("ps")

    # start of a running one, stop of a stopped one: nothing to do
    assert h.ok("start", "web") == f"{i['id']} running\n"
    assert h.ok("stop", i["id"][:8]) == f"{i['id']} stopped\n"
    assert h.ok("stop", "web") == f"{i['id']} stopped\n"
    s = h.state_of("web")
    assert s["reason_code"] == "Client.UserInitiatedShutdown"
    out = h.ok("console", "web")
    assert "power button\n" in out and out.endswith("last words\n")
    h.wrong(1, "reboot", "web", want=["IncorrectInstanceState" if False else "is stopped", "niter ps"])

    assert h.ok("start", "web") == f"{i['id']} running\n"
    assert "power button" not in h.ok("console", "web")
    assert h.state_of("web")["boots"] == 2
    h.ok("reboot", "web")
    for _ in range(100):
        if "reset\n" in h.ok("console", "web"):
            break
        time.sleep(0.02)
    else:
        raise AssertionError("no reset")

    h.wrong(1, "image", "rm", "debian", want=[i["id"], "niter rm"])
    h.wrong(1, "volume", "rm", v["id"], want=["belongs to instance", i["id"]])
    assert h.ok("rm", "web") == f"{i['id']} terminated\n"
    assert h.files("volumes") == [] and h.json("ps")["instances"] == [] and h.json("volume", "ls")["volumes"] == []
    assert h.state_of(i["id"])["state"] == "terminated"
    h.ok("image", "rm", ami)
    h.close()


def test_console_of_a_guest_that_says_nothing():
    h = Host()
    h.image()
    a = h.ok("run", "debian", "--type", "t3a.nano").strip()
    assert h.ok("console", a) == ""
    h.tell(f"say {a} hello")
    assert h.ok("console", a).strip() == "hello"
    h.close()


def test_guest_ends_by_itself():
    h = Host()
    h.image()
    a = h.ok("run", "debian", "--type", "t3.nano", "--name", "a").strip()
    h.tell(f"poweroff {a}")
    i = h.until("a", "stopped")
    assert i["reason_code"] == "Client.InstanceInitiatedShutdown"
    h.ok("start", "a")
    h.tell(f"crash {a}")
    i = h.until("a", "stopped")
    assert i["reason_code"] == "Server.InternalError"
    assert h.ok("console", "a").endswith("last words\n")
    h.close()


def test_console_follow_ends_with_the_instance():
    h = Host()
    h.image()
    a = h.ok("run", "debian", "--type", "t3.nano").strip()
    got = {}
    t = threading.Thread(target=lambda: got.update(r=h.niter("console", a, "--follow")))
    t.start()
    time.sleep(0.3)
    h.tell(f"say {a} hello")
    time.sleep(0.3)
    h.tell(f"poweroff {a}")
    t.join(timeout=30)
    assert got["r"].returncode == 0, got["r"].stderr
    assert "hello" in got["r"].stdout and got["r"].stdout.endswith("last words\n")
    h.close()


def test_stop_pulls_the_plug_when_the_guest_is_deaf():
    h = Host(FAKE_RAM_MIB="8192")
    h.image()
    a = h.ok("run", "debian", "--type", "c5.large").strip()
    began = time.time()
    assert h.ok("stop", a, "--timeout", "1") == f"{a} stopped\n"
    assert 0.9 < time.time() - began < 10
    h.ok("start", a)
    began = time.time()
    h.ok("stop", a, "--force")
    assert time.time() - began < 5
    h.close()


def test_wrong_wishes_get_one_clear_line():
    h = Host()
    h.image()
    before = (h.files("volumes"), h.files("images"))
    h.wrong(1, "run", "nothing", want=['unknown image "nothing"', "niter image ls"])
    h.wrong(1, "run", "ami-00000000000000000", want=["unknown image", "niter image ls"])
    h.wrong(1, "run", "debian", "--type", "t9.huge", want=['unknown instance type "t9.huge"', "niter types"])
    h.wrong(1, "run", "debian", "--type", "t3.2xlarge", want=["t3.2xlarge needs 32768 MiB", "6144 MiB", "smaller type"])
    h.wrong(1, "run", "debian", "--type", "t3.nano", "--cpus", "2x2", want=["t3.nano has at most 1 core"])
    h.wrong(1, "run", "debian", "--cpus", "many", want=["number of CPUs", "2x1"])
    h.wrong(1, "run", "debian", "--disk", "1M", want=["needs a disk of 8 MiB"])
    h.wrong(1, "run", "debian", "--disk", "17T", want=["16 TiB"])
    h.wrong(1, "run", "debian", "--name", "a/b", want=["name"])
    h.wrong(1, "run", "debian", "--name", "i-0123456", want=["name"])
    h.wrong(2, "run", "debian", "--disk", "much", want=["no size"])
    h.wrong(2, "run", want=["missing", "--help"])
    h.wrong(2, "run", "debian", "--bogus", want=["--bogus"])
    h.wrong(2, "frobnicate", want=["unknown verb"])
    for verb in ("stop", "start", "reboot", "rm", "console"):
        h.wrong(1, verb, "nobody", want=['unknown instance "nobody"', "niter ps"])
        h.wrong(1, verb, "i-00000000000000000", want=["unknown instance"])
    h.wrong(1, "volume", "rm", "vol-00000000000000000", want=["unknown volume", "niter volume ls"])
    h.wrong(1, "image", "rm", "nothing", want=["unknown image"])
    h.wrong(1, "image", "put", "/nonexistent", want=["/nonexistent/kernel"])
    h.wrong(1, "image", "put", h.image_dir("debian"), want=['called "debian" already', "--name"])
    assert (h.files("volumes"), h.files("images")) == before and h.json("ps", "--all")["instances"] == []

    h.ok("run", "debian", "--type", "t3.nano", "--name", "one")
    h.wrong(1, "run", "debian", "--type", "t3.nano", "--name", "one", want=['called "one" already'])
    h.close()


def test_no_host_is_one_clear_line():
    h = Host()
    home = h.home + ".none"
    env = {**os.environ, "NITER_SOCKET": home + "/sock", "NITER_HOME": home}
    r = subprocess.run([NITER, "ps"], capture_output=True, text=True, env=env)
    assert r.returncode == 1 and r.stderr == "niter: the host is not running: run niter host start\n", r.stderr
    h.close()


def test_full_disk_leaves_nothing():
    h = Host(FAKE_DISK_BYTES=str(10 << 20))
    h.image()
    r = h.niter("run", "debian", "--type", "t3.nano", "--disk", "20M", "--name", "big")
    assert r.returncode == 1 and "state disk is full" in r.stderr, r.stderr
    assert h.files("volumes") == [] and h.json("ps")["instances"] == [] and h.json("volume", "ls")["volumes"] == []
    h.ok("run", "debian", "--type", "t3.nano", "--name", "big")
    h.close()


def test_full_disk_refuses_an_image():
    if os.geteuid() != 0:
        print("skipped test_full_disk_refuses_an_image: needs root to mount a small disk")
        return
    h = Host(disk_mib=3)
    d = h.image_dir("big", disk=[(0, os.urandom(6 << 20))])
    h.wrong(1, "image", "put", d, want=["state disk is full", "niter image rm"])
    assert h.files("images") == [] and h.json("image", "ls")["images"] == []
    h.image("small")
    h.close()


def test_killed_at_any_moment_it_settles():
    h = Host()
    h.image()
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    for n in range(6):
        t = threading.Thread(target=h.niter, args=("run", "debian", "--type", "t3.nano", "--name", f"n{n}"))
        t.start()
        time.sleep(rng.random() * 0.05)
        h.tell("kill-niterd")
        t.join()
        for _ in range(200):
            all_ = h.json("ps", "--all")["instances"]
            if all(i["state"] in ("running", "stopped", "terminated") for i in all_):
                break
            time.sleep(0.05)
        else:
            raise AssertionError(f"seed {seed}: {all_}")
        rows = sorted(v["id"] + ".luks" for v in h.json("volume", "ls")["volumes"])
        assert rows == h.files("volumes"), f"seed {seed}: {rows} {h.files('volumes')}"
        for i in all_:
            if i["state"] == "running":
                assert f"boot {i['id']}" in h.ok("console", i["id"]), f"seed {seed}"
    h.close()


def test_what_people_see():
    """Compared with golden files; ids, ages and times are what changes."""
    h = Host()
    h.image()
    h.ok("run", "debian", "--type", "t3.nano", "--name", "web")
    h.ok("run", "debian", "--type", "t3.small", "--cpus", "1x1")
    h.ok("stop", "web")
    seen = ""
    for words in (["--help"], ["run", "--help"], ["ps"], ["image", "ls"], ["volume", "ls"], ["types"],
                  ["host", "processes"]):
        seen += f"$ niter {' '.join(words)}\n" + h.ok(*words) + "\n"
    seen = re.sub(r"-0[0-9a-f]{16}", "-0" + "#" * 16, seen)
    seen = re.sub(r"(?m)[0-9]+s$", "0s", seen)
    # Both instances began within the same second or so: their order is by creation.
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/niter.txt")
    if os.environ.get("NITER_GOLDEN_WRITE"):
        with open(path, "w") as f:
            f.write(seen)
    assert seen == open(path).read(), seen
    h.close()


def test_corrupt_kernel_leaves_nothing():
    h = Host()
    h.image("broken", kernel=b"BAD kernel")
    r = h.niter("run", "broken", "--type", "t3.nano")
    assert r.returncode == 1 and "neither a bzImage nor a vmlinux" in r.stderr, r.stderr
    assert h.files("volumes") == [] and h.json("ps")["instances"] == [] and h.json("volume", "ls")["volumes"] == []
    h.close()


def test_killed_niterd_forgets_nothing():
    h = Host()
    h.image()
    a = h.ok("run", "debian", "--type", "t3.nano", "--name", "a").strip()
    b = h.ok("run", "debian", "--type", "t3.nano", "--name", "b").strip()
    h.ok("stop", "b")
    h.tell("kill-niterd")
    assert h.state_of("a")["state"] == "running" and h.state_of("b")["state"] == "stopped"
    assert f"boot {a}" in h.ok("console", "a") and "power button" in h.ok("console", "b")
    assert h.ok("stop", "a") == f"{a} stopped\n"
    h.ok("start", "a", "b")
    h.tell("host-crash")
    for ref in ("a", "b"):
        i = h.until(ref, "stopped")
        assert i["reason_code"] == "Server.HostStopped", i
    h.ok("start", "a")
    h.ok("rm", "a", "b")
    assert h.files("volumes") == []
    assert b
    h.close()


def test_host_stop_stops_instances_first():
    h = Host()
    h.image()
    a = h.ok("run", "debian", "--type", "t3.nano", "--name", "a").strip()
    r = Raw(h.sock)
    assert r.ask("host.stop")["result"]["stopping"] is True
    assert h.launcher.wait(timeout=10) == 0
    h.start()
    i = h.until("a", "stopped")
    assert i["id"] == a and i["reason_code"] == "Client.UserInitiatedShutdown"
    assert h.ok("start", "a") == f"{a} running\n"
    h.close()


def test_host_processes_and_status():
    h = Host()
    p = h.json("host", "processes")["processes"]
    assert [x["name"] for x in p] == ["niterd", "niter-security"]
    out = h.ok("host", "processes")
    assert out.startswith("PROCESS") and "none" in out and "42" in out
    r = Raw(h.sock)
    s = r.ask("host.status")["result"]
    assert s["tpm"] == "swtpm" and s["placement"] == "shared-core lab" and s["lab"] is True
    h.close()


def test_control_port_is_a_new_session_every_time():
    h = Host()
    h.image()
    assert h.json("image", "ls", port=True)["images"][0]["name"] == "debian"
    # A client that leaves in the middle of a line, another in the middle of an answer, a third in an upload.
    path = os.path.join(h.run_dir, "ctl.0")
    for mess in (b'{"id":1,"method":"image.li', b'{"id":1,"method":"type.list"}\n'):
        r = Raw(path)
        r.s.sendall(mess)
        r.close()
        assert h.json("image", "ls", port=True)["images"][0]["name"] == "debian"
    r = Raw(path)
    r.send({"id": 1, "method": "image.put", "params": {"name": "cut", "cmdline": "x", "kernel_bytes": 8192,
                                                       "disk_bytes": 1 << 20}})
    assert r.line()["ready"] is True
    r.s.sendall(struct.pack("<IIQ", 2, 1 << 20, 0) + b"a" * 5000)
    r.close()
    assert len(h.json("image", "ls", port=True)["images"]) == 1
    assert len(h.files("images")) == 1, h.files("images")
    # A long wait does not keep the next client out.
    a = h.ok("run", "debian", "--type", "t3.nano", port=True).strip()
    r = Raw(path)
    r.send({"id": 1, "method": "console.read", "params": {"instance": a, "off": 1 << 20, "wait_ms": 60000}})
    time.sleep(0.1)
    r.close()
    began = time.time()
    h.ok("ps", port=True)
    assert time.time() - began < 5
    # And a whole upload through it.
    h.ok("image", "put", h.image_dir("second"), port=True)
    h.close()


def chain(data):
    """crypto/sparse_hash.h, written a second time."""
    state = bytes(32)
    for n in range(0, len(data), 4096):
        block = data[n:n + 4096]
        if any(block):
            state = hashlib.sha256(state + struct.pack("<Q", n // 4096) + block.ljust(4096, b"\0")).digest()
    return hashlib.sha256(state + struct.pack("<QQ", (1 << 64) - 1, len(data))).digest()


def test_image_frames_are_checked():
    h = Host()
    kernel, disk = b"k" * 5000, b"d" * 4096 + bytes(4096) + b"e" * 100
    head = {"name": "raw", "cmdline": "x", "kernel_bytes": len(kernel), "disk_bytes": len(disk)}
    end = struct.pack("<IIQ", 0xffffffff, 96, 0)
    digests = chain(kernel) + chain(b"") + chain(disk)

    def put(*frames, params=head):
        r = Raw(h.sock)
        r.send({"id": 7, "method": "image.put", "params": params})
        first = r.line()
        if "error" in first:
            return first
        try:
            for f in frames:
                r.s.sendall(f)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return r.line()

    def frame(file, off, data):
        return struct.pack("<IIQ", file, len(data), off) + data

    good = [frame(0, 0, kernel), frame(2, 0, disk[:4096]), frame(2, 8192, disk[8192:]), end + digests]
    ans = put(*good)
    assert ans["result"]["image"]["name"] == "raw", ans
    ami = ans["result"]["image"]["id"]
    assert open(os.path.join(h.state, "images", ami, "disk.raw"), "rb").read() == disk
    head["name"] = "second"
    bad = {
        "another digest": good[:-1] + [end + bytes(96)],
        "missing data": good[1:],
        "file 3": [frame(3, 0, b"x" * 4096)],
        "a file not announced": [frame(1, 0, b"x" * 4096)],
        "offset not a block": [frame(2, 100, b"x" * 4096)],
        "part of a block": [frame(2, 0, b"x" * 100)],
        "beyond the end": [frame(2, 8192, b"x" * 4096)],
        "beyond everything": [struct.pack("<IIQ", 2, 4096, (1 << 64) - 4096)],
        "backwards": [frame(2, 4096, b"x" * 4096), frame(2, 0, b"x" * 4096)],
        "an empty frame": [struct.pack("<IIQ", 2, 0, 0)],
        "a huge frame": [struct.pack("<IIQ", 2, 0xfffff000, 0)],
        "an end of another size": [struct.pack("<IIQ", 0xffffffff, 64, 0) + bytes(64)],
    }
    for what, frames in bad.items():
        ans = put(*frames)
        assert ans and "error" in ans, (what, ans)
        assert h.files("images") == [ami], (what, h.files("images"))
    for key, value in (("kernel_bytes", 0), ("disk_bytes", 0), ("disk_bytes", 1 << 60), ("kernel_bytes", 1 << 40),
                       ("architecture", "arm64"), ("name", "raw"), ("name", "../x"), ("cmdline", "x" * 3000),
                       ("unknown", 1), ("name", 5), ("kernel_bytes", -1), ("kernel_bytes", "5")):
        ans = put(params={**head, key: value})
        assert ans and "error" in ans, (key, value, ans)
    # Cut short: nothing is left.
    r = Raw(h.sock)
    r.send({"id": 7, "method": "image.put", "params": head})
    assert r.line()["ready"]
    r.s.sendall(frame(0, 0, kernel))
    r.close()
    for _ in range(100):
        if h.files("images") == [ami]:
            break
        time.sleep(0.02)
    assert h.files("images") == [ami]
    # Killed in the middle: swept at the next start.
    r = Raw(h.sock)
    r.send({"id": 7, "method": "image.put", "params": head})
    assert r.line()["ready"] and len(h.files("images")) == 2
    h.tell("kill-niterd")
    h.json("image", "ls")
    assert h.files("images") == [ami]
    h.close()


def test_protocol_limits():
    h = Host()
    r = Raw(h.sock, hello=False)
    r.send({"id": 1, "method": "image.list"})
    assert "hello" in r.line()["error"]["message"] and r.line() is None
    r = Raw(h.sock)
    for bad in (b"{", b"[]", b"5", b'{"id":1}', b'{"method":"image.list"}', b'{"id":1,"id":2,"method":"image.list"}',
                b'{"id":1,"method":"no.such"}', b'{"id":1,"method":"image.list","params":[]}',
                b'{"id":1,"method":"image.list","params":{"x":1}}', b'{"id":[],"method":"image.list"}',
                b'\xff\xfe', b'{"id":1,"method":"instance.stop","params":{"instance":"a\\u0000b"}}',
                b'{"id":1,"method":"instance.run","params":{"image":"' + b"x" * 200 + b'"}}',
                b"[" * 5000):
        r.send(bad)
        assert "error" in r.line(), bad[:60]
    r.send({"id": "text", "method": "image.list"})
    ans = r.line()
    assert ans["id"] == "text" and ans["result"] == {"images": []}
    # Two requests in one packet are answered in order.
    r.s.sendall(b'{"id":1,"method":"image.list"}\n{"id":2,"method":"volume.list"}\n')
    assert [r.line()["id"], r.line()["id"]] == [1, 2]
    # A client that ends its half gets its answer still.
    r.s.sendall(b'{"id":3,"method":"host.status"}\n')
    r.s.shutdown(socket.SHUT_WR)
    assert r.line()["id"] == 3 and r.line() is None
    r = Raw(h.sock)
    try:
        r.s.sendall(b"x" * 70000)
        assert "64 KiB" in r.line()["error"]["message"]
        assert r.line() is None
    except (BrokenPipeError, ConnectionResetError):
        pass
    # 80 clients that say nothing lock nobody out: the queue waits, and they are shown the door.
    crowd = []
    for _ in range(80):
        try:
            crowd.append(Raw(h.sock, hello=False))
        except BlockingIOError:  # the queue of the listener is full
            time.sleep(0.01)
    h.json("image", "ls")
    for c in crowd:
        c.close()
    h.close()


def test_volumes_of_no_instance():
    h = Host()
    v = h.ok("volume", "create", "--size", "5M").strip()
    assert h.files("volumes") == [v + ".luks"]
    assert h.json("volume", "ls")["volumes"][0]["state"] == "available"
    assert h.ok("volume", "rm", v[:8]).strip() == v
    assert h.files("volumes") == [] and h.json("volume", "ls")["volumes"] == []
    h.wrong(2, "volume", "create", want=["--size"])
    h.wrong(1, "volume", "create", "--size", "0", want=["volume holds"])
    h.close()


KEY = ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIY4ZBpXCFGg+6rAEAEi4eaZYVWA0xXYGyCQ3Xh6fSzL me@home")
FINGERPRINT = "0123456789abcdef" * 4
VNI = 0x1001
ALL = "0.0.0.0/0"


def network(h):
    n = h.json("network", "ls")
    assert len(n["vpcs"]) == 1 and len(n["subnets"]) == 1 and len(n["groups"]) == 1
    return n


def interface(i):
    assert len(i["interfaces"]) == 1
    return i["interfaces"][0]


def outside(prefix=16):
    """Everything but 172.31.0.0/16, as blocks."""
    base, blocks = 172 << 24 | 31 << 16, []
    for bits in range(1, prefix + 1):
        a = (base >> (32 - bits) << (32 - bits)) ^ 1 << (32 - bits)
        blocks.append(f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}/{bits}")
    return blocks


def test_default_network_is_ec2s():
    h = Host()
    n = network(h)
    v, s, g = n["vpcs"][0], n["subnets"][0], n["groups"][0]
    assert re.fullmatch(r"vpc-0[0-9a-f]{16}", v["id"]) and v["cidr"] == "172.31.0.0/16" and v["default"]
    assert v["vni"] == VNI and v["domain"] == "ec2.internal" and v["gateway"].startswith("igw-0")
    assert re.fullmatch(r"subnet-0[0-9a-f]{16}", s["id"]) and s["cidr"] == "172.31.0.0/20" and s["free"] == 4091
    assert g["name"] == "default" and g["vpc"] == v["id"]
    rules = sorted((r["direction"], r["protocol"], r.get("cidr"), r.get("group")) for r in g["rules"])
    assert rules == [("egress", "all", ALL, None), ("ingress", "all", None, g["id"])]
    out = h.ok("network", "ls")
    assert v["id"] in out and "172.31.0.0/20" in out and "0x1001" in out
    h.tell("kill-niterd")
    assert network(h) == n
    h.close()


def test_what_is_pushed_when_an_instance_starts():
    h = Host()
    h.image()
    n = network(h)
    i = h.json("run", "debian", "--type", "t3.nano", "--name", "a")["instance"]
    e = interface(i)
    assert i["private_ip"] == e["private_ip"] == "172.31.0.4" and e["mac"].startswith("06:")
    assert e["private_dns"] == "ip-172-31-0-4.ec2.internal" and e["groups"] == [n["groups"][0]["id"]]
    assert "172.31.0.4" in h.ok("ps")
    gw = [m for m in h.traced() if m["what"] == "gateway"]
    assert [g["gateway"] for g in gw] == [n["vpcs"][0]["gateway"]] and gw[0]["mac"].startswith("02:")
    mac = gw[0]["mac"]
    start = [m for m in h.traced() if m["what"] == "start"]
    assert start[0]["interfaces"] == 1 and start[0]["interface"] == e["id"] and start[0]["mac"] == e["mac"]
    assert start[0]["mtu"] == 9001
    maps = [[0, "0.0.0.0", mac, 0], [4, "172.31.0.4", e["mac"], 0]]
    card = h.told("card", i["id"], want=4)
    what = {"interface": e["id"], "vni": VNI, "mtu": 9001, "flags": 1, "mac": e["mac"], "vpc": "172.31.0.0",
            "vpc_prefix": 16, "subnet": "172.31.0.0", "subnet_prefix": 20, "hostname": "ip-172-31-0-4",
            "domain": "ec2.internal", "address": "172.31.0.4",
            "limits": [32000000, 5000000000, 300, 500000, 16384]}
    assert card[0] == {"to": "card", "id": i["id"], "what": "interface", **what}, card[0]
    assert card[1]["what"] == "rules" and sorted(card[1]["rules"]) == [
        "in 255 0-65535 172.31.0.4/32", f"out 255 0-65535 {ALL}"]
    assert card[2]["what"] == "routes" and card[2]["routes"] == [
        "172.31.0.0/16 1 00:00:00:00:00:00", f"{ALL} 2 {mac}"]
    assert card[3]["what"] == "map" and card[3]["vni"] == VNI and card[3]["mappings"] == maps
    wire = h.told("wire", want=3)
    assert wire[0] == {"to": "wire", "id": "", "what": "interface", **what}
    assert wire[1]["what"] == "map" and wire[1]["mappings"] == maps
    assert wire[2]["what"] == "interface" and wire[2]["interface"] == n["vpcs"][0]["gateway"]
    assert wire[2]["flags"] == 2 and wire[2]["mac"] == mac and wire[2]["vni"] == VNI and "address" not in wire[2]
    nat = h.told("gateway", n["vpcs"][0]["gateway"], want=1)[0]
    assert nat == {"to": "gateway", "id": n["vpcs"][0]["gateway"], "what": "nat", "vpc_addr": "172.31.0.4",
                   "vpc_mac": e["mac"], "outside_addr": "100.64.0.2"}
    h.close()


def test_a_second_instance_is_told_of_and_forgotten_again():
    h = Host()
    h.image()
    a = h.json("run", "debian", "--type", "t3.nano", "--name", "a")["instance"]
    at = h.settled()
    b = h.json("run", "debian", "--type", "t3.small", "--name", "b")["instance"]
    eb = interface(b)
    assert eb["private_ip"] == "172.31.0.5"
    # The first learns of the second and nothing else: a new rule list (its group has a new member), one mapping.
    got = h.told("card", a["id"], want=2, since=at)
    assert got[0]["what"] == "rules" and sorted(got[0]["rules"]) == [
        "in 255 0-65535 172.31.0.4/32", "in 255 0-65535 172.31.0.5/32", f"out 255 0-65535 {ALL}"]
    assert got[1]["what"] == "map" and got[1]["mappings"] == [[4, "172.31.0.5", eb["mac"], 0]]
    got = h.told("wire", want=2, since=at)
    assert got[0]["interface"] == eb["id"] and got[1]["mappings"] == [[4, "172.31.0.5", eb["mac"], 0]]
    assert [m["mappings"][0][0] for m in h.told("card", b["id"], want=4, since=at) if m["what"] == "map"] == [0]
    # Stopped, its address is nowhere; its interface, address and group stay. No rule changes.
    at = h.settled()
    h.ok("stop", "b")
    got = h.told("card", a["id"], want=1, since=at)
    assert got[0]["what"] == "unmap" and got[0]["mappings"] == [[4, "172.31.0.5", eb["mac"], 0]]
    assert [m["what"] for m in h.told("wire", want=1, since=at)] == ["unmap"]
    gw = network(h)["vpcs"][0]["gateway"]
    assert [m["what"] for m in h.told("gateway", gw, want=1, since=at)] == ["unnat"]
    assert interface(h.state_of("b")) == eb
    at = h.settled()
    h.ok("start", "b")
    assert [m["what"] for m in h.told("card", a["id"], want=1, since=at)] == ["map"]
    assert [m["what"] for m in h.told("wire", want=2, since=at)] == ["interface", "map"]
    # Gone, its address may be had again.
    at = h.settled()
    h.ok("rm", "b")
    assert sorted(m["what"] for m in h.told("card", a["id"], want=2, since=at)) == ["rules", "unmap"]
    assert len(network(h)["interfaces"]) == 1 and network(h)["subnets"][0]["free"] == 4090
    c = h.json("run", "debian", "--type", "t3.nano")["instance"]
    assert c["private_ip"] == "172.31.0.5" and interface(c)["mac"] != eb["mac"]
    h.close()


def test_restarted_processes_are_told_everything_again():
    h = Host(FAKE_WIRE_LATE="1")
    h.image()
    a = h.json("run", "debian", "--type", "t3.nano", "--name", "a")["instance"]
    h.json("run", "debian", "--type", "t3.nano", "--name", "b")
    h.ok("peer", "add", "other", "10.77.0.2", FINGERPRINT)
    h.ok("peer", "map", "other", "--ip", "172.31.9.9", "--mac", "06:00:00:00:00:09")
    h.settled()
    at = h.settled()
    whole = ["peer", "interface", "interface", "interface", "map"]
    h.tell("restart-wire")
    # The fake wire refuses the first interface, as one whose ring has not come: that one is said again.
    got = h.told("wire", want=6, since=at)
    assert [m["what"] for m in got] == whole + ["interface"], [m["what"] for m in got]
    assert len(got[4]["mappings"]) == 4
    # Only the wire.
    assert h.told("card", a["id"], since=at) == []
    at = h.settled()
    h.tell("kill-niterd")
    # The gateway is asked for by name first: its port comes last.
    got = h.told("wire", want=5, since=at)
    assert [m["what"] for m in got] == ["peer", "interface", "interface", "map", "interface"], got
    got = h.told("card", a["id"], want=4, since=at)
    assert [m["what"] for m in got] == ["interface", "rules", "routes", "map"]
    assert got[-1]["mappings"][1:] == [[4, "172.31.0.4", interface(a)["mac"], 0],
                                       [4, "172.31.0.5", got[-1]["mappings"][2][2], 0],
                                       [4, "172.31.9.9", "06:00:00:00:00:09", 1]]
    assert sorted({m["what"] for m in h.told("metadata", a["id"], since=at)}) == ["commit", "options", "put"]
    gw = network(h)["vpcs"][0]["gateway"]
    assert [m["what"] for m in h.told("gateway", gw, want=2, since=at)] == ["nat", "nat"]
    # A gateway that ends is started again, after a moment, and told everything.
    at = h.settled()
    h.tell("gateway-gone")
    assert [m["what"] for m in h.told("gateway", gw, want=2, since=at)] == ["nat", "nat"]
    h.close()


def test_a_gateway_nobody_needs_ends_and_comes_back():
    h = Host()
    h.image()
    i = h.json("run", "debian", "--type", "t3.nano")["instance"]
    at = h.settled()
    gw = network(h)["vpcs"][0]["gateway"]
    h.ok("stop", i["id"])
    stopped = time.monotonic()
    while not any(m["what"] == "gateway-stop" for m in h.traced()[at:]):
        assert time.monotonic() < stopped + 30
        time.sleep(0.1)
    assert time.monotonic() > stopped + 8  # not at once: an instance that is started again finds it
    at = len(h.traced())
    h.ok("start", i["id"])
    h.settled()
    assert [m["gateway"] for m in h.traced()[at:] if m["what"] == "gateway"] == [gw]
    assert [m["what"] for m in h.told("gateway", gw, want=1, since=at)] == ["nat"]
    h.close()


def test_a_card_that_breaks_the_protocol_or_reads_nothing_harms_nobody():
    h = Host()
    h.image()
    bad = h.json("run", "debian", "--type", "t3a.micro", "--name", "bad")["instance"]
    deaf = h.json("run", "debian", "--type", "t3a.small", "--name", "deaf")["instance"]
    good = h.json("run", "debian", "--type", "t3.nano", "--name", "good")["instance"]
    h.ok("peer", "add", "other", "10.77.0.2", FINGERPRINT)
    r = Raw(h.sock)
    began = time.time()
    for n in range(240):  # a rule list and a mapping each time, for every card
        ip = f"172.31.9.{n + 4}"
        assert "result" in r.ask("peer.map", peer="other", private_ip=ip, mac=f"06:00:00:00:00:{n:02x}")
        assert "result" in r.ask("peer.unmap", peer="other", private_ip=ip)
    assert "result" in r.ask("peer.map", peer="other", private_ip="172.31.9.1", mac="06:00:00:00:00:01")
    assert time.time() - began < 20
    h.settled()
    assert h.told("card", good["id"])[-1]["mappings"] == [[4, "172.31.9.1", "06:00:00:00:00:01", 1]]
    assert len(h.told("card", bad["id"])) <= 8 and h.told("card", deaf["id"]) == []
    for i in (bad, deaf, good):
        assert h.state_of(i["id"])["state"] == "running"
    h.ok("rm", "bad", "deaf", "good")
    assert network(h)["interfaces"] == []
    h.close()


def test_group_references_follow_members_on_other_hosts():
    h = Host()
    h.image()
    a = h.json("run", "debian", "--type", "t3.nano", "--name", "a")["instance"]
    at = h.settled()
    h.ok("peer", "add", "other", "10.77.0.2:4501", ":".join(re.findall("..", FINGERPRINT.upper())))
    got = h.told("wire", want=1, since=at)
    assert got[0] == {"to": "wire", "id": "", "what": "peer", "peer": 1, "port": 4501, "addr": "10.77.0.2",
                      "fingerprint": FINGERPRINT}
    at = h.settled()
    h.ok("peer", "map", "other", "--ip", "172.31.9.9", "--mac", "06:00:00:00:00:09")
    got = h.told("card", a["id"], want=2, since=at)
    assert "in 255 0-65535 172.31.9.9/32" in got[0]["rules"] and len(got[0]["rules"]) == 3
    assert got[1]["mappings"] == [[4, "172.31.9.9", "06:00:00:00:00:09", 1]]
    assert [m["what"] for m in h.told("wire", want=1, since=at)] == ["map"]
    p = h.json("peer", "ls")["peers"]
    assert p[0]["name"] == "other" and p[0]["mappings"][0]["private_ip"] == "172.31.9.9"
    assert "172.31.9.9" in h.ok("peer", "ls")
    # Another MAC for the same address replaces it.
    at = h.settled()
    h.ok("peer", "map", "other", "--ip", "172.31.9.9", "--mac", "06:00:00:00:00:0A")
    assert h.told("card", a["id"], want=1, since=at)[0]["mappings"] == [[4, "172.31.9.9", "06:00:00:00:00:0a", 1]]
    at = h.settled()
    h.ok("peer", "unmap", "other", "--ip", "172.31.9.9")
    got = h.told("card", a["id"], want=2, since=at)
    assert got[0]["what"] == "unmap" and got[1]["what"] == "rules" and len(got[1]["rules"]) == 2
    h.ok("peer", "map", "other", "--ip", "172.31.9.9", "--mac", "06:00:00:00:00:09")
    at = h.settled()
    h.ok("peer", "rm", "other")
    assert [m["what"] for m in h.told("wire", want=2, since=at)] == ["unmap", "unpeer"]
    assert h.json("peer", "ls")["peers"] == []
    h.close()


def test_wrong_peers_get_one_clear_line():
    h = Host()
    h.image()
    h.ok("run", "debian", "--type", "t3.nano", "--name", "a")
    mac = interface(h.state_of("a"))["mac"]
    h.ok("peer", "add", "b", "10.77.0.2", FINGERPRINT)
    h.wrong(1, "peer", "add", "b", "10.77.0.3", FINGERPRINT, want=['called "b" already', "niter peer rm"])
    h.wrong(1, "peer", "add", "c", "10.77.0.2", FINGERPRINT, want=['"b" has this address'])
    h.wrong(1, "peer", "add", "a b", "10.77.0.3", FINGERPRINT, want=["name"])
    for bad in ("10.77.0", "10.77.0.3:", "10.77.0.3:0", "10.77.0.3:70000", "10.77.0.3:45x", "host", "127.0.0.1",
                "0.0.0.0", "224.0.0.1", "::1", "010.77.0.3"):
        h.wrong(1, "peer", "add", "c", bad, FINGERPRINT, want=["no address of a host", "10.77.0.2:4500"])
    for bad in ("", "12", FINGERPRINT[1:], FINGERPRINT + "0", "g" * 64):
        h.wrong(1, "peer", "add", "c", "10.77.0.3", bad or "x", want=["fingerprint", "niter host status"])
    h.wrong(1, "peer", "rm", "nobody", want=['no host is called "nobody"', "niter peer ls"])
    h.wrong(2, "peer", "map", "b", want=["--ip and --mac"])
    good = ("--mac", "06:00:00:00:00:09")
    h.wrong(1, "peer", "map", "nobody", "--ip", "172.31.9.9", *good, want=["no host"])
    h.wrong(1, "peer", "map", "b", "--ip", "10.0.0.1", *good, want=["172.31.0.0/16"])
    h.wrong(1, "peer", "map", "b", "--ip", "172.31.0.4", *good, want=["this host has this address"])
    h.wrong(1, "peer", "map", "b", "--ip", "172.31.9.9", "--mac", mac, want=["this host has this address"])
    for bad in ("06:00:00:00:00", "07:00:00:00:00:09", "06-00-00-00-00-09", "06:00:00:00:00:0g"):
        h.wrong(1, "peer", "map", "b", "--ip", "172.31.9.9", "--mac", bad, want=["no MAC address"])
    h.wrong(1, "peer", "map", "b", "--ip", "172.31.9.9", *good, "--vpc", "vpc-00000000000000000", want=["unknown network"])
    h.ok("peer", "map", "b", "--ip", "172.31.9.9", *good)
    h.wrong(1, "peer", "map", "b", "--ip", "172.31.9.10", *good, want=["another address has this MAC"])
    h.wrong(1, "run", "debian", "--type", "t3.nano", "--private-ip", "172.31.9.9", want=["172.31.9.9", "niter network ls"])
    h.wrong(1, "peer", "unmap", "b", "--ip", "172.31.9.8", want=["no such address"])
    h.close()


def test_instances_of_an_older_niterd_get_an_interface():
    h = Host()
    h.launcher.stdin.close()
    h.launcher.wait(timeout=10)
    for name in h.files("niterd"):
        os.unlink(os.path.join(h.state, "niterd", name))
    db = sqlite3.connect(os.path.join(h.state, "niterd/niter.db"))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../corpora/store/v2.sql")) as f:
        db.executescript(f.read())
    db.close()
    if JAIL:
        os.chown(os.path.join(h.state, "niterd/niter.db"), 200002, 200002)
    h.start()
    web, gone = h.state_of("web"), h.state_of("i-0123456789abcdef1")
    assert web["state"] == "stopped" and web["private_ip"] == "172.31.0.4" and interface(web)["mac"].startswith("06:")
    assert web["times"]["volume_us"] == 700000
    assert gone is None or gone["interfaces"] == []
    assert len(network(h)["interfaces"]) == 1
    h.image("other")
    assert h.json("run", "other", "--type", "t3.nano")["instance"]["private_ip"] == "172.31.0.5"
    h.close()


def test_private_addresses_are_given_out_once():
    h = Host()
    h.image()
    a = h.json("run", "debian", "--type", "t3.nano", "--private-ip", "172.31.0.5")["instance"]
    assert a["private_ip"] == "172.31.0.5"
    # Also while it does not run.
    h.ok("stop", a["id"])
    h.wrong(1, "run", "debian", "--type", "t3.nano", "--private-ip", "172.31.0.5", want=["has the address", "niter network ls"])
    for bad in ("172.31.0.0", "172.31.0.1", "172.31.0.2", "172.31.0.3", "172.31.15.255", "172.31.16.4", "10.0.0.4"):
        h.wrong(1, "run", "debian", "--private-ip", bad, want=["172.31.0.0/20", "first four and last"])
    for bad in ("172.31.0", "x", "172.31.0.05", "172.31.0.5/20", "::1"):
        h.wrong(1, "run", "debian", "--private-ip", bad, want=["no IPv4 address"])
    assert [h.json("run", "debian", "--type", "t3.nano")["instance"]["private_ip"] for _ in range(2)] == [
        "172.31.0.4", "172.31.0.6"]
    assert h.json("run", "debian", "--type", "t3.nano", "--private-ip", "172.31.15.254")["instance"]["private_ip"]
    h.close()


def test_a_full_subnet_says_so():
    h = Host()
    h.image()
    h.launcher.stdin.close()
    h.launcher.wait(timeout=10)
    db = sqlite3.connect(os.path.join(h.state, "niterd/niter.db"))
    db.execute("UPDATE subnet SET prefix = 28")
    db.commit()
    db.close()
    h.start()
    got = [h.json("run", "debian", "--type", "t3.nano")["instance"]["private_ip"] for _ in range(11)]
    assert got == [f"172.31.0.{k}" for k in range(4, 15)]
    before = h.files("volumes")
    h.wrong(1, "run", "debian", "--type", "t3.nano", want=["no address is left in subnet 172.31.0.0/28", "niter rm"])
    assert h.files("volumes") == before
    h.close()


def items(h, instance, since=0):
    """The tree the metadata process holds after its last commit."""
    tree, batch = {}, {}
    for m in h.told("metadata", instance, since=since):
        if m["what"] == "put":
            path = bytes.fromhex(m["path"]).decode()
            # docs/wire/metadata.md "Items"
            assert path not in batch and path.split("/")[0] in ("user-data", "meta-data", "dynamic"), path
            assert all(re.fullmatch(r"[ -.0-~]{1,200}", x) and x not in (".", "..") for x in path.split("/")), path
            assert not path.endswith(("/signature", "/rsa2048", "/pkcs7")) and len(m["data"]) // 2 <= 24576, path
            assert path != "user-data" or m["data"], path
            batch[path] = bytes.fromhex(m["data"])
        elif m["what"] == "commit":
            tree, batch = batch, {}
    return tree


def test_metadata_is_what_ec2_serves():
    h = Host()
    ami = h.image()
    pub = os.path.join(h.home, "my key.pub")
    with open(pub, "w") as f:
        f.write(KEY + "\n")
    data = os.path.join(h.home, "user-data")
    raw = b"#cloud-config\n\0\xff" + b"x" * (16384 - 16)
    with open(data, "wb") as f:
        f.write(raw)
    i = h.json("run", "debian", "--type", "t3.nano", "--key", pub, "--user-data", data)["instance"]
    assert i["key_name"] == "my key"
    h.settled()
    n, e = network(h), interface(i)
    first = h.told("metadata", i["id"])[0]
    assert first == {"to": "metadata", "id": i["id"], "what": "options", "enabled": 1, "hop_limit": 1,
                     "tokens_optional": 0, "domain": "ec2.internal", "vpc": "172.31.0.0"}
    t = items(h, i["id"])
    base = f"meta-data/network/interfaces/macs/{e['mac']}/"
    reservation = t["meta-data/reservation-id"].decode()
    assert re.fullmatch("r-0[0-9a-f]{16}", reservation), reservation
    want = {
        "meta-data/ami-id": ami, "meta-data/ami-launch-index": "0", "meta-data/ami-manifest-path": "(unknown)",
        "meta-data/block-device-mapping/ami": "/dev/xvda", "meta-data/block-device-mapping/root": "/dev/xvda",
        "meta-data/events/maintenance/history": "[]", "meta-data/events/maintenance/scheduled": "[]",
        "meta-data/hostname": "ip-172-31-0-4.ec2.internal", "meta-data/instance-action": "none",
        "meta-data/instance-id": i["id"], "meta-data/instance-life-cycle": "on-demand",
        "meta-data/instance-type": "t3.nano", "meta-data/local-hostname": "ip-172-31-0-4.ec2.internal",
        "meta-data/local-ipv4": "172.31.0.4", "meta-data/mac": e["mac"],
        "meta-data/placement/availability-zone": "us-east-1a", "meta-data/placement/availability-zone-id": "use1-az1",
        "meta-data/placement/region": "us-east-1", "meta-data/profile": "default-hvm",
        "meta-data/public-keys": "0=my key", "meta-data/public-keys/0/openssh-key": KEY,
        "meta-data/reservation-id": reservation, "meta-data/security-groups": "default",
        "meta-data/services/domain": "amazonaws.com", "meta-data/services/partition": "aws",
        "meta-data/system": "nitro", "dynamic/fws/instance-monitoring": "disabled",
        base + "device-number": "0", base + "interface-id": e["id"],
        base + "local-hostname": "ip-172-31-0-4.ec2.internal", base + "local-ipv4s": "172.31.0.4",
        base + "mac": e["mac"], base + "network-card": "0", base + "owner-id": "123456789012",
        base + "security-group-ids": n["groups"][0]["id"], base + "security-groups": "default",
        base + "subnet-id": n["subnets"][0]["id"], base + "subnet-ipv4-cidr-block": "172.31.0.0/20",
        base + "vpc-id": n["vpcs"][0]["id"], base + "vpc-ipv4-cidr-block": "172.31.0.0/16",
        base + "vpc-ipv4-cidr-blocks": "172.31.0.0/16",
    }
    doc = json.loads(t.pop("dynamic/instance-identity/document"))
    assert t.pop("user-data") == raw
    assert {k: v.decode() for k, v in t.items()} == want
    launched = doc.pop("pendingTime")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", launched) and i["launched"].startswith(launched[:-1])
    assert doc == {"accountId": "123456789012", "architecture": "x86_64", "availabilityZone": "us-east-1a",
                   "billingProducts": None, "devpayProductCodes": None, "marketplaceProductCodes": None, "imageId": ami,
                   "instanceId": i["id"], "instanceType": "t3.nano", "kernelId": None, "privateIp": "172.31.0.4",
                   "ramdiskId": None, "region": "us-east-1", "version": "2017-09-30"}
    # Neither key nor user data: neither is listed.
    b = h.json("run", "debian", "--type", "t3.nano")["instance"]
    h.settled()
    assert not [p for p in items(h, b["id"]) if "public-keys" in p or p == "user-data"]
    # They stay for the next start, and go with the instance.
    at = h.settled()
    h.ok("stop", i["id"])
    h.ok("start", i["id"])
    h.settled()
    again = items(h, i["id"], since=at)
    assert again["user-data"] == raw and again["meta-data/public-keys/0/openssh-key"] == KEY.encode()
    h.ok("rm", i["id"])
    h.launcher.stdin.close()
    h.launcher.wait(timeout=10)
    db = sqlite3.connect(os.path.join(h.state, "niterd/niter.db"))
    assert db.execute("SELECT count(*) FROM launch_data").fetchone() == (0,)
    db.close()
    h.start()
    h.close()


def test_wrong_keys_and_user_data_get_one_clear_line():
    h = Host()
    h.image()
    path = os.path.join(h.home, "file")

    def with_file(text, flag, want):
        with open(path, "wb") as f:
            f.write(text)
        h.wrong(1, "run", "debian", "--type", "t3.nano", flag, path, want=want)

    h.wrong(1, "run", "debian", "--key", "/nonexistent.pub", want=["cannot read /nonexistent.pub"])
    h.wrong(1, "run", "debian", "--key", h.home, want=["cannot read", "is it a file"])
    h.wrong(1, "run", "debian", "--user-data", h.home, want=["cannot read"])
    h.wrong(1, "run", "debian", "--user-data", "/nonexistent", want=["cannot read /nonexistent"])
    with_file(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "--key", ["is a private key", ".pub"])
    with_file(b"x" * 5000, "--key", ["too big", ".pub"])
    with_file(b"", "--key", ["no public key"])
    for bad in (b"hello", b"ssh-ed25519", b"ssh-ed25519 !!!!", b"ssh-dss " + b"A" * 80, KEY.replace("ed25519", "rsa").encode(),
                KEY[:40].encode(), KEY.encode() + b"\x07", b"ssh-ed25519 " + b"A" * 68):
        with_file(bad, "--key", ["no OpenSSH public key", ".pub"])
    with_file(b"x" * 16385, "--user-data", ["too big", "16384"])
    r = Raw(h.sock)
    run = {"image": "debian", "type": "t3.nano"}
    for bad in ({"user_data": "!"}, {"user_data": "AAA"}, {"user_data": "AAB="}, {"user_data": "A" * 4 * 5462},
                {"key_name": "x"}, {"key": KEY, "key_name": "a/b"}, {"key": KEY, "key_name": "x" * 70},
                {"key": KEY + "\nssh-rsa"}, {"key": "x" * 3000}):
        assert "error" in r.ask("instance.run", **run, **bad), bad
    assert h.json("ps", "--all")["instances"] == [] and h.files("volumes") == []
    assert "result" in r.ask("instance.run", **run, key=KEY, user_data="AAA=")
    with_file_ok = os.path.join(h.home, "ok")
    with open(with_file_ok, "w") as f:
        f.write(KEY + "\r\n")
    h.ok("run", "debian", "--type", "t3.nano", "--key", with_file_ok)
    h.close()


def test_forwarded_ports_lead_in_and_are_open_to_the_outside_only():
    h = Host()
    h.image()
    a = h.json("run", "debian", "--type", "t3.nano", "--name", "a")["instance"]
    b = h.json("run", "debian", "--type", "t3.nano", "--name", "b")["instance"]
    at = h.settled()
    assert h.ok("forward", "a", "22") == "127.0.0.1:20000\n"
    got = [m for m in h.told("launcher", since=at) if m["what"] == "forward"]
    assert got == [{"to": "launcher", "id": "", "what": "forward", "host_port": 20000, "port": 22,
                    "outside_addr": "100.64.0.2"}]
    rules = h.told("card", a["id"], want=1, since=at)[0]["rules"]
    assert sorted(r for r in rules if " 6 " in r) == sorted(f"in 6 22-22 {b}" for b in outside())
    assert h.told("card", b["id"], since=at) == []
    # EC2's default group is as it was.
    assert len(network(h)["groups"][0]["rules"]) == 2
    # The same again is the same; another port, another one.
    assert h.ok("forward", "a", "22") == "127.0.0.1:20000\n"
    assert h.ok("forward", "b", "22") == "127.0.0.1:20001\n"
    assert h.ok("forward", a["id"][:9], "80", "--host-port", "8080") == "127.0.0.1:8080\n"
    fw = h.json("forward", "ls")["forwards"]
    assert [(f["host_port"], f["instance"], f["port"], f["active"]) for f in fw] == [
        (8080, a["id"], 80, True), (20000, a["id"], 22, True), (20001, b["id"], 22, True)]
    h.wrong(1, "forward", "b", "81", "--host-port", "8080", want=["port 8080", "leads to port 80", "niter forward rm"])
    h.wrong(1, "forward", "nobody", "22", want=["unknown instance"])
    with socket.socket() as other:  # the machine's own SSH server must not be taken from it
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        h.wrong(1, "forward", "b", "22", "--host-port", taken, want=["listens on port " + taken, "--host-port"])
    for bad in ("0", "65536", "x", "022", "-1"):
        h.wrong(2, "forward", "a", *(["--"] if bad == "-1" else []), bad, want=["no port"])
    h.wrong(2, "forward", "a", "22", "--host-port", "x", want=["no port"])
    h.wrong(2, "forward", want=["missing"])
    h.wrong(1, "forward", "rm", "1234", want=["port 1234", "niter forward ls"])
    # Stopped, it leads nowhere, and comes back with the instance, behind whatever gateway there is then.
    at = h.settled()
    h.ok("stop", "a")
    assert sorted(m["host_port"] for m in h.told("launcher", want=2, since=at)) == [8080, 20000]
    assert [f["active"] for f in h.json("forward", "ls")["forwards"]] == [False, False, True]
    h.wrong(1, "ssh", "a", want=["does not run", "niter start"])
    at = h.settled()
    h.ok("start", "a")
    assert {m["what"] for m in h.told("launcher", since=at) if "host_port" in m} <= {"forward"}
    h.settled()
    assert [f["active"] for f in h.json("forward", "ls")["forwards"]] == [True, True, True]
    at = h.settled()
    h.tell("kill-niterd")
    h.settled()
    assert sorted(m["host_port"] for m in h.told("launcher", since=at) if m["what"] == "forward") == [8080, 20000, 20001]
    # An instance that ended while niterd was away: its port is closed.
    at = h.settled()
    h.tell(f"lose {b['id']}")
    h.settled()
    got = [(m["what"], m["host_port"]) for m in h.told("launcher", since=at) if "host_port" in m]
    assert sorted(got) == [("forward", 8080), ("forward", 20000), ("unforward", 20001)], got
    at = h.settled()
    h.ok("forward", "rm", "8080", "20000")
    assert sorted((m["what"], m["host_port"]) for m in h.told("launcher", want=2, since=at)) == [
        ("unforward", 8080), ("unforward", 20000)]
    assert len(h.told("card", a["id"], since=at)[-1]["rules"]) == 3
    h.ok("rm", "b")
    assert h.json("forward", "ls")["forwards"] == []
    h.close()


def test_a_network_without_a_way_out_says_why():
    h = Host(FAKE_NO_UPLINK="1")
    h.image()
    h.ok("run", "debian", "--type", "t3.nano", "--name", "a")
    r = Raw(h.sock)
    r.s.settimeout(60)
    ans = r.ask("forward.add", instance="a", port=22)
    assert "no uplink here" in ans["error"]["message"], ans
    assert h.json("forward", "ls")["forwards"] == []
    h.close()


def test_a_port_the_launcher_refuses_is_not_kept():
    h = Host(FAKE_PORT_TAKEN="80")
    h.image()
    h.ok("run", "debian", "--type", "t3.nano", "--name", "a")
    h.wrong(1, "forward", "a", "80", "--host-port", "80", want=["port 80 of the host", "another program", "choose another"])
    assert h.json("forward", "ls")["forwards"] == []
    card = h.state_of("a")["id"]
    for _ in range(200):  # the card is told after the person
        if len(h.told("card", card)[-1].get("rules", [])) in (0, 2):
            break
        time.sleep(0.02)
    assert len(h.told("card", card)[-1].get("rules", [])) in (0, 2)
    h.close()


class Monitor(threading.Thread):
    """QEMU's monitor, as far as niter asks it."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.s = socket.socket(socket.AF_UNIX)
        self.s.bind(path)
        self.s.listen(4)
        self.open, self.seen, self.refuse = [], [], False
        self.start()

    def answer(self, line):
        self.seen.append(line)
        m = re.fullmatch(r"hostfwd_(add|remove) tcp:127\.0\.0\.1:(\d+)(-:\d+)?", line)
        if m and m[1] == "add" and self.refuse:
            return f"could not set up host forwarding rule 'tcp:127.0.0.1:{m[2]}-:{m[2]}'\r\n"
        if m:
            self.open.append(m[2]) if m[1] == "add" else self.open.remove(m[2])
            return "" if m[1] == "add" else f"host forwarding rule for tcp:127.0.0.1:{m[2]} removed\r\n"
        assert line == "info usernet", line
        return "Hub -1 (uplink):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n" + "".join(
            f"  TCP[HOST_FORWARD]  12       127.0.0.1 {p:>5}       10.0.2.15 {p:>5}     0     0\r\n" for p in self.open)

    def run(self):
        while True:
            c, _ = self.s.accept()
            f = c.makefile("rw")
            f.write('{"QMP": {"version": {}, "capabilities": []}}\n')
            f.flush()
            for line in f:
                q = json.loads(line)
                ret = self.answer(q["arguments"]["command-line"]) if q["execute"] != "qmp_capabilities" else {}
                f.write('{"event": "RTC_CHANGE", "data": {}}\n' + json.dumps({"return": ret}) + "\n")
                f.flush()
            f.close()
            c.close()


def test_a_simulated_server_opens_the_port_on_this_machine_too():
    h = Host()
    h.image()
    h.ok("run", "debian", "--type", "t3.nano", "--name", "a")
    mon = Monitor(os.path.join(h.run_dir, "qmp"))
    qemu = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", h.home], stdin=subprocess.PIPE)
    with open(os.path.join(h.home, "host.json"), "w") as f:
        json.dump({"mode": "simulated", "pid": qemu.pid, "retries": 0}, f)
    got = h.ok("forward", "a", "22")
    port = re.fullmatch(r"127\.0\.0\.1:(\d+)\n", got)[1]
    assert mon.open == [port] and h.json("forward", "ls")["forwards"][0]["host_port"] == int(port)
    # Again: it is open already. After QEMU's restart: it is opened again.
    assert h.ok("forward", "a", "22") == got and mon.open == [port]
    mon.open = []
    assert h.ok("forward", "a", "22") == got and mon.open == [port]
    h.ok("forward", "rm", port)
    assert mon.open == [] and h.json("forward", "ls")["forwards"] == []
    mon.refuse = True
    h.wrong(1, "forward", "a", "22", "--host-port", "2222", want=["port 2222 of this machine", "--host-port"])
    assert h.json("forward", "ls")["forwards"] == []
    qemu.stdin.close()
    qemu.wait()
    h.close()


def test_ssh_waits_and_becomes_ssh():
    h = Host()
    h.image()
    a = h.ok("run", "debian", "--type", "t3.nano", "--name", "a").strip()
    h.wrong(2, "ssh", "a", "--user", "-x", want=["no user name"])
    h.wrong(1, "ssh", "a", "-i", "/nonexistent", want=["cannot read /nonexistent"])
    h.wrong(1, "ssh", "nobody", want=["unknown instance"])
    bin_dir = os.path.join(h.home, "bin")
    os.mkdir(bin_dir)
    with open(os.path.join(bin_dir, "ssh"), "w") as f:
        f.write('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    os.chmod(os.path.join(bin_dir, "ssh"), 0o755)
    key = os.path.join(h.home, "id")
    with open(key, "w") as f:
        f.write("x")
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", 0))
    port = server.getsockname()[1]
    h.ok("forward", "a", "22", "--host-port", str(port))

    def serve():
        time.sleep(1.5)  # nobody listens at first
        server.listen()
        server.accept()[0].close()  # then somebody who says nothing
        server.accept()[0].sendall(b"SSH-2.0-fake\r\n")

    t = threading.Thread(target=serve, daemon=True)
    t.start()
    env = {**os.environ, "NITER_HOME": h.home, "NITER_SOCKET": h.sock, "PATH": bin_dir + ":" + os.environ["PATH"]}
    r = subprocess.run([NITER, "ssh", "a", "-i", key, "--", "echo", "-n", "hi"], capture_output=True, text=True, env=env,
                       timeout=30)
    assert r.returncode == 0, r.stderr
    assert r.stderr == f"waiting for the SSH server of {a}\n", r.stderr
    assert r.stdout.split("\n") == [
        "-p", str(port), "-o", f'UserKnownHostsFile="{h.home}/ssh/{a}"', "-o", f"HostKeyAlias={a}", "-o",
        "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR", "-i", key, "-o", "IdentitiesOnly=yes",
        "admin@127.0.0.1", "--", "echo", "-n", "hi", ""]
    t.join()
    server.close()
    r = h.niter("ssh", "a", "--timeout", "1")
    assert r.returncode == 1 and "no SSH server answers" in r.stderr.strip().split("\n")[-1], r.stderr
    h.close()


def main():
    only = sys.argv[4:]
    for name, fn in sorted(globals().items()):
        if not name.startswith("test_") or (only and name not in only):
            continue
        try:
            fn()
            print(f"ok {name}", flush=True)
        except Exception as e:  # noqa: BLE001: the runner names every failure and goes on
            failed.append(name)
            print(f"FAILED {name}: {type(e).__name__}: {e}", flush=True)
            for h in Host.alive[:]:
                h.close()
            if only:
                raise
    return 1 if failed else 0


sys.exit(main())
