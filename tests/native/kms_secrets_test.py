#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tenants encrypt and decrypt passes through niterd, and nothing of it stays there.

    kms_secrets_test.py FAKE_LAUNCHER NITERD NITER

As accounts_test.py: niterd in its jail. After its answers have left, its memory is searched for every plaintext, data key and random
number, as bytes and as base64. Needs root to read another process's memory.
"""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import sys
import time

import accounts_test as accounts


def call(h, key, action, **members):
    """A KMS request over plain HTTP, signed here. Returns (status, answer)."""
    body = json.dumps(members).encode()
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope, target = f"{now[:8]}/{accounts.REGION}/kms/aws4_request", f"TrentService.{action}"
    host = f"127.0.0.1:{h.port}"
    canonical = (f"POST\n/\n\nhost:{host}\nx-amz-date:{now}\nx-amz-target:{target}\n\nhost;x-amz-date;x-amz-target\n"
                 f"{hashlib.sha256(body).hexdigest()}")
    k = b"AWS4" + key[2].encode()
    for part in scope.split("/"):
        k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    c = http.client.HTTPConnection("127.0.0.1", h.port, timeout=30)
    c.request("POST", "/", body, {
        "Host": host, "X-Amz-Date": now, "X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={key[1]}/{scope}, SignedHeaders=host;x-amz-date;x-amz-target, "
                         f"Signature={hmac.new(k, text.encode(), hashlib.sha256).hexdigest()}"})
    r = c.getresponse()
    answer = json.loads(r.read())
    c.close()
    return r.status, answer


def ok(h, key, action, **members):
    status, answer = call(h, key, action, **members)
    assert status == 200, f"{action}: {status} {answer}"
    return answer


def niterd_of(h):
    """Its process: the child of this host's launcher that is niterd."""
    want = os.path.basename(accounts.NITERD)
    todo, seen = [h.process.pid], []
    while todo:
        pid = todo.pop()
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            todo += [int(p) for p in f.read().split()]
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            seen.append((f.read().strip(), pid))
    return [pid for name, pid in seen if name == want][0]


def memory_of(pid):
    out = b""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            begin, end = (int(x, 16) for x in line.split()[0].split("-"))
            if line.split()[1].startswith("r"):
                try:
                    mem.seek(begin)
                    out += mem.read(end - begin)
                except (OSError, ValueError, OverflowError):
                    pass  # what the kernel keeps out of sight
    return out


def main():
    if os.geteuid() != 0:
        print("skip: needs root to read another process's memory")
        return 77
    h = accounts.Host()
    key = h.account("alpha")
    for _ in range(500):
        try:
            made = ok(h, key, "CreateKey", Description="its own")
            break
        except ConnectionRefusedError:
            time.sleep(0.02)
    kid, secrets = made["KeyMetadata"]["KeyId"], [key[2].encode()]
    for _ in range(10):
        plain = os.urandom(3000)
        blob = ok(h, key, "Encrypt", KeyId=kid, Plaintext=base64.b64encode(plain).decode())["CiphertextBlob"]
        assert base64.b64decode(ok(h, key, "Decrypt", CiphertextBlob=blob)["Plaintext"]) == plain
        secrets += [plain, base64.b64decode(ok(h, key, "GenerateDataKey", KeyId=kid, KeySpec="AES_256")["Plaintext"]),
                    base64.b64decode(ok(h, key, "GenerateRandom", NumberOfBytes=64)["Plaintext"])]
    ok(h, key, "DescribeKey", KeyId=kid)
    memory = memory_of(niterd_of(h))
    assert kid.encode() in memory and b"its own" in memory, "the search does not work"
    found = []
    for n, s in enumerate(secrets):
        text = base64.b64encode(s)
        for what, part in (("bytes", s[:16]), ("last bytes", s[-16:]), ("base64", text[:20]), ("last base64", text[-24:-4])):
            if part in memory:
                found.append(f"secret {n} ({len(s)} bytes): {what}")
    assert not found, "niterd still has " + "; ".join(found)
    with open(h.home + "/log", encoding="utf-8", errors="replace") as f:
        log = f.read()
    assert re.search(r"service=kms action=\"?Decrypt", log), "the audit log has no line"
    assert not any(base64.b64encode(s)[:20].decode() in log for s in secrets)
    h.close()
    print(f"{len(secrets)} secrets passed, none stayed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
