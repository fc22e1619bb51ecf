#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile requests to the metadata service, each twice: at the program as it is, where it must be denied, and at one from which the
guard it meets was taken away by linking (metadata_sabotage.c), where it must succeed - else the probe would prove nothing.

    metadata-host NITER-METADATA-SABOTAGE CERT metadata_probes.py

The variant without anything sabotaged is the product's code; tests/native/metadata_test.py runs the product's own program.
"""
import base64
import ctypes
import os
import socket
import struct
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import imds  # noqa: E402
from imds import TOKEN, TTL, ask, get, raw, request, token  # noqa: E402

world = imds.World()
PUT, ID = "/latest/api/token", "/latest/meta-data/instance-id"
SECRET = b"i-0123456789abcdef0"
INSTANCE, OTHER = "i-0123456789abcdef0", "i-0fedcba9876543210"


def is_secret(a):
    return a.status == 200 and a.body == SECRET


def is_token(a):
    return a.status == 200 and len(a.body) == 56


# Every probe returns True when the attacker got what he wanted.

# ---- without a token, or with a wrong one ----

def reads_without_a_token():
    return is_secret(ask("GET", ID))


def invents_a_token():
    claim = struct.pack("<QQQ", 1, 2 ** 64 - 1, 1)
    return is_secret(get(ID, base64.b64encode(claim + os.urandom(16)).decode()))


def lengthens_a_tokens_life():
    real = base64.b64decode(token(1))
    version, expiry, serial = struct.unpack("<QQQ", real[:24])
    longer = struct.pack("<QQQ", version, expiry + 21600 * 10 ** 9, serial)
    time.sleep(1.1)
    return is_secret(get(ID, base64.b64encode(longer + real[24:]).decode()))


def uses_an_expired_token():
    t = token(1)
    time.sleep(1.1)
    return is_secret(get(ID, t))


def uses_another_instances_token():
    t = token()
    world.ok(f"restart {OTHER}")
    imds.ready(world)
    try:
        return is_secret(get(ID, t))
    finally:
        world.ok(f"restart {INSTANCE}")
        imds.ready(world)


def uses_a_token_from_before_a_restart():
    t = token()
    world.ok(f"restart {INSTANCE}")
    imds.ready(world)
    return is_secret(get(ID, t))


def hides_a_good_token_behind_a_wrong_one():
    t = token()
    return any(is_secret(ask("GET", ID, pair)) for pair in ([(TOKEN, t), (TOKEN, "x")], [(TOKEN, "x"), (TOKEN, t)]))


def reads_from_a_service_that_is_off():
    t = token()
    assert world.options(enabled=0) == "ok"
    try:
        return is_secret(get(ID, t)) or is_token(ask("PUT", PUT, {TTL: 60}))
    finally:
        assert world.options() == "ok"


# ---- to get a token ----

def asks_for_a_token_without_a_ttl():
    return is_token(ask("PUT", PUT))


def asks_for_a_ttl_out_of_range():
    return any(is_token(ask("PUT", PUT, {TTL: v})) for v in ("0", "21601", "99999999999999999999", "-1", "", "1e2", "60 60", "0x3c"))


def asks_for_two_ttls():
    return is_token(ask("PUT", PUT, [(TTL, 60), (TTL, 21600)]))


def asks_through_a_proxy():
    return any(is_token(ask("PUT", PUT, {TTL: 60, name: v})) for name, v in (
        ("X-Forwarded-For", "203.0.113.9"), ("x-forwarded-for", ""), ("X-FORWARDED-FOR", "a, b")))


def asks_with_another_method():
    return any(is_token(ask(m, PUT, {TTL: 60})) for m in ("GET", "POST", "PATCH", "put"))


def reads_with_another_method():
    t = token()
    return any(ask(m, ID, {TOKEN: t}).status == 200 for m in ("POST", "HEAD", "DELETE", "OPTIONS", "TRACE"))


# ---- from a browser ----

def comes_under_a_rebound_name():
    return is_token(ask("PUT", PUT, {TTL: 60}, host="rebound.example")) or is_secret(
        get(ID, token(), host="169.254.169.254.rebound.example"))


def names_another_host_in_the_target():
    return any(is_token(ask("PUT", f"http://{h}{PUT}", {TTL: 60})) for h in ("rebound.example", "169.254.169.254@rebound.example"))


# ---- two readers of one request ----

def smuggles_a_request_in_a_body():
    inner = request("PUT", PUT, {TTL: 60})
    outer = request("PUT", PUT, [(TTL, 60), ("Content-Length", len(inner))])
    return len(raw(outer + inner)) > 1


def smuggles_a_request_in_a_chunk():
    inner = request("PUT", PUT, {TTL: 60})
    for fields in ([("Transfer-Encoding", "chunked")], [("Content-Length", "0"), ("Transfer-Encoding", "chunked")],
                   [("Content-Length", "0"), ("Content-Length", len(inner))]):
        if len(raw(request("PUT", PUT, [(TTL, 60), *fields]) + inner)) > 1:
            return True
    return False


# ---- distance ----

def sees_the_token_with_hops_left():
    """On the wire: the IP TTL of every packet that carries the token."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as tap:
        tap.bind(("lo", 0x0800))
        tap.settimeout(0.5)
        t = token().encode()
        seen = []
        try:
            while len(seen) < 2:
                frame = tap.recv(65536)
                if t in frame:
                    seen.append(frame[14 + 8])
        except TimeoutError:
            pass
    assert seen, "no packet with the token was seen"
    return max(seen) > 1


def ip(*args):
    subprocess.run(["ip", *args], check=True)


class Elsewhere:
    """A process in a network namespace of its own that runs Python lines; its answer is the value of `out`."""

    def __init__(self):
        mine, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            mine.close()
            self._serve(theirs)
        theirs.close()
        self.file = mine.makefile("rw", buffering=1)
        assert self.file.readline() == "ready\n"

    @staticmethod
    def _serve(sock):
        status = 1
        try:
            os.environ.pop("METADATA_CTL", None)
            if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            f = sock.makefile("rw", buffering=1)
            f.write("ready\n")
            for line in f:
                scope = {"imds": imds, "ip": ip, "out": None}
                try:
                    exec(line.replace("\x1f", "\n"), scope)  # pylint: disable=exec-used
                    f.write(repr(scope["out"]) + "\n")
                except OSError as e:
                    f.write(repr(f"{type(e).__name__}") + "\n")
            status = 0
        finally:
            os._exit(status)

    def do(self, code):
        self.file.write(code.replace("\n", "\x1f") + "\n")
        return self.file.readline().rstrip("\n")

    def end(self):
        self.file.close()
        try:
            os.kill(self.pid, 9)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


ASK = "import imds, socket\nsocket.setdefaulttimeout(2)\nout = imds.raw(imds.request('PUT', '/latest/api/token', {imds.TTL: 60}), 2)[0].status"


def takes_the_token_one_hop_further():
    """service ── guest, which forwards ── container: the container asks for a token."""
    guest, container = Elsewhere(), Elsewhere()
    try:
        ip("link", "add", "s0", "type", "veth", "peer", "name", "g0", "netns", str(guest.pid))
        ip("addr", "add", "169.254.1.1/24", "dev", "s0")
        ip("link", "set", "s0", "up")
        ip("route", "add", "10.9.0.0/24", "via", "169.254.1.2")
        guest.do(f"ip('link', 'add', 'g1', 'type', 'veth', 'peer', 'name', 'c0', 'netns', '{container.pid}')")
        guest.do("ip('addr', 'add', '169.254.1.2/24', 'dev', 'g0')\nip('addr', 'add', '10.9.0.1/24', 'dev', 'g1')\n"
                 "ip('link', 'set', 'g0', 'up')\nip('link', 'set', 'g1', 'up')\nip('link', 'set', 'lo', 'up')\n"
                 "ip('route', 'add', '169.254.169.254', 'via', '169.254.1.1')\nopen('/proc/sys/net/ipv4/ip_forward', 'w').write('1')")
        container.do("ip('link', 'set', 'lo', 'up')\nip('addr', 'add', '10.9.0.2/24', 'dev', 'c0')\nip('link', 'set', 'c0', 'up')\n"
                     "ip('route', 'add', 'default', 'via', '10.9.0.1')")
        near = guest.do(ASK)
        far = container.do(ASK)
        assert near == "200", f"the guest itself gets no token: {near}"
        assert world.options(hops=2) == "ok"
        further = container.do(ASK)
        assert further == "200", f"with two hops the container gets none either: {further}"
        return far == "200"
    finally:
        world.options()
        guest.end()
        container.end()
        time.sleep(0.1)
        subprocess.run(["ip", "link", "del", "s0"], check=False, stderr=subprocess.DEVNULL)


# ---- to keep the others out ----

def holds_all_connections():
    """100 connections that send a byte now and then; is somebody else served within 3 seconds?"""
    held = []
    try:
        for _ in range(100):
            try:
                s = imds.connect(timeout=1)
            except OSError:
                break
            s.sendall(b"GET / HT")
            held.append(s)
        time.sleep(0.3)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            try:
                if is_token(raw(request("PUT", PUT, {TTL: 60}), timeout=1)[0]):
                    return False
            except (OSError, IndexError):
                pass
        return True
    finally:
        for s in held:
            s.close()
        time.sleep(0.2)


def takes_its_time_for_ever():
    """A request of which a byte comes every second; is the connection still there after 12?"""
    with imds.connect(timeout=1) as s:
        for c in request("PUT", PUT, {TTL: 60})[:12]:
            try:
                s.sendall(bytes([c]))
                time.sleep(1)
            except OSError:
                return False
        try:
            return s.recv(1) != b""
        except TimeoutError:
            return True
        except OSError:
            return False


def asks_too_often():
    """More than a thousand requests a second, from four connections."""
    t = token()
    one = request("GET", ID, {TOKEN: t}) * 50
    socks = [imds.connect() for _ in range(4)]
    served, start = 0, time.monotonic()
    while time.monotonic() - start < 2:
        for s in socks:
            s.sendall(one)
        for s in socks:
            got = b""
            while got.count(SECRET) < 50:
                got += s.recv(1 << 20)
            served += 50
    rate = (served - 100) / (time.monotonic() - start)  # 100: the burst
    for s in socks:
        s.close()
    print(f"# {rate:.0f} requests a second")
    return rate > 1100


def asks_for_names_too_often():
    q, served, start = imds.query("ip-172-31-0-5.ec2.internal", imds.A), 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(imds.DNS)
        s.setblocking(False)
        while time.monotonic() - start < 2:
            for _ in range(20):
                s.send(q)
            time.sleep(0.001)
            try:
                while s.recv(2000):
                    served += 1
            except BlockingIOError:
                pass
    rate = (served - 100) / (time.monotonic() - start)
    print(f"# {rate:.0f} names a second")
    return rate > 1100


# probe -> guards to take away. The second list must still be denied: each of two guards is enough.
PROBES = [
    (reads_without_a_token, "token", []),
    (invents_a_token, "mac", ["expiry", "key"]),
    (lengthens_a_tokens_life, "mac", ["key"]),
    (uses_an_expired_token, "expiry", ["key"]),
    (uses_another_instances_token, "key,instance", ["key", "instance"]),
    (uses_a_token_from_before_a_restart, "key", ["instance"]),
    (hides_a_good_token_behind_a_wrong_one, "token-once", []),
    (reads_from_a_service_that_is_off, "enabled", []),
    (asks_for_a_token_without_a_ttl, "ttl", []),
    (asks_for_a_ttl_out_of_range, "ttl", []),
    (asks_for_two_ttls, "ttl", []),
    (asks_through_a_proxy, "forwarded", ["host"]),
    (asks_with_another_method, "method", []),
    (reads_with_another_method, "method", []),
    (comes_under_a_rebound_name, "host", []),
    (names_another_host_in_the_target, "host", []),
    (smuggles_a_request_in_a_body, "framing", []),
    (smuggles_a_request_in_a_chunk, "framing", []),
    (sees_the_token_with_hops_left, "hop-limit", []),
    (takes_the_token_one_hop_further, "hop-limit", []),
    (holds_all_connections, "late", []),
    (takes_its_time_for_ever, "late", []),
    (asks_too_often, "rate", []),
    (asks_for_names_too_often, "rate", []),
]
if len(sys.argv) > 1:  # only these
    PROBES = [p for p in PROBES if p[0].__name__ in sys.argv[1:]]


def start_with(guards):
    world.ok("sabotage " + (guards or "-"))
    world.ok(f"restart {INSTANCE}")
    imds.ready(world)


def main():
    passed = failed = 0
    for probe, guards, not_enough in PROBES:
        for sabotage, wanted in [("", False), *((g, False) for g in not_enough), (guards, True)]:
            what = f"{probe.__name__}__" + ("succeeds_without_" if wanted else "is_denied_without_" if sabotage else "is_denied")
            what += sabotage.replace(",", "_and_").replace("-", "_")
            try:
                start_with(sabotage)
                good = probe() == wanted
            except Exception:  # pylint: disable=broad-except
                traceback.print_exc()
                good = False
            passed, failed = passed + good, failed + (not good)
            print(("ok " if good else "FAILED ") + what, flush=True)
    print(f"{len(PROBES)} probes: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
