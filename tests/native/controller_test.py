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
        self.env = {**env, **JAIL}
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
