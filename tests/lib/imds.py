# SPDX-License-Identifier: Apache-2.0
"""The guest's side of niter-metadata, and the lines that tests/native/metadata_host.c understands."""
import os
import select
import socket
import struct
import time

HTTP, DNS = ("169.254.169.254", 80), ("169.254.169.253", 53)
TOKEN, TTL = "X-aws-ec2-metadata-token", "X-aws-ec2-metadata-token-ttl-seconds"
MAC = "06:1a:2b:3c:4d:5e"

# What niterd sends for an ordinary instance: path -> value.
DOCUMENT = ('{\n  "accountId" : "111122223333",\n  "architecture" : "x86_64",\n  "instanceId" : "i-0123456789abcdef0",\n'
            '  "privateIp" : "172.31.0.5",\n  "version" : "2017-09-30"\n}')
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl my-key"
ITEMS = {
    "user-data": "#cloud-config\nhostname: web-1\n",
    "dynamic/instance-identity/document": DOCUMENT,
    "dynamic/fws/instance-monitoring": "disabled",
}
ITEMS.update({"meta-data/" + k: v for k, v in {
    "ami-id": "ami-0123456789abcdef0", "ami-launch-index": "0", "ami-manifest-path": "(unknown)",
    "block-device-mapping/ami": "/dev/xvda", "block-device-mapping/root": "/dev/xvda",
    "events/maintenance/history": "[]", "events/maintenance/scheduled": "[]",
    "hostname": "ip-172-31-0-5.ec2.internal", "instance-action": "none", "instance-id": "i-0123456789abcdef0",
    "instance-life-cycle": "on-demand", "instance-type": "t3.micro", "local-hostname": "ip-172-31-0-5.ec2.internal",
    "local-ipv4": "172.31.0.5", "mac": MAC, "placement/availability-zone": "niter-1a",
    "placement/availability-zone-id": "nit1-az1", "placement/region": "niter-1", "profile": "default-hvm",
    "public-keys": "0=my-key", "public-keys/0/openssh-key": KEY, "reservation-id": "r-0123456789abcdef0",
    "security-groups": "default", "services/domain": "niter.local", "services/partition": "aws", "system": "nitro",
    "tags/instance/Name": "web 1", "tags/instance/team=a:b": "x",
}.items()})
ITEMS.update({f"meta-data/network/interfaces/macs/{MAC}/" + k: v for k, v in {
    "device-number": "0", "interface-id": "eni-0123456789abcdef0", "local-hostname": "ip-172-31-0-5.ec2.internal",
    "local-ipv4s": "172.31.0.5", "mac": MAC, "network-card": "0", "owner-id": "111122223333",
    "security-group-ids": "sg-0123456789abcdef0", "security-groups": "default", "subnet-id": "subnet-0123456789abcdef0",
    "subnet-ipv4-cidr-block": "172.31.0.0/20", "vpc-id": "vpc-0123456789abcdef0", "vpc-ipv4-cidr-block": "172.31.0.0/16",
    "vpc-ipv4-cidr-blocks": "172.31.0.0/16",
}.items()})


class World:
    """The descriptor METADATA_CTL."""

    def __init__(self):
        self.file = socket.socket(fileno=int(os.environ["METADATA_CTL"])).makefile("rw", buffering=1)

    def say(self, line):
        self.file.write(line + "\n")
        answer = self.file.readline().rstrip("\n")
        if not answer:
            raise SystemExit("imds: metadata-host is gone")
        return answer

    def ok(self, line):
        answer = self.say(line)
        assert answer.split()[0] == "ok", f"{line[:80]}: {answer}"
        return answer

    def options(self, enabled=1, hops=1, optional=0, block="172.31.0.0", prefix=16, domain="ec2.internal", dns_off=0):
        return self.say(f"options {enabled} {hops} {optional} {block} {prefix} {dns_off} {domain}")

    def put(self, path, value, more=False):
        data = value if isinstance(value, bytes) else value.encode()
        self.ok(f"put {path}\t{data.hex() or '-'}" + ("\tmore" if more else ""))

    def commit(self, items=None):
        for path, value in (ITEMS if items is None else items).items():
            self.put(path, value)
        return self.say("commit")

    def pid(self):
        return int(self.ok("pid").split()[1])


def ready(world, **options):
    """An instance as niterd leaves it."""
    assert world.options(**options) == "ok"
    assert world.commit() == "ok"


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __repr__(self):
        return f"{self.status} {self.fields} {self.body[:100]!r}"


def connect(timeout=10):
    return socket.create_connection(HTTP, timeout=timeout)


def read_answer(sock, buf=b""):
    """One answer from a stream; what came too much is returned as well. None at the end of the stream."""
    while b"\r\n\r\n" not in buf:
        more = sock.recv(65536)
        if not more:
            return None, buf
        buf += more
    head, rest = buf.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    fields = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    want = int(fields["content-length"])
    while len(rest) < want:
        more = sock.recv(65536)
        if not more:
            raise EOFError("short body")
        rest += more
    return Answer(int(lines[0].split()[1]), fields, rest[:want]), rest[want:]


def raw(data, timeout=10):
    """All answers to these bytes on a connection of their own; our half is closed after them."""
    answers, buf = [], b""
    with connect(timeout) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        while True:
            try:
                a, buf = read_answer(s, buf)
            except ConnectionResetError:
                break
            if a is None:
                break
            answers.append(a)
    return answers


def request(method, path, fields=(), host="169.254.169.254", version="1.1"):
    lines = [f"{method} {path} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{k}: {v}" for k, v in (fields.items() if isinstance(fields, dict) else fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def ask(method, path, fields=(), **more):
    """The one answer to one request."""
    answers = raw(request(method, path, fields, **more))
    return answers[0] if answers else Answer(0, {}, b"")


def token(ttl=21600):
    a = ask("PUT", "/latest/api/token", {TTL: ttl})
    assert a.status == 200, a
    return a.body.decode()


def get(path, tok, **more):
    return ask("GET", path, {TOKEN: tok}, **more)


# ---- DNS ----

A, NS, SOA, PTR, TXT, AAAA, OPT, ANY = 1, 2, 6, 12, 16, 28, 41, 255


def name_bytes(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".") if x) + b"\0"


def query(name, qtype, qid=0x1234, flags=0x0100, qclass=1, edns=None, do=False, counts=None):
    n = counts or (1, 0, 0, 1 if edns is not None else 0)
    out = struct.pack(">HH4H", qid, flags, *n) + name_bytes(name) + struct.pack(">HH", qtype, qclass)
    if edns is not None:
        out += b"\0" + struct.pack(">HHIH", OPT, edns, 0x8000 if do else 0, 0)
    return out


def read_name(msg, off):
    labels, end, hops = [], None, 0
    while True:
        c = msg[off]
        if c >= 0xc0:
            end = end or off + 2
            off = (c & 0x3f) << 8 | msg[off + 1]
            hops += 1
            assert hops < 20
            continue
        off += 1
        if c == 0:
            return ".".join(labels), end or off
        labels.append(msg[off:off + c].decode("latin-1"))
        off += c


class Reply:
    def __init__(self, msg):
        self.id, self.flags, qd, an, ns, ar = struct.unpack(">6H", msg[:12])
        self.rcode, self.aa, self.tc = self.flags & 15, bool(self.flags & 0x400), bool(self.flags & 0x200)
        off, self.sections = 12, []
        if qd:
            self.question, off = read_name(msg, off)
            off += 4
        for cnt in (an, ns, ar):
            rows = []
            for _ in range(cnt):
                name, off = read_name(msg, off)
                rtype, rclass, ttl, size = struct.unpack(">HHIH", msg[off:off + 10])
                data = off + 10
                off = data + size
                value = msg[data:off]
                if rtype == A:
                    value = socket.inet_ntoa(value)
                elif rtype in (PTR, NS):
                    value = read_name(msg, data)[0]
                elif rtype == OPT:
                    self.rcode |= ttl >> 24 << 4
                    value = rclass
                rows.append((name, rtype, value))
            self.sections.append(rows)
        assert off == len(msg), "bytes behind the message"
        self.answers, self.authority, self.additional = self.sections
        self.size = len(msg)


def dns_udp(data, timeout=2, tries=3):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(DNS)
        for _ in range(tries):
            s.send(data)
            if select.select([s], [], [], timeout)[0]:
                return Reply(s.recv(65536))
    return None


def dns_tcp(data, chunk=None):
    with socket.create_connection(DNS, timeout=5) as s:
        msg = struct.pack(">H", len(data)) + data
        for i in range(0, len(msg), chunk or len(msg)):
            s.sendall(msg[i:i + (chunk or len(msg))])
            if chunk:
                time.sleep(0.002)
        buf = b""
        while len(buf) < 2 or len(buf) < 2 + struct.unpack(">H", buf[:2])[0]:
            try:
                more = s.recv(65536)
            except ConnectionResetError:
                return None
            if not more:
                return None
            buf += more
        return Reply(buf[2:])
