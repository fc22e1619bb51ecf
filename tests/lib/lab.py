# SPDX-License-Identifier: Apache-2.0
"""A simulated server under test: start it, run instances in it, read what guests say on their consoles.

Each test program makes one Lab. A Lab has a NITER_HOME of its own under build/lab; the first one with an image builds that
image's golden home (state disk with the image imported, snapshot of the ready server), the others copy it.
"""
import atexit
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAB = os.environ.get("NITER_LAB", os.path.join(TOP, "build", "lab"))
NITER = os.path.join(TOP, "build", "stage", "usr", "bin", "niter")
MARKER = hashlib.sha256(b"niter marker").hexdigest()

# What a stock kernel warns of that has nothing to do with the machine it runs on, or only with its slowness here.
KNOWN_WARNINGS = (
    r"device-mapper: core: CONFIG_IMA_DISABLE_HTABLE is disabled",
    r"hrtimer: interrupt took \d+ ns",
    r"amd_pstate: the _CPC object is not present",
    r"sched: RT throttling activated",
    r"ena [0-9a-f:.]+: LLQ is not supported Fallback to host mode policy",  # a queue in device memory is optional
    r"clocksource: Long readout interval, skipping watchdog check",
    r"clocksource: .*wd-.*read-back delay|clocksource: timekeeping watchdog",
)
# What systemd says on the console while the probe writes there: "[ TIME ] Timed out waiting …" in colours.
SYSTEMD_STATUS = re.compile(r"\[\x1b\[[0-9;]*m *(OK|TIME|DEPEND|FAILED|WARN|INFO|SKIP) *\x1b\[0m\]")
_failed = False


def ok(name):
    print(f"ok {name}", flush=True)


def not_ok(name, why):
    global _failed
    _failed = True
    why = str(why).strip().replace("\n", " | ")
    print(f"not ok {name}: {why[:2000]}", flush=True)


def skip(name, why):
    print(f"skip {name}: {why}", flush=True)


def check(name, condition, why=""):
    if condition:
        ok(name)
    else:
        not_ok(name, why or "does not hold")
    return bool(condition)


def finish():
    sys.exit(1 if _failed else 0)


def unknown_warnings(text):
    return "\n".join(line for line in text.splitlines() if line.strip() and not any(re.search(k, line) for k in KNOWN_WARNINGS))


def found_in_file(path, needle):
    """Is NEEDLE anywhere in the written extents of a sparse file?"""
    step = 4 << 20
    with open(path, "rb") as f:
        end = os.fstat(f.fileno()).st_size
        at = 0
        while at < end:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:
                return False
            hole = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            tail = b""
            while at < hole:
                piece = os.pread(f.fileno(), min(step, hole - at), at)
                if needle in tail + piece:
                    return True
                tail = piece[-len(needle):]
                at += len(piece)
    return False


class Refused(Exception):
    """niter said no; .line is its one line, .code its exit code."""

    def __init__(self, code, line):
        super().__init__(line)
        self.code = code
        self.line = line


class Lab:
    def __init__(self, name, memory=2048, cpus=1, golden=True, keep=False, image="test"):
        self.home = os.path.join(LAB, name)
        self.memory = memory
        self.cpus = cpus
        self.env = dict(os.environ, NITER_HOME=self.home)
        self.env.setdefault("NITER_HOST_IMAGE", os.path.join(TOP, "build", "host"))
        self.env.setdefault("NITER_LIBEXEC", os.path.join(TOP, "build", "stage", "usr", "lib", "niter"))
        if golden:
            _copy_home(_golden_home(self.env, image), self.home)
        elif not keep:
            shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(LAB, exist_ok=True)
        atexit.register(self.kill)

    # The command -------------------------------------------------------------------------------

    def niter(self, *args, timeout=300):
        """Run niter ARGS --json. Returns the parsed answer; raises Refused."""
        done = subprocess.run([NITER, *args, "--json"], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        for line in err.splitlines():
            if "try " in line and "did not come up" in line:
                print(f"# retry {line}", flush=True)
        if done.returncode != 0:
            raise Refused(done.returncode, err.strip() or out.strip())
        return json.loads(out) if out.strip() else None

    def refused(self, *args, timeout=120):
        """Run niter ARGS, which must fail. Returns (exit code, standard error)."""
        done = subprocess.run([NITER, *args], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout)
        return done.returncode, done.stderr.decode(errors="replace").strip()

    # The server --------------------------------------------------------------------------------

    def start(self, snapshot=True, more=()):
        args = ["host", "start", "--simulated", "--memory", str(self.memory), "--cpus", str(self.cpus), *more]
        return self.niter(*args, *(["--snapshot"] if snapshot else []), timeout=400)

    def fingerprint(self, timeout=120):
        """What another host knows this one by. At the first boot ever its keys take a moment."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = self.niter("host", "status").get("fingerprint")
            if found:
                return found
            time.sleep(0.5)
        raise TimeoutError("the host never showed its fingerprint: " + self.log()[-800:])

    def stop(self):
        self.niter("host", "stop", timeout=120)

    def kill(self):
        """Power cut: nothing is asked."""
        for name in ("qemu.pid", "swtpm.pid"):
            try:
                pid = int(open(os.path.join(self.home, "run", name)).read())
                if self.home.encode() in open(f"/proc/{pid}/cmdline", "rb").read():
                    os.kill(pid, 9)
            except (OSError, ValueError):
                pass

    def state_path(self):
        return os.path.join(self.home, "state.raw")

    def log(self):
        with open(os.path.join(self.home, "run", "console.log"), errors="replace") as f:
            return f.read()

    def processes(self):
        return self.niter("host", "processes")["processes"]

    # Instances ---------------------------------------------------------------------------------

    def image(self):
        return self.niter("image", "ls")["images"][0]["id"]

    def run(self, *args):
        return self.niter("run", self.image(), *args)["instance"]["id"]

    def state(self, instance):
        for i in self.niter("ps")["instances"]:
            if i["id"] == instance:
                return i["state"]
        return None

    def key(self):
        """An SSH key pair of this lab. Returns the path of the private key; the public one ends in .pub."""
        path = os.path.join(self.home, "key")
        if not os.path.exists(path):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return path

    def ssh(self, instance, command, timeout=300, check=True):
        """Run COMMAND in the guest by niter ssh. Returns its standard output; raises RuntimeError when it fails."""
        try:
            done = subprocess.run([NITER, "ssh", "--timeout", str(timeout), "-i", self.key(), instance, "--", command], env=self.env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout + 60)
        except subprocess.TimeoutExpired as e:
            raise RuntimeError(f"{command!r} in {instance} does not end: {self.what_stands_still()}") from e
        if check and done.returncode != 0:
            raise RuntimeError(f"{command!r} in {instance}: exit code {done.returncode}: "
                               f"{done.stderr.decode(errors='replace')[-1500:]}")
        return done.stdout.decode(errors="replace")

    def what_stands_still(self):
        """Which instances still answer, and what they and the host said last: for the log of a test that waited in vain."""
        said = []
        for i in self.niter("ps")["instances"]:
            try:
                done = subprocess.run([NITER, "ssh", "--timeout", "30", "-i", self.key(), i["id"], "--",
                                       "uptime; grep -v ' 0 ' /proc/interrupts; ss -tin; sudo dmesg | tail -5"], env=self.env,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
                answer = done.stdout.decode(errors="replace")
            except subprocess.TimeoutExpired:
                answer = "no answer"
            said.append(f"{i['id']} {i.get('name')} {i['state']}: {answer}\nconsole: {self.console(i['id'])[-800:]}")
        return "\n".join(said) + f"\nhost log: {self.log()[-1500:]}"

    def wait_state(self, instance, state, timeout=120):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.state(instance) == state:
                return True
            time.sleep(0.3)
        return False

    def console(self, instance):
        done = subprocess.run([NITER, "console", instance], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return done.stdout.decode(errors="replace").replace("\r", "")

    def wait_console(self, instance, pattern, timeout=240):
        """Wait until the console matches. Returns the whole console; raises TimeoutError with its tail."""
        end = time.monotonic() + timeout
        text = ""
        while time.monotonic() < end:
            text = self.console(instance)
            if re.search(pattern, text):
                return text
            if self.state(instance) not in ("pending", "running", "stopping", "shutting-down"):
                break
            time.sleep(0.5)
        raise TimeoutError(f"console of {instance} never matched {pattern!r}; state {self.state(instance)}; "
                           f"it ends with: {text[-1500:]!r}; host log ends with: {self.log()[-1500:]!r}")

    def probe(self, instance, boot, timeout=240, last="done"):
        """The sections niter-probe printed in boot number BOOT, as a dictionary of texts; niter-probe-net's too with
        LAST "net-done"."""
        text = self.wait_console(instance, rf"@@ {last} {boot}\b", timeout)
        text = text[text.rindex(f"@@ boot {boot}\n"):]
        sections = {}
        name = None
        for line in text.splitlines():
            if SYSTEMD_STATUS.match(line):
                continue
            if line.startswith("@@ "):
                name = line[3:]
                sections[name] = []
            elif name:
                sections[name].append(line)
        return {k: "\n".join(v) for k, v in sections.items()}


def _copy_home(source, target):
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", source, target], check=True)
    shutil.rmtree(os.path.join(target, "run"), ignore_errors=True)
    try:
        os.unlink(os.path.join(target, "host.json"))
    except FileNotFoundError:
        pass


def _golden_home(env, kind):
    """A stopped server that has the image NITER_<KIND>_IMAGE; made once for each host image and image."""
    image = env[f"NITER_{kind.upper()}_IMAGE"]
    key = hashlib.sha256()
    for path in (os.path.join(env["NITER_HOST_IMAGE"], "initramfs.cpio"), os.path.join(image, "image.json")):
        key.update(open(path, "rb").read())
    name = f"golden-{kind}"
    home = os.path.join(LAB, name)
    stamp = os.path.join(home, "complete")
    os.makedirs(LAB, exist_ok=True)
    with open(os.path.join(LAB, f"{name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(stamp) and open(stamp).read() == key.hexdigest():
            return home
        lab = Lab(name, golden=False)
        lab.start()
        lab.niter("image", "put", image, "--name", "debian", timeout=600)
        lab.stop()
        with open(stamp, "w") as f:
            f.write(key.hexdigest())
    return home
