#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Accounts and access keys, from `niter account` to a signature at the API's port.

    accounts_test.py FAKE_LAUNCHER NITERD NITER

niterd runs as on a host (as root: in its jail); the launcher starts no guests, and a security process with a known root makes
and opens the secrets.
"""
import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

FAKE, NITERD, NITER = sys.argv[1:4]
REGION = "us-east-1"
failed = []


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Host:
    def __init__(self, security=True):
        self.port, self.home = free_port(), tempfile.mkdtemp(prefix="niter-accounts.")
        for d in ("state/niterd", "state/images", "state/volumes", "run"):
            os.makedirs(os.path.join(self.home, d))
        self.sock = os.path.join(self.home, "niterd.sock")
        self.env = {**os.environ, "FAKE_API": str(self.port), "NITER_LOG": "info"}
        if security:
            self.env["FAKE_SECURITY"] = "1"
        if os.geteuid() == 0:
            self.env["FAKE_JAIL"] = "1"
        self.log = open(self.home + "/log", "w+b")
        self.process = subprocess.Popen([FAKE, NITERD, self.home + "/state", self.sock, self.home + "/run/ctl.0"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=self.env)
        for _ in range(500):
            if self.niter("account", "ls").returncode == 0:
                return
            time.sleep(0.02)
        raise AssertionError("niterd does not come up")

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def niter(self, *args, **kw):
        return subprocess.run([NITER, *args], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "NITER_HOME": self.home, "NITER_SOCKET": self.sock}, **kw)

    def ok(self, *args):
        r = self.niter(*args)
        assert r.returncode == 0, f"niter {' '.join(args)}: {r.stdout}{r.stderr}"
        return r.stdout

    def wrong(self, want, *args, code=1):
        r = self.niter(*args)
        assert r.returncode == code and r.stdout == "" and want in r.stderr, f"niter {' '.join(args)}: {r.returncode} {r.stdout}{r.stderr}"

    def account(self, name):
        """(number, access key id, secret) of a new one."""
        o = json.loads(self.ok("account", "create", name, "--json"))
        return o["account"]["id"], o["access_key_id"], o["secret_access_key"]

    def call(self, key, service, body, region=REGION, now=None):
        """A POST, signed here. Returns (status, text)."""
        now = now or datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{region}/{service}/aws4_request"
        host = f"127.0.0.1:{self.port}"
        canonical = f"POST\n/\n\nhost:{host}\nx-amz-date:{now}\n\nhost;x-amz-date\n{hashlib.sha256(body.encode()).hexdigest()}"
        k = b"AWS4" + key[2].encode()
        for part in scope.split("/"):
            k = hmac.new(k, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(k, f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode(),
                             hashlib.sha256).hexdigest()
        headers = {"Host": host, "X-Amz-Date": now, "Content-Type": "application/x-www-form-urlencoded",
                   "Authorization": f"AWS4-HMAC-SHA256 Credential={key[1]}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}"}
        for _ in range(500):
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                c.request("POST", "/", body, headers)
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        r = c.getresponse()
        return r.status, r.read().decode()

    def whoami(self, key):
        status, text = self.call(key, "sts", "Action=GetCallerIdentity&Version=2011-06-15")
        return (re.search("<Account>(.*)</Account>", text) or re.search("<Code>(.*)</Code>", text))[1] if text else str(status)

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        shutil.rmtree(self.home)


def test_a_shell_reads_what_is_printed():
    h = Host()
    r = h.niter("account", "create", "alpha")
    said = [subprocess.run(["sh", "-c", command], input=r.stdout, capture_output=True, text=True, check=True, env={}).stdout
            for command in ('eval "$(cat)"; env', "eval $(cat); env")]       # people forget the quotes
    assert said[0] == said[1]
    said = said[0]
    env = dict(line.split("=", 1) for line in said.strip().split("\n"))
    assert re.fullmatch("AKIA[A-Z2-7]{16}", env["AWS_ACCESS_KEY_ID"]), env
    assert re.fullmatch("[A-Za-z0-9+/]{40}", env["AWS_SECRET_ACCESS_KEY"]), env
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == REGION
    assert env["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{h.port}", env
    number = re.match("account ([0-9]{12}), alpha: this secret", r.stderr)[1]
    assert h.whoami((number, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])) == number
    h.close()


def test_accounts_come_and_go():
    h = Host()
    a, b = h.account("alpha"), h.account("beta")
    assert h.whoami(a) == a[0] and h.whoami(b) == b[0]
    h.wrong("is called \"alpha\" already", "account", "create", "alpha")
    h.wrong("cannot have that name", "account", "create", "al pha")
    table = [line.split() for line in h.ok("account", "ls").strip().split("\n")]
    assert table[0] == ["ACCOUNT", "NAME", "ACCESS", "KEY", "CREATED"]
    assert [row[:3] for row in table[1:]] == [["123456789012", "default", "-"], [a[0], "alpha", a[1]], [b[0], "beta", b[1]]], table
    # each has a network of its own
    vpcs = [re.findall("<vpcId>(.*?)</vpcId>", h.call(k, "ec2", "Action=DescribeVpcs&Version=2016-11-15")[1]) for k in (a, b)]
    assert len(vpcs[0]) == len(vpcs[1]) == 1 and vpcs[0] != vpcs[1], vpcs

    h.ok("account", "rm", "alpha")
    assert h.whoami(a) == "InvalidClientTokenId"
    assert h.whoami(b) == b[0]
    h.wrong("there is no account \"alpha\"", "account", "rm", "alpha")
    h.wrong("stays", "account", "rm", "default")
    h.close()


def test_what_is_left_of_an_account_keeps_it():
    h = Host()
    a = h.account("alpha")
    status, text = h.call(a, "ec2", "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16")
    assert status == 200, text
    vpc = re.search("<vpcId>(.*?)</vpcId>", text)[1]
    h.wrong(vpc, "account", "rm", a[0])
    assert h.whoami(a) == a[0]
    assert h.call(a, "ec2", f"Action=DeleteVpc&Version=2016-11-15&VpcId={vpc}")[0] == 200
    h.ok("account", "rm", a[0])
    h.close()


def test_keys_are_made_and_removed_one_by_one():
    h = Host()
    o = json.loads(h.ok("account", "key", "create", "default", "--json"))
    first = ("123456789012", o["access_key_id"], o["secret_access_key"])
    o = json.loads(h.ok("account", "key", "create", "123456789012", "--json"))
    second = ("123456789012", o["access_key_id"], o["secret_access_key"])
    assert first[1] != second[1] and first[2] != second[2]
    assert h.whoami(first) == h.whoami(second) == "123456789012"
    assert h.whoami(("", first[1], second[2])) == "InvalidClientTokenId"
    h.ok("account", "key", "rm", first[1])
    assert h.whoami(first) == "InvalidClientTokenId"
    assert h.whoami(second) == "123456789012"
    h.wrong("there is no access key", "account", "key", "rm", first[1])
    h.wrong("there is no account", "account", "key", "create", "nobody")
    for _ in range(9):
        h.ok("account", "key", "create", "default")
    h.wrong("at most 10 access keys", "account", "key", "create", "default")
    h.close()


def test_keys_outlive_niterd_and_secrets_are_nowhere():
    h = Host()
    a = h.account("alpha")
    assert h.whoami(a) == a[0]
    h.tell("kill-niterd")
    assert h.whoami(a) == a[0]
    assert h.whoami((a[0], a[1], a[2][:-1] + "x")) == "InvalidClientTokenId"
    h.process.stdin.close()
    h.process.wait(20)
    h.log.seek(0)
    assert a[1].encode() in h.log.read(), "the log does not say whose key was made"
    files = 0
    for folder, _, names in os.walk(h.home):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                files += 1
                with open(path, "rb") as f:
                    assert a[2].encode() not in f.read(), f"the secret is in {path}"
    assert files > 2
    shutil.rmtree(h.home)


def memory_of(pid):
    """All of a process's memory that can be read; keys in locked pages cannot."""
    out = []
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            if "r" not in line.split()[1] or "[v" in line or "/secretmem" in line:
                continue
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            memory.seek(start)
            out.append(memory.read(end - start))
    return b"\0".join(out)


def test_niterd_forgets_a_secret_it_has_told():
    if os.geteuid() != 0:
        return      # only root reads its memory
    h = Host()
    a = h.account("alpha")
    assert h.whoami(a) == a[0]
    pid = int(open(f"/proc/{h.process.pid}/task/{h.process.pid}/children").read().split()[1])
    assert open(f"/proc/{pid}/comm").read() == "niterd\n"
    memory = memory_of(pid)
    assert a[1].encode() in memory, "the search finds nothing at all"
    assert a[2].encode() not in memory
    h.close()


def test_a_request_is_good_for_one_change():
    h = Host()
    a = h.account("alpha")
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    body = "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.1.0.0%2F16"
    assert h.call(a, "ec2", body, now=now)[0] == 200
    status, text = h.call(a, "ec2", body, now=now)
    assert status == 503 and "<Code>RequestLimitExceeded</Code>" in text, (status, text)
    for _ in range(2):      # reading may be repeated
        status, text = h.call(a, "ec2", "Action=DescribeVpcs&Version=2016-11-15", now=now)
        assert status == 200 and text.count("<vpcId>") == 2, text
    # so may what brings a token
    body = "Action=RunInstances&Version=2016-11-15&ImageId=ami-0123456789abcdef0&MinCount=1&MaxCount=1&ClientToken=t"
    assert h.call(a, "ec2", body, now=now)[1].split("<RequestID>")[0] == h.call(a, "ec2", body, now=now)[1].split("<RequestID>")[0]
    h.close()


def test_without_a_security_process_there_are_no_keys():
    h = Host(security=False)
    h.wrong("no security process", "account", "create", "alpha")
    assert h.ok("account", "ls").count("\n") == 2
    assert h.whoami(("", "AKIAAAAAAAAAAAAAAAAA", "x")) == "ServiceUnavailable"
    h.close()


def test_strangers_are_all_told_the_same():
    h = Host()
    names = ["AKIAAAAAAAAAAAAAAAAA", "x", "akia", "A" * 128, "AKIA" + "9" * 40]
    for round in range(2):      # before there is any key, and then
        known = h.account("alpha") if round else None
        for name in names:
            assert h.whoami(("", name, "secret")) == "InvalidClientTokenId", name
        if known:
            assert h.whoami(known) == known[0]
    assert h.whoami(("", "A" * 129, "secret")) == "IncompleteSignature"
    for region in ("", "eu-central-1", "x" * 32):
        status, text = h.call(("", names[0], "secret"), "ec2", "Action=DescribeVpcs", region=region)
        assert status in (400, 401), text
    h.close()


def test_a_client_that_goes_leaves_no_key():
    h = Host()
    children = open(f"/proc/{h.process.pid}/task/{h.process.pid}/children").read().split()
    security = int(children[0])     # it is made first
    os.kill(security, signal.SIGSTOP)
    p = subprocess.Popen([NITER, "account", "create", "alpha"], env={**os.environ, "NITER_HOME": h.home, "NITER_SOCKET": h.sock},
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    p.kill()
    p.wait()
    os.kill(security, signal.SIGCONT)
    assert json.loads(h.ok("account", "key", "create", "default", "--json"))["account"]["id"] == "123456789012"   # answered after it
    assert h.ok("account", "ls").count("\n") == 2
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
            if only:
                raise
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
