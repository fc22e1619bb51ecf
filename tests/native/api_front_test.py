#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The port of the EC2 API, as clients good and bad see it: HTTP and TLS on one port, smuggling, slowness, crowds.

    api_front_test.py FAKE_LAUNCHER NITERD NITER

One niterd runs as on a host (as root: in its jail), started by a launcher that starts no guests: there is no security process, so
nobody is let in and every request is answered with a refusal, which is all that framing needs. A second one runs by itself with
the null launcher and knows a key: for answers that are long and calls that change something.
"""
import datetime
import hashlib
import hmac
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

FAKE, NITERD, NITER = sys.argv[1:4]
HOME = tempfile.mkdtemp(prefix="niter-front.")
KEY, SECRET = "AKIANITERFRONTTEST01", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
failed = []
passed = 0


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Launched:
    """niterd below the fake launcher."""

    def __init__(self):
        self.port, self.home = free_port(), os.path.join(HOME, "launched")
        for d in ("state/niterd", "state/images", "state/volumes", "run"):
            os.makedirs(os.path.join(self.home, d))
        self.sock = os.path.join(self.home, "niterd.sock")
        env = {**os.environ, "FAKE_API": str(self.port)}
        if os.geteuid() == 0:
            env["FAKE_JAIL"] = "1"
        self.process = subprocess.Popen([FAKE, NITERD, self.home + "/state", self.sock, self.home + "/run/ctl.0"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def niter(self, *args):
        return subprocess.run([NITER, *args], capture_output=True, text=True, timeout=60, check=True,
                              env={**os.environ, "NITER_HOME": self.home, "NITER_SOCKET": self.sock}).stdout

    def pid(self):
        return int(open(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read().split()[0])

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


class Null:
    """niterd that needs no launcher."""

    def __init__(self, name="null"):
        self.port, self.state = free_port(), os.path.join(HOME, name)
        os.makedirs(self.state, exist_ok=True)
        self.process = subprocess.Popen([NITERD, "--launcher=null", f"--listen=127.0.0.1:{self.port}", f"--state={self.state}",
                                         f"--access-key-id={KEY}", f"--secret-access-key={SECRET}"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        env={**os.environ, "NITER_LOG": "err"})

    def pid(self):
        return self.process.pid

    def close(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)


def connect(port, timeout=30):
    for _ in range(500):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=timeout)
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise AssertionError("nobody listens")


class Reader:
    """Answers from a connection, one at a time."""

    def __init__(self, s):
        self.s, self.buf = s, b""

    def more(self):
        try:
            data = self.s.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        self.buf += data
        return bool(data)

    def answer(self):
        """(status, headers, body); None at the end."""
        while b"\r\n\r\n" not in self.buf:
            if not self.more():
                assert self.buf == b"", f"half an answer: {self.buf!r}"
                return None
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v for k, v in (x.split(": ", 1) for x in lines[1:])}
        status = int(lines[0].split()[1])
        length = int(headers.get("content-length", 0))
        while len(self.buf) < length:
            assert self.more(), "half a body"
        body, self.buf = self.buf[:length], self.buf[length:]
        return status, headers, body


def ask(port, data, **kw):
    with connect(port, **kw) as s:
        s.sendall(data)
        return Reader(s).answer()


def presigned(port, form):
    """A whole request of EC2 that carries its signature in the query."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/us-east-1/ec2/aws4_request"
    query = "&".join(sorted((form + f"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}/{scope}&X-Amz-Date={now}&X-Amz-Expires=60"
                             "&X-Amz-SignedHeaders=host").replace("/", "%2F").split("&")))
    canonical = f"GET\n/\n{query}\nhost:127.0.0.1:{port}\n\nhost\n" + hashlib.sha256(b"").hexdigest()
    k = b"AWS4" + SECRET.encode()
    for part in scope.split("/"):
        k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return (f"GET /?{query}&X-Amz-Signature={hmac.new(k, text.encode(), hashlib.sha256).hexdigest()} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{port}\r\n\r\n").encode()


def signed(port, form, connection=""):
    """A whole signed request of EC2."""
    body = form.encode()
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/us-east-1/ec2/aws4_request"
    canonical = (f"POST\n/\n\nhost:127.0.0.1:{port}\nx-amz-date:{now}\n\nhost;x-amz-date\n" + hashlib.sha256(body).hexdigest())
    k = b"AWS4" + SECRET.encode()
    for part in scope.split("/"):
        k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return (f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Amz-Date: {now}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders=host;x-amz-date, "
            f"Signature={hmac.new(k, text.encode(), hashlib.sha256).hexdigest()}\r\n{connection}"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def memory_kib(pid):
    return int(re.search(r"RssAnon:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))


def fd_cnt(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


# ---- framing ----

H = b"Host: x\r\n"
PROBES = [  # what is sent, the status of the only answer
    (b"GET / HTTP/1.1\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b"A: b\rGET /2 HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b"A\0: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + H + b"\r\n", 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Content-Length : 5\r\n\r\nGET /", 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nGET / ", 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET, 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET, 501),
    (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: xchunked\r\n\r\n" + GET, 501),
    (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +5\r\n\r\nGET /" + GET, 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 0x5\r\n\r\nGET /" + GET, 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1048577\r\n\r\n" + GET, 413),
    (b"POST / HTTP/1.1\r\n" + H + b"Expect: something\r\nContent-Length: 0\r\n\r\n" + GET, 417),
    (b"GET http://other/ HTTP/1.1\r\n" + H + b"\r\n" + GET, 400),
    (b"GET gopher://x/ HTTP/1.1\r\n" + H + b"\r\n" + GET, 400),
    (b"CONNECT x:1 HTTP/1.1\r\n" + H + b"\r\n" + GET, 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"HEAD / HTTP/1.1\r\n" + H + b"\r\n" + GET, 405),
    (b"GET / HTTP/1.1\r\n" + H + b"A: " + b"x" * 20000, 431),
    (b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n" * 64 + b"\r\n", 431),
    (b"GET / HTTP/1.0\r\n\r\n" + GET, 403),
    (b"GET / HTTP/1.1\r\n" + H + b"Connection: close\r\n\r\n" + GET, 403),
]


def framing__ends_the_connection_after_a_refusal(h, _):
    """One answer, then the end: whatever follows is never another request."""
    for data, status in PROBES:
        with connect(h.port) as s:
            s.sendall(data)
            r = Reader(s)
            a = r.answer()
            assert a and a[0] == status, f"{data[:60]!r}: {a and a[0]}, not {status}"
            assert a[1].get("connection") == "close", data[:60]
            assert r.answer() is None, f"{data[:60]!r}: a second answer"


def framing__answers_pipelined_requests_in_order(h, _):
    one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    with connect(h.port) as s:
        s.sendall((GET + one) * 100)
        r = Reader(s)
        ids = [r.answer()[1]["x-amzn-requestid"] for _ in range(200)]
        assert len(set(ids)) == 200
        s.sendall(GET)
        assert r.answer()[0] == 403  # and it goes on


def framing__takes_a_request_byte_by_byte(h, _):
    with connect(h.port) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for b in b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + GET:
            s.sendall(bytes([b]))
        r = Reader(s)
        assert r.answer()[0] == 403 and r.answer()[0] == 403


def framing__answers_a_client_that_has_closed_its_half(h, _):
    with connect(h.port) as s:
        s.sendall(GET * 3)
        s.shutdown(socket.SHUT_WR)
        r = Reader(s)
        assert [r.answer()[0] for _ in range(3)] == [403] * 3
        assert r.answer() is None


def framing__says_100_continue_when_asked(h, _):
    with connect(h.port) as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        r = Reader(s)
        assert r.answer()[0] == 100
        s.sendall(b"abc")
        assert r.answer()[0] == 403


def framing__takes_a_body_of_the_limit(h, _):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n"
    assert ask(h.port, head + b"a" * 1048576)[0] == 403


def answer__has_an_id_and_the_time(h, _):
    status, headers, body = ask(h.port, GET)
    assert status == 403 and headers["content-type"] == "text/xml;charset=UTF-8"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", headers["x-amzn-requestid"])
    assert headers["x-amzn-requestid"].encode() in body and b"<Code>MissingAuthenticationToken</Code>" in body
    then = datetime.datetime.strptime(headers["date"], "%a, %d %b %Y %H:%M:%S GMT")
    assert abs((datetime.datetime.utcnow() - then).total_seconds()) < 5
    status, headers, body = ask(h.port, b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: TrentService.ListKeys\r\nContent-Length: 0\r\n\r\n")
    assert headers["content-type"] == "application/x-amz-json-1.1" and b'"__type":"MissingAuthenticationToken' in body


# ---- TLS ----

def tls__is_spoken_on_the_same_port(h, _):
    ca = os.path.join(HOME, "ca.pem")
    with open(ca, "w") as f:
        f.write(h.niter("host", "certificate", "--api"))
    good = ssl.create_default_context(cafile=ca)
    for name in ("localhost", "127.0.0.1"):
        with connect(h.port) as s, good.wrap_socket(s, server_hostname=name) as t:
            t.sendall(GET * 2)
            r = Reader(t)
            assert r.answer()[0] == 403 and r.answer()[0] == 403
    for context, name in ((good, "example.com"), (ssl.create_default_context(), "localhost")):
        try:
            with connect(h.port) as s, context.wrap_socket(s, server_hostname=name):
                raise AssertionError("a certificate for anybody")
        except ssl.SSLCertVerificationError:
            pass
    mode = os.stat(h.home + "/state/niterd/api-tls.pem").st_mode & 0o777
    assert mode == 0o600 and "PRIVATE" not in open(ca).read()


def tls__refuses_old_versions(h, _):
    for version, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
        try:
            with connect(h.port) as s, context.wrap_socket(s) as t:
                t.sendall(GET)
                assert Reader(t).answer()[0] == 403
                assert works, f"{version} is spoken"
        except (ssl.SSLError, ConnectionError):
            assert not works, f"{version} is not spoken"


def tls__survives_nonsense(h, _):
    for junk in (b"\x16", b"\x16\x03\x01\xff\xff" + b"x" * 1000, b"\x16" * 70000, b"\x16\x03\x01\x00\x05GET /"):
        with connect(h.port) as s:
            try:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:
                pass
    assert ask(h.port, GET)[0] == 403


# ---- crowds and slowness ----

def crowd__of_a_thousand_is_served_in_little_memory(h, _):
    before = memory_kib(h.pid())
    socks = [connect(h.port) for _ in range(1000)]
    for s in socks:
        s.sendall(GET)
    for s in socks:
        assert Reader(s).answer()[0] == 403
    per = (memory_kib(h.pid()) - before) / 1000
    print(f"  idle connection: {per:.2f} KiB of niterd's memory")
    assert per < 4
    for s in socks:
        s.close()


def crowd__beyond_the_limit_costs_the_one_with_the_most(h, _):
    """1500 connections from one address; one from another that came first stays."""
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        other.connect(("127.0.0.1", h.port))
        other.settimeout(30)
        other.sendall(GET)
        r = Reader(other)
        assert r.answer()[0] == 403
        socks = []
        for _ in range(1500):
            s = connect(h.port)
            s.sendall(b"GET / HT")
            socks.append(s)
        other.sendall(GET)
        assert r.answer()[0] == 403
        assert ask(h.port, GET)[0] == 403
        for s in socks:
            s.close()


def crowd__that_goes_at_once_leaves_nothing(h, _):
    before = fd_cnt(h.pid())
    for n in range(300):
        s = connect(h.port)
        s.sendall(GET[: n % len(GET) + 1])
        s.close()
    for _ in range(300):
        with connect(h.port) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.sendall(GET)
    for _ in range(100):
        if fd_cnt(h.pid()) <= before:
            return
        time.sleep(0.05)
    raise AssertionError(f"{fd_cnt(h.pid())} descriptors, {before} before")


def crowd__of_bodies_is_bounded(h, _):
    """300 clients with a MiB each, but for the last byte: not 300 MiB."""
    before = memory_kib(h.pid())
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n"
    socks = []
    for _ in range(300):
        s = connect(h.port, timeout=5)
        socks.append(s)
        try:
            s.sendall(head + b"a" * 1048575)
        except OSError:
            pass
    grown = memory_kib(h.pid()) - before
    print(f"  300 bodies of a MiB: {grown // 1024} MiB of niterd's memory")
    assert grown < 160 * 1024
    assert ask(h.port, GET)[0] == 403
    for s in socks:
        s.close()
    time.sleep(0.3)
    assert ask(h.port, head + b"a" * 1048576)[0] == 403  # and there is room again


class Slow(threading.Thread):
    """Clients that take their time, beside all other tests. Each is ended when its time is up."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.result = port, {}

    def run(self):
        cases = {"nothing": b"", "head": b"GET / HTTP/1.1\r\nHost: x\r\nA: ", "tls": b"\x16\x03\x01\x02\x00",
                 "body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"}
        socks = {}
        for name, data in cases.items():
            socks[name] = connect(self.port, timeout=0.01)
            socks[name].sendall(data)
        began = time.monotonic()
        while len(self.result) < len(cases) and time.monotonic() - began < 40:
            time.sleep(0.25)
            for name, s in socks.items():
                if name in self.result:
                    continue
                try:
                    if name in ("head", "body"):
                        s.sendall(b"x")
                    data = s.recv(4096)
                    self.result[name] = (time.monotonic() - began, data)
                except TimeoutError:
                    pass
                except OSError:
                    self.result[name] = (time.monotonic() - began, b"")


def slow__clients_are_ended(_, __):
    slow.join(45)
    for name, (low, high, data) in {"nothing": (8, 14, b""), "head": (8, 14, b"HTTP/1.1 408 "), "tls": (8, 14, b""),
                                    "body": (18, 26, b"HTTP/1.1 408 ")}.items():
        took, got = slow.result[name]
        assert low < took < high and got.startswith(data), f"{name}: {took:.1f} s, {got[:40]!r}"


# ---- with a key ----

def get__with_a_query_is_a_call(_, n):
    status, _, body = ask(n.port, presigned(n.port, "Action=DescribeRegions&Version=2016-11-15"))
    assert status == 200 and b"<DescribeRegionsResponse" in body, body
    assert ask(n.port, presigned(n.port, "Action=DescribeRegions&Version=2016-11-15").replace(b"Regions", b"Vpcs"))[0] == 401
    assert ask(n.port, signed(n.port, "Action=DescribeRegions&Version=2016-11-15").replace(b"POST / ", b"POST /x "))[0] == 401


def deaf__client_costs_only_itself(_, n):
    """It asks for long answers and reads none: niterd stops reading it, and others are served."""
    before = memory_kib(n.pid())
    data = b"".join(signed(n.port, "Action=DescribeInstanceTypes&Version=2016-11-15") for _ in range(400))
    with connect(n.port, timeout=2) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            for _ in range(40):
                s.sendall(data)
            raise AssertionError("everything was read")
        except TimeoutError:
            pass
        grown = memory_kib(n.pid()) - before
        assert grown < 8192, f"{grown} KiB for a deaf client"
        assert ask(n.port, signed(n.port, "Action=DescribeRegions&Version=2016-11-15"))[0] == 200


def turn__of_many_changes_is_one_commit(_, n):
    """100 calls at once: the changes of those that came together are made durable together."""
    def writes():
        return int(re.search(r"syscw: (\d+)", open(f"/proc/{n.pid()}/io").read()).group(1))
    ask(n.port, signed(n.port, "Action=CreateSecurityGroup&GroupName=one&GroupDescription=d&Version=2016-11-15"))
    alone = writes()
    ask(n.port, signed(n.port, "Action=CreateSecurityGroup&GroupName=two&GroupDescription=d&Version=2016-11-15"))
    alone = writes() - alone
    socks = [connect(n.port) for _ in range(100)]
    requests = [signed(n.port, f"Action=CreateSecurityGroup&GroupName=g{k}&GroupDescription=d&Version=2016-11-15") for k in range(100)]
    os.kill(n.pid(), signal.SIGSTOP)
    for s, r in zip(socks, requests):
        s.sendall(r)
    before = writes()
    os.kill(n.pid(), signal.SIGCONT)
    got = [Reader(s).answer() for s in socks]
    assert all(a[0] == 200 for a in got), [a for a in got if a[0] != 200][:1]
    together = writes() - before
    print(f"  writes: {alone} for a change alone, {together} for 100 together")
    assert together < 100 * alone / 4
    for s in socks:
        s.close()


def turn__that_cannot_be_kept_is_an_error_for_all(_, __):
    """The disk is full: whoever asked for a change in that turn is told that it was not made, and it was not."""
    if os.geteuid() != 0:
        print("  skipped: a small disk needs root")
        return
    state = os.path.join(HOME, "full")
    os.mkdir(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "full", state], check=True)
    n = Null("full")

    def groups():
        return set(re.findall(rb"<groupName>(g\d+)<", ask(n.port, signed(n.port, "Action=DescribeSecurityGroups&Version=2016-11-15"))[2]))
    try:
        ask(n.port, signed(n.port, "Action=DescribeRegions&Version=2016-11-15"))
        filler = os.open(state + "/filler", os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(filler, bytes(4096)):
                pass
        except OSError:
            os.close(filler)
        made, refused = set(), set()
        for turn in range(50):
            socks = [connect(n.port) for _ in range(4)]
            for k, s in enumerate(socks):
                s.sendall(signed(n.port, f"Action=CreateSecurityGroup&GroupName=g{turn * 4 + k}&GroupDescription=d&Version=2016-11-15"))
            for k, s in enumerate(socks):
                status, _, body = Reader(s).answer()
                assert status == 200 or (status == 500 and b"<Code>InternalError</Code>" in body), (status, body)
                (made if status == 200 else refused).add(b"g%d" % (turn * 4 + k))
            if refused:
                break
        assert refused, "the disk is never full"
        assert groups() == made, (groups(), made, refused)
        os.truncate(state + "/filler", 0)
        assert ask(n.port, signed(n.port, "Action=CreateSecurityGroup&GroupName=g999&GroupDescription=d&Version=2016-11-15"))[0] == 200
        assert groups() == made | {b"g999"}
        n.close()
        n = Null("full")  # and that is what the disk says, too
        assert groups() == made | {b"g999"}
        print(f"  {len(made)} made, {len(refused)} refused")
    finally:
        n.close()
        subprocess.run(["umount", "-l", state], check=True)


def audit__says_who_and_what_but_no_parameter(_, n):
    ask(n.port, signed(n.port, "Action=CreateVpc&CidrBlock=10.99.0.0%2F16&Version=2016-11-15"))
    ask(n.port, signed(n.port, "Action=DeleteVpc&VpcId=vpc-0123456789abcdef0&Version=2016-11-15"))
    path = n.state + "/niterd/api-audit.log"
    text = open(path).read()
    last = text.strip().split("\n")[-2:]
    assert f"account=123456789012 key={KEY} peer=127.0.0.1:" in last[0]
    assert 'service=ec2 action="CreateVpc" status=200 code=- request=' in last[0], last
    assert 'action="DeleteVpc" status=400 code=InvalidVpcID.NotFound' in last[1], last
    for secret in (SECRET, "10.99.0.0", "vpc-0123456789abcdef0", "Signature"):
        assert secret not in text
    assert os.stat(path).st_mode & 0o777 == 0o600


def audit__is_not_rolled_away_by_strangers(h, _):
    """Refusals nobody signed are limited in number; the operator reads the log."""
    lines = h.niter("audit").strip().split("\n")
    assert 20 <= len(lines) < 400 and all("account=- " in x for x in lines), len(lines)
    with connect(h.port) as s:
        s.sendall(GET * 500)
        r = Reader(s)
        for _ in range(500):
            assert r.answer()[0] == 403
    assert len(h.niter("audit").strip().split("\n")) - len(lines) < 50


def niterd__started_again_has_the_same_certificate(h, _):
    before = h.niter("host", "certificate", "--api")
    h.tell("kill-niterd")
    assert ask(h.port, GET)[0] == 403
    assert h.niter("host", "certificate", "--api") == before


launched, null = Launched(), Null()
try:
    ask(launched.port, GET)
    ask(null.port, GET)
    slow = Slow(launched.port)
    slow.start()
    tests = [(k, v) for k, v in list(globals().items()) if "__" in k and not k.startswith("__") and callable(v)]
    for name, test in tests:
        if name.startswith("crowd__beyond"):
            slow.join(45)  # it would be among those that go
        try:
            test(launched, null)
            passed += 1
            print("ok", name, flush=True)
        except Exception as e:  # pylint: disable=broad-except
            failed.append(name)
            print(f"FAILED {name}: {type(e).__name__}: {e}", flush=True)
finally:
    launched.close()
    null.close()
    shutil.rmtree(HOME, ignore_errors=True)
print(f"{passed} passed, {len(failed)} failed, 0 skipped")
sys.exit(bool(failed))
