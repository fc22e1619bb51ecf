# SPDX-License-Identifier: Apache-2.0
"""niterd with its null launcher on a free port, and stock clients pointed at it.

Between the clients and niterd stands a relay that hands every byte on as it came, checks each answer's body against the shapes in
botocore's model (tests/api/validate.py), and remembers which actions were answered. It is off for HTTPS.

A test program of tests/api makes one Server, writes its tests as functions called subject__sentence, and ends with run().
"""
import atexit
import datetime
import functools
import hashlib
import hmac
import http.client
import http.server
import json
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
import traceback
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("NITER_BUILD", os.path.join(TOP, "build"))
NITERD = os.environ.get("NITERD", os.path.join(BUILD, "src", "controller", "niterd"))
sys.path.insert(0, os.path.join(TOP, "tests", "api"))

REGION, ZONE, ACCOUNT, OTHER = "us-east-1", "us-east-1a", "123456789012", "210987654321"
KEY = ("AKIANITERTESTS000001", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
OTHER_KEY = ("AKIANITERTESTS000002", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY")
AWS = os.environ.get("NITER_AWS", "/usr/bin/aws")
_failed = 0


class Broken(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def signed_headers(port, body, key=KEY, service="ec2", region=REGION):
    """A signed POST of a form body: its headers. With nothing but Python's own modules."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\nhost:127.0.0.1:{port}\nx-amz-date:{now}\n\nhost;x-amz-date\n{digest}"
    k = b"AWS4" + key[1].encode()
    for part in scope.split("/"):
        k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return {"Host": f"127.0.0.1:{port}", "X-Amz-Date": now, "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={key[0]}/{scope}, SignedHeaders=host;x-amz-date, "
                             f"Signature={hmac.new(k, to_sign.encode(), hashlib.sha256).hexdigest()}"}


def post(port, body, **kw):
    """Sends a form body to EC2, signed. Returns (status, headers, body)."""
    body = body.encode() if isinstance(body, str) else body
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    c.request("POST", "/", body, signed_headers(port, body, **kw))
    r = c.getresponse()
    text = r.read()
    c.close()
    return r.status, r.headers, text


class Server:
    """One niterd. .url: where clients go (the relay), .direct: niterd itself, .tls: the same by HTTPS, .ca: its certificate."""

    def __init__(self, relay=True, more=(), base=None, cpu=None):
        """MORE: options. BASE: where its state directory is made. CPU: the only one it may use."""
        self.home = tempfile.mkdtemp(prefix="niter-api.", dir=base)
        atexit.register(self.close)
        self.port = free_port()
        self.log = os.path.join(self.home, "log")
        self.more, self.cpu = list(more), cpu
        self.process = None
        self.direct, self.tls = f"http://127.0.0.1:{self.port}", f"https://127.0.0.1:{self.port}"
        self.start()
        # What a person gets from the operator. Whether the server holds the key to it is what TLS finds out.
        self.ca = os.path.join(self.home, "ca.pem")
        with open(self.ca, "w", encoding="ascii") as f:
            f.write(ssl.get_server_certificate(("127.0.0.1", self.port)))
        self.relay = Relay(self.port) if relay else None
        self.url = self.relay.url if relay else self.direct

    def start(self):
        state = os.path.join(self.home, "state")
        os.makedirs(state, exist_ok=True)
        command = [NITERD, "--launcher=null", f"--state={state}", f"--listen=127.0.0.1:{self.port}", f"--region={REGION}", f"--zone={ZONE}",
                   f"--account={ACCOUNT}", f"--access-key-id={KEY[0]}", f"--secret-access-key={KEY[1]}",
                   f"--other-account={OTHER}:{OTHER_KEY[0]}:{OTHER_KEY[1]}", "--image=debian=1024", *self.more]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=lambda: self.cpu is None or os.sched_setaffinity(0, {self.cpu}))
        for _ in range(10000):
            if self.process.poll() is not None:
                raise Broken(f"niterd ended with {self.process.returncode}: {self.log_tail()}")
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.001)
        raise Broken("niterd does not listen: " + self.log_tail())

    def log_tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()[-800:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    # Clients -----------------------------------------------------------------------------------

    def environment(self, key=KEY):
        """What an aws client finds around it, and nothing of the person's own."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env.update(AWS_ACCESS_KEY_ID=key[0], AWS_SECRET_ACCESS_KEY=key[1], AWS_DEFAULT_REGION=REGION, AWS_REGION=REGION,
                   AWS_EC2_METADATA_DISABLED="true", AWS_MAX_ATTEMPTS="5", AWS_PAGER="", HOME=self.home,
                   AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
        return env

    def client(self, service, key=KEY, url=None, verify=None, **config):
        """A boto3 client; import of boto3 is late, so that tests can say that it is missing."""
        import boto3
        import botocore.config
        os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
        url = url or self.url
        return boto3.session.Session().client(
            service, endpoint_url=url, region_name=REGION, aws_access_key_id=key[0], aws_secret_access_key=key[1],
            verify=verify if verify is not None or not url.startswith("https") else self.ca,
            config=botocore.config.Config(retries={"total_max_attempts": 5}, **config))

    def aws(self, *args, url=None, key=KEY, env=None, check=True):
        """Debian's aws command. Returns its parsed answer, or with check=False (exit code, output, errors)."""
        done = subprocess.run([AWS, "--endpoint-url", url or self.url, "--output", "json", *args],
                              env={**self.environment(key), **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=180)
        if not check:
            return done.returncode, done.stdout, done.stderr.strip()
        if done.returncode:
            raise Broken(f"aws {' '.join(args)}: {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else None


class Relay:
    """Hands requests on to niterd and checks its answers. .problems: what was wrong with them, .seen: {(service, action): {status}}."""

    def __init__(self, port):
        relay = self
        self.problems, self.seen, self.lock = [], {}, threading.Lock()
        self.to = port
        self.local = threading.local()
        self.validate = _validator()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                relay.hand_on(self)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hand_on(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        c = http.client.HTTPConnection("127.0.0.1", self.to, timeout=60)
        c.putrequest(h.command, h.path, skip_host=True, skip_accept_encoding=True)
        for name, value in h.headers.items():
            c.putheader(name, value)
        c.endheaders(body)
        r = c.getresponse()
        answer = r.read()
        c.close()
        self.judge(h, body, r, answer)
        h.send_response_only(r.status, r.reason)
        for name, value in r.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                h.send_header(name, value)
        h.send_header("Content-Length", str(len(answer)))
        h.end_headers()
        h.wfile.write(answer)

    def judge(self, h, body, r, answer):
        scope = h.headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
        service = scope[3] if len(scope) == 5 else "ec2"
        if service == "kms":
            action = h.headers.get("X-Amz-Target", "").partition(".")[2]
        else:
            action = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"))).get("Action", "")
        with self.lock:
            self.seen.setdefault((service, action), set()).add(r.status)
            # Clients try again by themselves, which would hide an error of ours. To a mutating request that was signed in the same
            # second as its twin niterd says RequestLimitExceeded, and clients sign it again.
            if r.status >= 500 and b"RequestLimitExceeded" not in answer:
                self.problems.append(f"{service} {action} {r.status}: {answer[:300]}")
        for problem in self.validate(service, action, r.status, r.headers, answer):
            with self.lock:
                self.problems.append(f"{service} {action} {r.status}: {problem}")

    def take_problems(self):
        with self.lock:
            taken, self.problems = self.problems, []
        return taken


def _validator():
    import validate
    return validate.check


# Verdicts --------------------------------------------------------------------------------------

def ok(name):
    print(f"ok {name}", flush=True)


def not_ok(name, why):
    global _failed
    _failed += 1
    why = str(why).strip().replace("\n", " | ")
    print(f"not ok {name}: {why[:2000]}", flush=True)


def skip(name, why):
    print(f"skip {name}: {why}", flush=True)


def equal(got, want, what=""):
    assert got == want, f"{what + ': ' if what else ''}{got!r} is not {want!r}"


def refused(code, call, *args, status=None, **kw):
    """The call must be refused with that error code. Returns the message."""
    import botocore.exceptions
    try:
        call(*args, **kw)
    except botocore.exceptions.ClientError as e:
        equal(e.response["Error"]["Code"], code, e.response["Error"]["Message"])
        if status:
            equal(e.response["ResponseMetadata"]["HTTPStatusCode"], status, "HTTP status")
        return e.response["Error"]["Message"]
    raise AssertionError(f"was not refused with {code}")


def why_of(error):
    frames = [f"line {f.lineno}: {f.line}" for f in traceback.extract_tb(error.__traceback__) if "/tests/" in f.filename]
    return f"{type(error).__name__}: {error} ({' <- '.join(reversed(frames[-3:]))})"


def run(server, tests, needed=()):
    """Runs test functions in order and exits. An answer that is not as the model says fails the test it came in.

    NEEDED: without these the others make no sense."""
    for test in tests:
        try:
            test()
            problems = server.relay.take_problems() if server.relay else []
            assert not problems, f"{len(problems)} answers are not as the model says: " + "; ".join(problems[:5])
            ok(test.__name__)
        except Exception as e:  # every failure is a verdict, and the next test runs
            if server.relay:
                server.relay.take_problems()
            not_ok(test.__name__, why_of(e))
            if test in needed:
                break
    if server.process.poll() is not None:
        not_ok("niterd__lives", f"it ended with {server.process.returncode}: {server.log_tail()}")
    server.close()
    sys.exit(1 if _failed else 0)


def functions(module):
    """The test functions of a program, in the order in which they are written."""
    return [f for n, f in list(vars(module).items()) if "__" in n and not n.startswith("_") and callable(f)]


# What niterd has -------------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def _tables():
    return json.loads(subprocess.run([os.path.join(TOP, "tools", "api-doc"), "--json"], check=True, stdout=subprocess.PIPE).stdout)


def actions():
    """{(service, action)}: all that niterd offers."""
    return {(service, action) for service, action, _ in _tables()["offered"]}


def absent_actions():
    """Names of EC2 actions that niterd refuses by name."""
    return {action for service, action in _tables()["absent"] if service == "ec2"}
