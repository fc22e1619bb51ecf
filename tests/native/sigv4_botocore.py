#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An independent signer: botocore signs random requests, sigv4-judge must accept every one and refuse each again after one field of
it was changed. 10,000 of each; 100,000 with --all.

usage: sigv4_botocore.py JUDGE [COUNT [SEED]]
"""
import datetime
import hashlib
import os
import random
import string
import struct
import subprocess
import sys
import types
from urllib.parse import quote, urlsplit

try:
    import botocore.auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from botocore.utils import normalize_url_path
except ImportError:
    print("skipped: python3-botocore is not installed")
    sys.exit(77)

BATCH = 5000
SERVICES = ["ec2", "sts", "kms", "ebs", "ecs"]
REGIONS = ["us-east-1", "eu-central-1", "niter-local-7"]
UNRESERVED = string.ascii_letters + string.digits + "-._~"
CHARS = UNRESERVED + " +/:=&%?#[]@!$'()*,;\"<>\\^`{|}\n\x00üß€𝄞"
HEADER_CHARS = string.ascii_letters + string.digits + "-._~!#$&'()*+,/:;=?@[]{}|<>\" \t"
rnd = random.Random()
clock = None        # what botocore takes for the time


class FixedDatetime(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return clock

    @classmethod
    def now(cls, tz=None):
        return clock


if hasattr(botocore.auth, "get_current_datetime"):
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: clock
botocore.auth.datetime = types.SimpleNamespace(datetime=FixedDatetime, timezone=datetime.timezone)


def text(chars, lo, hi):
    return "".join(rnd.choices(chars, k=rnd.randint(lo, hi)))


SECRETS = [(f"AKIA{k:016d}", "".join(random.Random(k).choices(string.ascii_letters + string.digits + "+/", k=40))) for k in range(5)]


def respelled(s):
    """S in one of the ways a client may write it into a query."""
    out = []
    for c in s:
        how = rnd.random()
        if c == " " and how < 0.4:
            out.append("+")
        elif c in UNRESERVED and how < 0.9:
            out.append(c)
        else:
            out += [f"%{b:02x}" if rnd.random() < 0.3 else f"%{b:02X}" for b in c.encode()]
    return "".join(out)


def random_path():
    if rnd.random() < 0.3:
        return "/"
    parts = []
    for _ in range(rnd.randint(1, 5)):
        kind = rnd.random()
        if kind < 0.08:
            parts.append(rnd.choice([".", "..", ""]))
        elif kind < 0.4:
            parts.append(quote(text(CHARS, 1, 6), safe=rnd.choice(["", "~", ":@!$&'()*+,="])))
        else:
            parts.append(text(UNRESERVED, 1, 12))
    return "/" + "/".join(parts) + rnd.choice(["", "", "/"])


def random_headers():
    """[name, value] of headers besides Host and X-Amz-Date."""
    out = []
    if rnd.random() < 0.7:
        out.append(["Content-Type", rnd.choice(["application/x-www-form-urlencoded; charset=utf-8", "application/x-amz-json-1.1"])])
    for _ in range(rnd.choice([0, 0, 1, 2, 5])):
        name = rnd.choice(["X-Amz-", "x-amz-meta-", "", "My-", "amz-sdk-"]) + text(string.ascii_letters, 1, 8) + text("0123456789-_", 0, 2)
        if name.lower() in ("host", "date", "x-amz-date", "expect", "user-agent", "x-amz-target"):
            continue
        out.append([name, text(HEADER_CHARS, 0, 20)])
        while rnd.random() < 0.2:        # the same once more, in another spelling
            out.append([rnd.choice([name, name.upper(), name.lower()]), text(HEADER_CHARS, 0, 12)])
    return out


class Request:
    """What goes over the wire. headers: [[name, value], ...] with those of the signature."""

    def __init__(self):
        global clock
        clock = datetime.datetime(2026, rnd.randint(1, 12), rnd.randint(1, 28), rnd.randint(0, 23), rnd.randint(0, 59), rnd.randint(0, 59))
        self.now = int(clock.replace(tzinfo=datetime.timezone.utc).timestamp()) + rnd.randint(-300, 300)
        self.tls = rnd.random() < 0.3
        self.method = rnd.choice(["GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD"])
        self.service, self.region, self.key = rnd.choice(SERVICES), rnd.choice(REGIONS), rnd.randrange(len(SECRETS))
        self.path, self.query, self.headers, self.body = random_path(), "", [], b""
        self.presigned = rnd.random() < 0.15
        if self.method in ("POST", "PUT") and not self.presigned:
            self.body = rnd.randbytes(rnd.choice([0, 1, 63, 64, 300, 2000]))
        self.sign()

    def params(self):
        if rnd.random() < 0.5:
            return []
        names = [text(CHARS, 1, 8) for _ in range(rnd.randint(1, 6))]
        return [(rnd.choice(names), text(CHARS, 0, 10)) for _ in range(rnd.randint(1, 8))]

    def sign(self):
        host = rnd.choice(["127.0.0.1:8773", "ec2.niter.example", "[::1]:8773"])
        credentials = Credentials(*SECRETS[self.key])
        params = self.params()
        url = f"http://{host}{self.path}"
        if self.presigned:
            params = [p for p in params if p[1]]          # it drops empty ones
            params = list(dict(params).items())           # and repeated names
            if params:
                url += "?" + "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in params)
            request = AWSRequest(self.method, url, data=self.body)
            botocore.auth.SigV4QueryAuth(credentials, self.service, self.region, expires=rnd.randint(301, 604800)).add_auth(request)
            self.query = urlsplit(request.url).query
            self.headers = [["Host", host]]
            return
        sent = random_headers()
        request = AWSRequest(self.method, url, data=self.body, params=params)
        for name, value in sent:
            request.headers[name] = value
        if rnd.random() < 0.3:
            request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(self.body).hexdigest()
        elif self.tls and rnd.random() < 0.5:
            request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
        botocore.auth.SigV4Auth(credentials, self.service, self.region).add_auth(request)
        pairs = [(respelled(k), respelled(v)) for k, v in params]
        rnd.shuffle(pairs)
        self.query = "&".join(k if not v and rnd.random() < 0.5 else f"{k}={v}" for k, v in pairs)
        self.headers = [["Host", host]] + [[k, v] for k, v in request.headers.items()]
        # Order among different headers says nothing; among those of one name it does.
        order = sorted({k.lower() for k, _ in self.headers}, key=lambda _: rnd.random())
        self.headers = [h for name in order for h in self.headers if h[0].lower() == name]
        self.headers.insert(rnd.randint(0, len(self.headers)), ["User-Agent", text(HEADER_CHARS, 1, 20)])

    def bytes(self):
        def packed(s):
            b = s if isinstance(s, bytes) else s.encode()
            return struct.pack("<I", len(b)) + b
        out = [struct.pack("<QB", self.now, self.tls), packed(self.method), packed(self.path), packed(self.query),
               struct.pack("<I", len(self.headers))]
        for name, value in self.headers:
            out += [packed(name), packed(value)]
        return b"".join(out + [packed(self.body)])

    def authorization(self):
        return next(h for h in self.headers if h[0] == "Authorization")

    def signed(self):
        return self.authorization()[1].split("SignedHeaders=")[1].split(",")[0].split(";")


def other(c, among):
    return rnd.choice([x for x in among if x != c])


def flipped(s, among):
    """S with one character of those AMONG changed into another."""
    at = rnd.choice([k for k, c in enumerate(s) if c in among])
    return s[:at] + other(s[at], among) + s[at + 1:]


HEX = "0123456789abcdef"


def in_part(q, start, end, change):
    """Applies CHANGE to what stands between START and END in the Authorization header."""
    h = q.authorization()
    head, rest = h[1].split(start, 1)
    part, sep, tail = rest.partition(end) if end else (rest, "", "")
    h[1] = head + start + change(part) + sep + tail


# Each changes one field of the request and returns what it was, or None when the request has no such field.
def change_method(q):
    q.method = other(q.method, ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"])
    return "method"


def change_path(q):
    was = normalize_url_path(q.path)
    q.path = rnd.choice([lambda p: p + "x", lambda p: "/x" + p, lambda p: flipped(p, UNRESERVED[:62]) if any(c in UNRESERVED[:62] for c in p) else p])(q.path)
    if normalize_url_path(q.path) == was:
        q.path += rnd.choice("xyz")
    return "path"


def change_query_more(q):
    extra = f"{text(string.ascii_lowercase, 1, 4)}={text(string.ascii_lowercase, 0, 4)}"
    q.query = extra + ("&" + q.query if q.query else "")
    return "query: one more"


def change_query_less(q):
    pairs = q.query.split("&")
    if not q.query or (q.presigned and len(pairs) <= 6):
        return None
    del pairs[rnd.randrange(len(pairs))]
    q.query = "&".join(pairs)
    return "query: one less"


def change_query_value(q):
    if not q.query:
        return None
    pairs = q.query.split("&")
    at = rnd.randrange(len(pairs))
    pairs[at] += "a" if "=" in pairs[at] else "=a"
    q.query = "&".join(pairs)
    return "query: a value"


def change_query_name(q):
    if not q.query:
        return None
    pairs = q.query.split("&")
    at = rnd.randrange(len(pairs))
    pairs[at] = "a" + pairs[at]
    q.query = "&".join(pairs)
    return "query: a name"


def change_body(q):
    if q.presigned is False and any(h[1] == "UNSIGNED-PAYLOAD" for h in q.headers):
        return None
    if not q.body:
        q.body = b"x"
    elif rnd.random() < 0.3:
        q.body = q.body[:-1]
    else:
        at = rnd.randrange(len(q.body))
        q.body = q.body[:at] + bytes([q.body[at] ^ 1 << rnd.randrange(8)]) + q.body[at + 1:]
    return "body"


def change_header_value(q):
    names = ["host"] if q.presigned else q.signed()
    h = rnd.choice([h for h in q.headers if h[0].lower() in names])
    h[1] = h[1].rstrip(" \t") + rnd.choice("abc019")
    return "value of a signed header"


def change_header_gone(q):
    names = ["host"] if q.presigned else q.signed()
    q.headers.remove(rnd.choice([h for h in q.headers if h[0].lower() in names]))
    return "a signed header is gone"


def change_header_again(q):
    names = ["host"] if q.presigned else q.signed()
    h = rnd.choice([h for h in q.headers if h[0].lower() in names])
    q.headers.insert(rnd.randint(0, len(q.headers)), [h[0], h[1]])
    return "a signed header twice"


def change_header_amz(q):
    q.headers.append(["X-Amz-" + text(string.ascii_lowercase, 12, 14), "x"])
    return "an x-amz- header that is not signed"


def change_unsigned_payload(q):
    h = [h for h in q.headers if h[0].lower() == "x-amz-content-sha256"]
    if not h:
        return None
    h[0][1] = "UNSIGNED-PAYLOAD" if h[0][1] != "UNSIGNED-PAYLOAD" else "0" * 64
    return "x-amz-content-sha256"


def change_tls(q):
    if not any(h[1] == "UNSIGNED-PAYLOAD" for h in q.headers):
        return None
    q.tls = False
    return "not by TLS"


def change_time(q):
    signed = clock.replace(tzinfo=datetime.timezone.utc).timestamp()
    q.now = int(signed) + rnd.choice([-1, 1]) * rnd.randint(301, 10**6)
    if q.presigned and q.now > signed:
        q.now = int(signed) + 604801
    return "time"


def change_signature(q):
    if q.presigned:
        head, sig = q.query.split("X-Amz-Signature=")
        q.query = head + "X-Amz-Signature=" + flipped(sig[:64], HEX) + sig[64:]
    else:
        in_part(q, "Signature=", "", lambda s: rnd.choice([lambda: flipped(s, HEX), lambda: s[:-1], lambda: s + "0"])())
    return "signature"


def change_key(q):
    if q.presigned:
        q.query = q.query.replace(SECRETS[q.key][0], SECRETS[(q.key + 1) % len(SECRETS)][0])
    else:
        in_part(q, "Credential=", "/", lambda _: rnd.choice([SECRETS[(q.key + 1) % len(SECRETS)][0], "AKIANOBODY", ""]))
    return "access key"


def change_scope(q):
    if q.presigned:
        field = rnd.choice([f"%2F{q.region}%2F", f"%2F{q.service}%2F", "aws4_request"])
        q.query = q.query.replace(field, field.replace(field[3], other(field[3], "abcd"), 1))
        return "scope"
    parts = q.authorization()[1].split("Credential=")[1].split(",")[0].split("/")
    at = rnd.randrange(1, 5)
    parts[at] = flipped(parts[at], string.digits if at == 1 else string.ascii_lowercase)
    in_part(q, "Credential=", ",", lambda _: "/".join(parts))
    return "scope"


def change_signed_headers(q):
    if q.presigned:
        q.query = q.query.replace("SignedHeaders=host", "SignedHeaders=" + rnd.choice(["", "host%3Bhost", "host%3Bx", "user-agent"]))
        return "list of signed headers"

    def change(s):
        names = s.split(";")
        how = rnd.randrange(4)
        if how == 0 and len(names) > 1:
            del names[rnd.randrange(len(names))]
        elif how == 1:
            names.append(rnd.choice(names))
        elif how == 2:
            names.append("user-agent")
        else:
            names.append("never-sent")
        return ";".join(names)
    in_part(q, "SignedHeaders=", ",", change)
    return "list of signed headers"


def change_expires(q):
    if not q.presigned:
        return None
    value = q.query.split("X-Amz-Expires=")[1].split("&")[0]
    q.query = q.query.replace(f"X-Amz-Expires={value}", "X-Amz-Expires=" + rnd.choice([str(int(value) + 1), str(int(value) - 1), "0", "604801", ""]))
    return "expiry"


def change_algorithm(q):
    if q.presigned:
        q.query = q.query.replace("AWS4-HMAC-SHA256", rnd.choice(["AWS4-HMAC-SHA1", "aws4-hmac-sha256", ""]))
    else:
        h = q.authorization()
        h[1] = h[1].replace("AWS4-HMAC-SHA256", rnd.choice(["AWS4-HMAC-SHA1", "AWS4-ECDSA-P256-SHA256", "AWS", "Bearer"]))
    return "algorithm"


CHANGES = [f for name, f in list(globals().items()) if name.startswith("change_")]


def run(judge, requests):
    head = struct.pack("<I", len(SECRETS))
    for pair in SECRETS:
        for s in pair:
            head += struct.pack("<I", len(s)) + s.encode()
    return subprocess.run([judge], input=head + b"".join(r for r, _ in requests), stdout=subprocess.PIPE, check=True).stdout.decode()


def show(wire):
    return repr(wire)[:1500]


def main():
    global clock
    judge = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100000 if os.environ.get("NITER_TEST_ALL") == "1" else 10000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    rnd.seed(seed)
    accepted = refused = 0
    seen = dict.fromkeys((f.__name__ for f in CHANGES), 0)
    for start in range(0, count, BATCH):
        good, bad = [], []
        for _ in range(min(BATCH, count - start)):
            q = Request()
            good.append((q.bytes(), ""))
            while True:
                f = rnd.choice(CHANGES)
                what = f(q)
                if what:
                    break
            seen[f.__name__] += 1
            bad.append((q.bytes(), what))
        said = run(judge, good)
        assert len(said) == len(good), "the judge said too little"
        for (wire, _), s in zip(good, said):
            assert s == "1", f"seed {seed}: refused ({s}) what botocore signed: {show(wire)}"
        said = run(judge, bad)
        assert len(said) == len(bad), "the judge said too little"
        for (wire, what), s in zip(bad, said):
            assert s != "1", f"seed {seed}: accepted although changed ({what}): {show(wire)}"
        accepted, refused = accepted + len(good), refused + len(bad)
    assert all(seen.values()), f"never tried: {seen}"
    print(f"{accepted} requests of botocore {botocore.__version__} accepted, {refused} changed ones refused:",
          ", ".join(f"{k[7:]} {v}" for k, v in seen.items()))


if __name__ == "__main__":
    main()
