#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real niter-metadata in its jail, asked as a guest asks: cloud-init's walk through the tree, names, limits.

    metadata-host PROGRAM CERT metadata_test.py CERT
"""
import base64
import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import imds  # noqa: E402
from imds import ITEMS, TOKEN, TTL, ask, get, raw, request, token  # noqa: E402

CERT = sys.argv[1]
world = imds.World()
VERSIONS = ["2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest"]
SIGNED = ["signature", "rsa2048", "pkcs7"]


def wait_for(what, seconds=5):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)


# ---- before niterd has spoken: first in the file, the process is fresh ----

def instances_that_nobody_described_yet__are_asked_to_wait():
    for method, path in (("PUT", "/latest/api/token"), ("GET", "/latest/meta-data/")):
        a = ask(method, path, {TTL: 60})
        assert a.status == 503 and a.fields["retry-after"] == "1", a
    assert imds.dns_udp(imds.query("ip-172-31-0-5.ec2.internal", imds.A)).rcode == 2
    assert world.options() == "ok"
    assert ask("PUT", "/latest/api/token", {TTL: 60}).status == 503
    assert world.commit() == "ok"
    assert ask("PUT", "/latest/api/token", {TTL: 60}).status == 200


# ---- the walk ----

class CloudInit:
    """The requests of cloud-init 22.4's DataSourceEc2, in its order, with its rules for names in a listing."""

    def __init__(self):
        self.http = http.client.HTTPConnection(*imds.HTTP, timeout=10)
        self.asked, self.got = [], {}
        self.token = self.ask("PUT", "/latest/api/token", {TTL: "21600"})

    def ask(self, method, path, fields=None):
        fields = dict(fields or {TOKEN: self.token})
        fields.update({"User-Agent": "Cloud-Init/22.4.2", "Accept-Encoding": "gzip, deflate", "Accept": "*/*",
                       "Connection": "keep-alive"})
        self.http.request(method, path, headers=fields)
        r = self.http.getresponse()
        body = r.read()
        self.asked.append((method, path, r.status))
        assert r.status == 200 or path.endswith("/user-data"), (method, path, r.status)
        return body.decode() if r.status == 200 else None

    def walk(self, base, blob):
        for field in (line.strip() for line in blob.splitlines()):
            if not field:
                continue
            if field.endswith("/"):
                self.walk(base + field, self.ask("GET", base + field))
                continue
            name = field.split("=", 1)[0]
            resource = f"{name}/openssh-key" if "=" in field and name.isdigit() else field
            self.got[base + resource] = self.ask("GET", base + resource.replace(" ", "%20"))

    def run(self):
        top = "/2021-03-23/"
        self.ask("GET", top + "meta-data/instance-id")
        self.got[top + "user-data"] = self.ask("GET", top + "user-data")
        for part in ("meta-data/", "dynamic/instance-identity/"):
            self.walk(top + part, self.ask("GET", top + part))
        return {k[len(top):]: v for k, v in self.got.items()}


def cloud_init__reads_every_item_and_meets_no_404():
    wait_for(lambda: get("/latest/dynamic/instance-identity/pkcs7", token()).status == 200)
    c = CloudInit()
    got = c.run()
    want = {k: v for k, v in ITEMS.items()
            if k not in ("meta-data/public-keys", "dynamic/fws/instance-monitoring")}
    signed = {f"dynamic/instance-identity/{s}" for s in SIGNED}
    assert {k: v for k, v in got.items() if k not in signed} == want, set(got) ^ set(want)
    assert signed <= set(got)
    assert len(c.asked) > 55 and all(s == 200 for _, _, s in c.asked), c.asked
    print(f"# cloud-init's walk: {len(c.asked)} requests on one connection")


def listings__end_in_a_slash_below_directories_only():
    t = token()
    for path, want in {
        "": "\n".join(VERSIONS), "latest": "dynamic/\nmeta-data/\nuser-data",
        "latest/meta-data/block-device-mapping": "ami\nroot", "latest/meta-data/public-keys": "0=my-key",
        "latest/meta-data/public-keys/0": "openssh-key", "latest/meta-data/tags": "instance/",
        "latest/meta-data/tags/instance": "Name\nteam=a:b", "latest/dynamic": "fws/\ninstance-identity/",
        "latest/meta-data/network/interfaces/macs": imds.MAC + "/",
        "latest/dynamic/instance-identity": "document\npkcs7\nrsa2048\nsignature",
    }.items():
        for slash in ("/", "") if path else ("",):
            a = get(f"/{path}{slash}", t)
            assert a.status == 200 and a.fields["content-type"] == "text/plain", (path, a)
            if path:
                assert a.body.decode() == want, (path, a.body)
            else:
                assert set(want.split("\n")) <= set(a.body.decode().split("\n")), a.body
    names = get("/latest/meta-data", t).body.decode().split("\n")
    assert "instance-id" in names and "network/" in names and "public-keys/" in names and names == sorted(names)


def versions__all_hold_the_same_tree():
    t = token()
    for v in get("/", t).body.decode().split("\n"):
        assert get(f"/{v}/meta-data/instance-id", t).body == b"i-0123456789abcdef0", v
    for v in ("2021-03-24", "1.0", "latest2", "lates", "2021-03-23x"):
        assert get(f"/{v}/meta-data/instance-id", t).status == 404, v


def values__are_served_byte_for_byte():
    t = token()
    a = get("/latest/user-data", t)
    assert a.body.decode() == ITEMS["user-data"] and a.fields["content-type"] == "application/octet-stream"
    a = get("/latest/meta-data/tags/instance/Name", t)
    assert a.body == b"web 1" and a.fields["content-length"] == "5"
    assert get("/latest/meta-data/tags/instance/team%3Da%3ab", t).body == b"x"
    assert get("/latest/meta-data/instance-id/", t).body == b"i-0123456789abcdef0"
    assert get("/latest/meta-data/instance-id?x=/../y", t).body == b"i-0123456789abcdef0"
    assert ask("GET", "http://169.254.169.254/latest/meta-data/instance-id", {TOKEN: t}).status == 200
    assert get("/latest/meta-data/instance-id", t, host="instance-data.EC2.internal:80").status == 200
    assert get("/latest/meta-data/instance-id", t, host=None, version="1.0").status == 200


def unknown_paths__answer_404():
    t = token()
    for path in ("/x", "/latest/x", "/latest/meta-data/x", "/latest/meta-data/instance-id/x", "/latest/meta-data/instance",
                 "/latest/meta-data//instance-id", "//latest/meta-data/", "/latest//", "//", "/latest/meta-data/public-ipv4",
                 "/latest/meta-data/public-keys/0=my-key", "/latest/meta-data/iam/", "/LATEST/meta-data/", "/latest/api",
                 "/latest/meta-data/%C3%A4"):
        assert get(path, t).status == 404, path


# ---- identity ----

def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def identity_document__is_verified_by_openssl():
    t = token()
    with tempfile.TemporaryDirectory() as d:
        got = {n: get(f"/latest/dynamic/instance-identity/{n}", t).body for n in ["document", *SIGNED]}
        assert all(len(line) <= 76 for n in SIGNED for line in got[n].split(b"\n"))
        assert json.loads(got["document"])["instanceId"] == "i-0123456789abcdef0"
        for name, data in (("doc", got["document"]), ("bad", got["document"] + b" "),
                           ("sig", base64.b64decode(got["signature"]))):
            with open(os.path.join(d, name), "wb") as f:
                f.write(data)
        key = openssl("x509", "-in", CERT, "-pubkey", "-noout").stdout
        with open(os.path.join(d, "key"), "wb") as f:
            f.write(key)
        for name, good in (("doc", True), ("bad", False)):
            r = openssl("dgst", "-sha256", "-verify", d + "/key", "-signature", d + "/sig", d + "/" + name)
            assert (r.returncode == 0) == good, (name, r.stdout)
        for name in ("rsa2048", "pkcs7"):
            pem = b"-----BEGIN PKCS7-----\n" + got[name] + b"\n-----END PKCS7-----\n"
            r = openssl("smime", "-verify", "-inform", "PEM", "-certfile", CERT, "-noverify", "-binary", stdin=pem)
            assert r.returncode == 0 and got["document"] in r.stdout, r.stdout
            assert openssl("pkcs7", "-inform", "PEM", "-print_certs", "-noout", stdin=pem).stdout.strip() == b""


def signatures_that_are_refused_or_late__are_not_listed():
    for how in ("refuse", "silent"):
        world.ok(f"sign {how}")
        assert world.commit() == "ok"
        time.sleep(0.05)
        t = token()
        assert get("/latest/dynamic/instance-identity/", t).body == b"document", how
        for name in SIGNED:
            assert get(f"/latest/dynamic/instance-identity/{name}", t).status == 404, (how, name)
    world.ok("sign ok")
    assert world.commit() == "ok"
    wait_for(lambda: get("/latest/dynamic/instance-identity/signature", token()).status == 200)


# ---- niterd ----

def commits__replace_everything_at_once():
    t = token()
    world.put("meta-data/instance-id", "i-1")
    world.put("meta-data/only", "")
    assert get("/latest/meta-data/only", t).status == 404  # not before the commit
    assert world.say("commit") == "ok"
    assert get("/latest/", t).body == b"meta-data/"
    a = get("/latest/meta-data/only", t)
    assert a.status == 200 and a.body == b""
    assert get("/latest/user-data", t).status == 404
    assert world.commit() == "ok"
    assert get("/latest/meta-data/only", t).status == 404


def batches_with_a_wrong_item__change_nothing():
    t, big = token(), b"x" * 24577
    for path, value, why in (("meta-data/instance-id/", "x", "not a path"), ("/user-data", "x", "not a path"),
                             ("meta-data/../x", "x", "not a path"), ("user-data/x", "x", "not a path"),
                             ("api/token", "x", "not a path"), ("meta-data/a//b", "x", "not a path"),
                             ("dynamic/instance-identity/pkcs7", "x", "not a path"),
                             ("meta-data/a\x01", "x", "not a path"), ("meta-data/" + "a/" * 12 + "a", "x", "not a path"),
                             ("meta-data/" + "n" * 201, "x", "not a path"), ("meta-data/big", big, "too long")):
        world.put("meta-data/instance-id", "i-2")
        world.put(path, value)
        answer = world.say("commit")
        assert answer.startswith("err ") and why in answer, (path, answer)
        assert get("/latest/meta-data/instance-id", t).body == b"i-0123456789abcdef0", path
    world.put("meta-data/a", "1")
    world.put("meta-data/a", "2")
    assert "twice" in world.say("commit")
    for i in range(385):
        world.put(f"meta-data/n{i}", "x")
    assert "does not fit" in world.say("commit")
    assert world.commit({f"meta-data/n{i}": "x" * 24000 for i in range(6)}).startswith("err -28")
    world.put("user-data", "half", more=True)
    assert "not whole" in world.say("commit")
    world.put("user-data", "half", more=True)
    world.put("meta-data/x", "y")
    assert world.say("commit").startswith("err ")
    assert world.commit() == "ok"


def user_data_of_16_kib__comes_in_parts_and_whole():
    data = os.urandom(16384)
    for i in range(0, 16384, 5000):
        world.put("user-data", data[i:i + 5000], more=i + 5000 < 16384)
    assert world.say("commit") == "ok"
    assert get("/latest/user-data", token()).body == data
    world.commit()


def options_that_make_no_sense__are_refused():
    for bad in ({"hops": 0}, {"hops": 65}, {"domain": ""}, {"domain": "a..b"}, {"domain": "Ec2.internal"}, {"domain": "a_b"},
                {"prefix": 7}, {"prefix": 33}):
        assert world.options(**bad).startswith("err -22"), bad
    assert world.options() == "ok"


def niterds_restart__leaves_the_tree_alone():
    t = token()
    world.put("meta-data/half", "x")
    world.ok("reconnect")
    assert get("/latest/meta-data/instance-id", t).status == 200
    assert world.commit() == "ok"
    assert get("/latest/meta-data/half", t).status == 404
    world.put("meta-data/half", "x")  # the launcher may hand on the same socket
    assert world.options() == "ok" and world.commit() == "ok"
    assert get("/latest/meta-data/half", t).status == 404


# ---- connections ----

def requests_on_one_connection__are_answered_in_order():
    t = token()
    paths = ["instance-id", "x", "mac", "local-ipv4", "public-keys/0/openssh-key"] * 8
    data = b"".join(request("GET", "/latest/meta-data/" + p, {TOKEN: t}) for p in paths)
    for chunk in (len(data), 1, 7, 1000):
        answers, buf = [], b""
        with imds.connect() as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(0, min(len(data), 2000 if chunk == 1 else len(data)), chunk):
                s.sendall(data[i:i + chunk])
            s.shutdown(socket.SHUT_WR)
            while True:
                a, buf = imds.read_answer(s, buf)
                if a is None:
                    break
                answers.append(a)
        want = [ITEMS.get("meta-data/" + p) for p in paths][:len(answers)]
        assert [a.body.decode() if a.status == 200 else None for a in answers] == want
        assert len(answers) == len(paths) or chunk == 1 and len(answers) > 10


def connections__close_when_asked_to():
    t = token()
    two = request("GET", "/latest/meta-data/mac", {TOKEN: t, "Connection": "x, Close"}) * 2
    answers = raw(two)
    assert len(answers) == 1 and answers[0].fields["connection"] == "close"
    answers = raw(request("GET", "/latest/meta-data/mac", {TOKEN: t}, version="1.0") * 2)
    assert len(answers) == 1


def requests_that_are_none__get_one_answer_and_the_end():
    t = token()
    good = request("GET", "/latest/meta-data/mac", {TOKEN: t})
    line = b"GET /latest/meta-data/mac HTTP/1.1\r\nHost: 169.254.169.254\r\n"
    for data, status in (
            (b"\r\n" + good, 400), (b"GET /\r\n\r\n", 400), (b"GET / HTTP/2.0\r\n\r\n", 505), (b"GET / HTTP/1.1 \r\n\r\n", 400),
            (b"GET  / HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n", 400), (b"G(T / HTTP/1.1\r\n\r\n", 400), (b"GET * HTTP/1.1\r\n\r\n", 400),
            (b"GET x HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n", 400), (b"GET https://169.254.169.254/ HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\nHost: 169.254.169.254\n\n", 400), (line + b"A\r\n\r\n", 400), (line + b"A : b\r\n\r\n", 400),
            (line + b" folded\r\n\r\n", 400), (line + b"A: b\r\n folded\r\n\r\n", 400), (line + b"A: b\rc\r\n\r\n", 400),
            (line + b"A: b\0c\r\n\r\n", 400), (line + b": b\r\n\r\n", 400), (line + b"A: \x01\r\n\r\n", 400),
            (line + b"Content-Length: 5\r\n\r\nhello", 413), (line + b"Content-Length: x\r\n\r\n", 400),
            (line + b"Content-Length: \r\n\r\n", 400), (line + b"Content-Length: -0\r\n\r\n", 400),
            (line + b"Expect: 100-continue\r\n\r\n", 417), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300), 400),
            (b"GET /" + b"a" * 2100 + b" HTTP/1.1\r\n\r\n", 414), (b"G" * 3000, 414), (line + b"A: " + b"b" * 9000 + b"\r\n\r\n", 431),
            (line + b"A: b\r\n" * 64 + b"\r\n", 431), (b"GET / HTTP/1.1\r\n\r\n", 400)):
        answers = raw(data + good)
        assert len(answers) == 1 and answers[0].status == status, (data[:60], answers, status)
        assert answers[0].fields["connection"] == "close"
    last = f"{TOKEN}: {t}\r\nContent-Length: 0\r\n\r\n".encode()  # the 64th and the 65th field
    assert raw(line + b"A: b\r\n" * 61 + last)[0].status == 200
    assert raw(line + b"A: b\r\n" * 62 + last)[0].status == 431


def big_answers__reach_a_slow_reader_whole():
    data = os.urandom(24576)
    world.put("user-data", data)
    assert world.say("commit") == "ok"
    t = token()
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.settimeout(10)
    s.connect(imds.HTTP)
    s.sendall(request("GET", "/latest/user-data", {TOKEN: t}) * 40)
    time.sleep(0.3)
    world.commit()  # while an answer is on its way
    buf, first = b"", True
    for _ in range(40):
        a, buf = imds.read_answer(s, buf)
        assert a.body in (data, ITEMS["user-data"].encode())
        assert not first or a.body == data
        first = False
    s.close()


def readers_that_take_nothing__cost_a_bounded_amount_of_kernel_memory():
    world.put("user-data", os.urandom(24576))
    assert world.say("commit") == "ok"
    data = request("GET", "/latest/user-data", {TOKEN: token()}) * 50
    held = [imds.connect() for _ in range(64)]
    for s in held:
        s.sendall(data)
        s.setblocking(False)
    for _ in range(5):  # a window that opens makes the kernel want to send more
        for s in held:
            try:
                s.recv(65536)
            except BlockingIOError:
                pass
        time.sleep(0.05)
    out = subprocess.run(["ss", "-tmnH", "state", "established", "src", "169.254.169.254:80"], stdout=subprocess.PIPE, check=True,
                         text=True).stdout
    for s in held:
        s.close()
    limits = [int(x) for x in re.findall(r"tb(\d+)", out)]
    queued = [int(x) for x in re.findall(r"[(,]w(\d+)", out)]
    assert len(limits) >= 64 and max(limits) <= 65536 and max(queued) <= 2 * 65536, (len(limits), max(limits), max(queued))
    world.commit()
    assert get("/latest/meta-data/mac", token()).status == 200


def connections__leave_no_descriptor_behind():
    def descriptors():
        return len(os.listdir(f"/proc/{world.pid()}/fd"))

    time.sleep(0.1)
    before = descriptors()
    held = [imds.connect() for _ in range(40)] + [socket.create_connection(imds.DNS) for _ in range(12)]
    for s in held[::2]:
        s.sendall(b"\0")
    wait_for(lambda: descriptors() > before + 20)
    for s in held:
        s.close()
    wait_for(lambda: descriptors() <= before)
    for _ in range(200):  # every way to end: answered, refused, cut off
        raw(b"GET / HTTP/1.0\r\n\r\n")
        raw(b"nonsense\n")
        raw(b"GET /")
    wait_for(lambda: descriptors() <= before)
    assert get("/latest/meta-data/mac", token()).status == 200


# ---- names ----

def names_of_the_network__are_answered():
    for name, qtype, want in (
            ("ip-172-31-0-5.ec2.internal", imds.A, "172.31.0.5"), ("IP-172-31-255-254.EC2.Internal", imds.A, "172.31.255.254"),
            ("instance-data.ec2.internal", imds.A, "169.254.169.254"), ("ip-172-31-0-5.ec2.internal", imds.ANY, "172.31.0.5"),
            ("5.0.31.172.in-addr.arpa", imds.PTR, "ip-172-31-0-5.ec2.internal"),
            ("9.1.31.172.IN-ADDR.ARPA", imds.PTR, "ip-172-31-1-9.ec2.internal"),
            ("ec2.internal", imds.NS, "ns.ec2.internal"), ("ns.ec2.internal", imds.A, "169.254.169.253")):
        for edns in (None, 512, 4096):
            q = imds.query(name, qtype, edns=edns, do=bool(edns))
            for r in (imds.dns_udp(q), imds.dns_tcp(q), imds.dns_tcp(q, chunk=3)):
                assert r.id == 0x1234 and r.rcode == 0 and r.aa and not r.tc and r.question == name, name
                assert [x[2] for x in r.answers] == [want], (name, r.answers)
                assert [x[1] for x in r.additional] == ([imds.OPT] if edns else [])


def names_without_data_and_no_names__differ():
    for name, qtype, rcode, soa in (
            ("ip-172-31-0-5.ec2.internal", imds.AAAA, 0, "ec2.internal"), ("ec2.internal", imds.A, 0, "ec2.internal"),
            ("ip-172-32-0-5.ec2.internal", imds.A, 3, "ec2.internal"), ("ip-172-31-0-05.ec2.internal", imds.A, 3, "ec2.internal"),
            ("ip-172-31-0-256.ec2.internal", imds.A, 3, "ec2.internal"), ("x.ip-172-31-0-5.ec2.internal", imds.A, 3, "ec2.internal"),
            ("www.ec2.internal", imds.AAAA, 3, "ec2.internal"), ("5.0.31.172.in-addr.arpa", imds.A, 0, "31.172.in-addr.arpa"),
            ("0.31.172.in-addr.arpa", imds.PTR, 0, "31.172.in-addr.arpa"), ("256.0.31.172.in-addr.arpa", imds.PTR, 3, "31.172.in-addr.arpa"),
            ("1.5.0.31.172.in-addr.arpa", imds.PTR, 3, "31.172.in-addr.arpa")):
        r = imds.dns_udp(imds.query(name, qtype))
        assert r.rcode == rcode and r.aa and not r.answers, (name, r.rcode)
        assert [(x[0], x[1]) for x in r.authority] == [(soa, imds.SOA)], (name, r.authority)


def names_outside__are_refused():
    for name in ("example.com", "internal", "", "com", "ec2.internal.com", "notec2.internal", "5.0.32.172.in-addr.arpa", "172.in-addr.arpa",
                 "in-addr.arpa", "254.169.254.169.in-addr.arpa", "8.8.8.8.in-addr.arpa", "ip-172-31-0-5"):
        r = imds.dns_udp(imds.query(name, imds.A))
        assert r.rcode == 5 and not r.answers and not r.authority, (name, r.rcode)
    assert imds.dns_udp(imds.query("ec2.internal", 252)).rcode == 5
    assert imds.dns_udp(imds.query("ec2.internal", imds.A, qclass=3)).rcode == 5


def dns_that_is_off__refuses_what_it_knew():
    q = imds.query("ip-172-31-0-5.ec2.internal", imds.A)
    assert imds.dns_udp(q).rcode == 0
    assert world.options(dns_off=1) == "ok"
    for r in (imds.dns_udp(q), imds.dns_tcp(q)):
        assert r.rcode == 5 and not r.answers, r.rcode
    assert get("/latest/meta-data/instance-id", token()).status == 200
    assert world.options() == "ok"
    assert imds.dns_udp(q).rcode == 0


def messages_that_are_no_queries__do_no_harm():
    good = imds.query("ip-172-31-0-5.ec2.internal", imds.A)
    assert imds.dns_udp(good[:12] + b"\xc0\x0c" + struct.pack(">HH", 1, 1)).rcode == 1  # a pointer to itself
    assert imds.dns_udp(good[:12] + b"\x01a\xc0\x0c" + struct.pack(">HH", 1, 1)).rcode == 1
    assert imds.dns_udp(good + b"x").rcode == 1
    assert imds.dns_udp(good[:-1]).rcode == 1
    assert imds.dns_udp(imds.query("a", imds.A, counts=(2, 0, 0, 0))).rcode == 1
    assert imds.dns_udp(imds.query("a", imds.A, flags=0x2800)).rcode == 4
    assert imds.dns_udp(good[:4] + struct.pack(">4H", 1, 0, 0, 1) + good[12:] +
                        b"\0" + struct.pack(">HHIH", imds.OPT, 512, 1 << 16, 0)).rcode == 16
    assert imds.dns_udp(imds.query("a", imds.A, flags=0x8000), timeout=0.3, tries=1) is None
    assert imds.dns_udp(b"short", timeout=0.3, tries=1) is None
    assert imds.dns_tcp(bytes(1500)) is None
    assert imds.dns_udp(good).rcode == 0


def own_names__follow_the_tree():
    items = dict(ITEMS)
    items["meta-data/local-hostname"] = "web-1.eu.ec2.internal"
    assert world.commit(items) == "ok"
    assert imds.dns_udp(imds.query("web-1.eu.ec2.internal", imds.A)).answers[0][2] == "172.31.0.5"
    assert imds.dns_udp(imds.query("eu.ec2.internal", imds.A)).rcode == 0  # it is between
    assert imds.dns_udp(imds.query("5.0.31.172.in-addr.arpa", imds.PTR)).answers[0][2] == "web-1.eu.ec2.internal"
    assert world.commit() == "ok"
    assert imds.dns_udp(imds.query("web-1.eu.ec2.internal", imds.A)).rcode == 3


# ---- the process ----

def program__is_in_its_jail():
    with open(f"/proc/{world.pid()}/status", encoding="ascii") as f:
        status = dict(re.findall(r"^(\w+):\s*(.*)$", f.read(), re.M))
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert os.listdir(f"/proc/{world.pid()}/root/") == []
    print(f"# resident: {status['VmRSS']}, peak {status['VmHWM']}")


def instances__end_with_their_launcher():
    assert world.ok("restart i-0123456789abcdef0") == "ok 0"
    imds.ready(world)
    assert get("/latest/meta-data/instance-id", token()).status == 200


def main():
    tests = [f for name, f in list(globals().items()) if "__" in name and not name.startswith("_") and callable(f)]
    failed = 0
    for f in tests:
        try:
            f()
            print(f"ok {f.__name__}")
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {f.__name__}")
            traceback.print_exc()
    print(f"{len(tests) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
