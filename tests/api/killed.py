#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of niterd under load, 50 times at random moments: what was acknowledged is there afterwards.

Three clients call without pause; the null launcher keeps the host out of it. After every restart: each thing whose creation was
answered exists, each end that was answered lasts, no instance stops that nobody stopped, states come to rest, a client token gives the
answer it gave before, and one whose answer was lost gives one reservation however often it is sent.

NITER_SEED=n plays the same moments again; NITER_KILLS=n kills so often.
"""
# niter-test: timeout=600
import http.client
import os
import random
import re
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import api_server as api

KILLS, CLIENTS = int(os.environ.get("NITER_KILLS", "50")), 3
SEED = int(os.environ.get("NITER_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
print(f"# seed {SEED}", flush=True)
server = api.Server(relay=False)


class Gone(Exception):
    """niterd went away before it answered: nobody knows what became of the call."""


def call(**members):
    """Returns (code, body): code is None when it was accepted."""
    body = urllib.parse.urlencode({**members, "Version": "2016-11-15"})
    while True:
        try:
            status, _, text = api.post(server.port, body)
        except (OSError, http.client.HTTPException) as e:
            raise Gone from e
        text = text.decode()
        code = None if status == 200 else re.search("<Code>(.*?)</Code>", text).group(1)
        if code != "RequestLimitExceeded":  # the same call within the same second
            return code, text
        time.sleep(1.01 - time.time() % 1)


IMAGE = re.search("<imageId>(.*?)</imageId>", call(Action="DescribeImages")[1]).group(1)


class Client(threading.Thread):
    """Calls until it is told to hold; keeps books on what it was promised. Each has things of its own."""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.number, self.random = number, random.Random(SEED * 10 + number)
        self.launches = {}   # token: [members, None or (reservation, {instances})]
        self.instances = {}  # id: "lives", "stop?", "end?" (asked), "ended" (acknowledged)
        self.things = {"volume": {}, "group": {}, "key": {}}  # id: True, or False when its end was asked for
        self.tags = {}       # instance: value
        self.go, self.lock = threading.Event(), threading.Lock()  # whoever holds the lock may look at the books
        self.made = self.accepted = 0
        self.wrong = []

    def run(self):
        while True:
            self.go.wait()
            with self.lock:
                if not self.go.is_set():
                    continue
                try:
                    self.one()
                except Gone:
                    self.go.clear()
                except Exception as e:  # a verdict for the main thread
                    self.wrong.append(api.why_of(e))
                    self.go.clear()

    def accepts(self, **members):
        code, text = call(**members)
        if code in ("InternalError", "ServiceUnavailable", "Unavailable"):
            raise AssertionError(f"{members}: {code}")
        self.accepted += code is None
        return None if code else text

    def launch(self, token):
        members, before = self.launches[token]
        text = self.accepts(**members)
        assert text, f"{members} was refused"
        now = (re.search("<reservationId>(.*?)<", text).group(1), frozenset(re.findall("<instanceId>(.*?)<", text)))
        assert before in (None, now), f"token {token}: {now}, and before {before}"
        self.launches[token][1] = now
        for i in now[1]:
            self.instances.setdefault(i, "lives")

    def living(self):
        ids = [i for i, s in self.instances.items() if s in ("lives", "stop?")]
        return self.random.choice(ids) if ids else None

    def one(self):
        what, i = self.random.randrange(12), self.living()
        self.made += 1
        name = f"{self.number}-{self.made}"
        if what < 3 or not i:
            self.launches[name] = [dict(Action="RunInstances", ImageId=IMAGE, InstanceType="t3.micro", MinCount=1,
                                        MaxCount=self.random.randrange(1, 4), ClientToken=name), None]
            self.launch(name)
        elif what < 5:
            if self.instances[i] == "lives":
                self.instances[i] = "stop?"
            self.accepts(Action=self.random.choice(["StopInstances", "StartInstances"]), **{"InstanceId.1": i})
        elif what < 7:
            self.instances[i] = "end?"
            if self.accepts(Action="TerminateInstances", **{"InstanceId.1": i}):
                self.instances[i] = "ended"
        elif what < 8:
            if self.accepts(Action="CreateTags", **{"ResourceId.1": i, "Tag.1.Key": "k", "Tag.1.Value": name}):
                self.tags[i] = name
            else:
                self.tags.pop(i, None)
        elif what < 11:
            self.make_or_end(what, name)
        else:
            self.accepts(Action="DescribeInstances", MaxResults=50)

    def make_or_end(self, what, name):
        kind = ("volume", "group", "key")[what - 8]
        make, end = {"volume": (dict(Action="CreateVolume", AvailabilityZone=api.ZONE, Size=1), ("DeleteVolume", "VolumeId")),
                     "group": (dict(Action="CreateSecurityGroup", GroupName=name, GroupDescription="x"),
                               ("DeleteSecurityGroup", "GroupId")),
                     "key": (dict(Action="CreateKeyPair", KeyName=name, KeyType="ed25519"),
                             ("DeleteKeyPair", "KeyPairId"))}[kind]
        mine = self.things[kind]
        if self.random.random() < 0.6 or not mine:
            text = self.accepts(**make)
            if text:
                mine[re.search(f"<{ {'volume': 'volumeId', 'group': 'groupId', 'key': 'keyPairId'}[kind] }>(.*?)<", text).group(1)] = True
        else:
            thing = self.random.choice(list(mine))
            mine[thing] = False
            self.accepts(Action=end[0], **{end[1]: thing})


def instances():
    """{id: state} of all there are, and the tags k."""
    states, tags, token = {}, {}, ""
    while True:
        code, text = call(Action="DescribeInstances", MaxResults=500, **({"NextToken": token} if token else {}))
        assert not code, code
        for part in text.split("<instanceId>")[1:]:
            i = part.partition("<")[0]
            states.setdefault(i, re.search("<instanceState><code>\\d+</code><name>(.*?)<", part).group(1))
            value = re.search("<key>k</key><value>(.*?)<", part)
            if value:
                tags[i] = value.group(1)
        token = re.search("<nextToken>(.*?)</nextToken>", text)
        if not token:
            return states, tags
        token = token.group(1)


def rest():
    """Instances, once all have come to rest."""
    for _ in range(100):
        states, tags = instances()
        moving = {i: s for i, s in states.items() if s in ("pending", "stopping", "shutting-down")}
        if not moving:
            return states, tags
        time.sleep(0.05)
    raise AssertionError(f"never come to rest: {moving}")


def ids(action, member):
    code, text = call(Action=action)
    assert not code, code
    return set(re.findall(f"<{member}>(.*?)</{member}>", text))


def check(clients):
    states, tags = rest()
    there = {"volume": ids("DescribeVolumes", "volumeId"), "group": ids("DescribeSecurityGroups", "groupId"),
             "key": ids("DescribeKeyPairs", "keyPairId")}
    for c in clients:
        for i, s in c.instances.items():
            assert i in states, f"instance {i} ({s}) is lost"
            assert s != "lives" or states[i] == "running", f"nobody stopped {i}: it is {states[i]}"
            assert s != "ended" or states[i] == "terminated", f"{i} was terminated: it is {states[i]}"
            assert s != "stop?" or states[i] in ("running", "stopped"), f"{i} is {states[i]}"
        for i, value in c.tags.items():
            assert states[i] == "terminated" or tags.get(i) is not None, f"the tag {value} of {i} is lost"
        for kind, mine in c.things.items():
            for thing, kept in mine.items():
                assert not kept or thing in there[kind], f"{kind} {thing} is lost"
        open_tokens = [t for t, (_, answer) in c.launches.items() if answer is None]
        answered = [t for t, (_, answer) in c.launches.items() if answer]
        for token in open_tokens + c.random.sample(answered, min(3, len(answered))):
            c.launch(token)


clients = [Client(n) for n in range(CLIENTS)]


def killed_50_times__loses_nothing_that_was_acknowledged():
    moments = random.Random(SEED)
    for c in clients:
        c.start()
    for _ in range(KILLS):
        for c in clients:
            c.go.set()
        time.sleep(moments.uniform(0.02, 0.5))
        server.kill()
        for c in clients:
            c.go.clear()
            assert c.lock.acquire(timeout=60), "a client hangs"
        try:
            assert not any(c.wrong for c in clients), [c.wrong for c in clients]
            server.start()
            check(clients)
        finally:
            for c in clients:
                c.lock.release()
    accepted = sum(c.accepted for c in clients)
    assert accepted > KILLS * 5, f"only {accepted} calls were accepted: this proves nothing"
    print(f"# {KILLS} kills, {sum(c.made for c in clients)} calls, {accepted} accepted", flush=True)


def everything__can_be_given_back():
    states, _ = rest()
    for i in states:
        code, _ = call(Action="TerminateInstances", **{"InstanceId.1": i})
        assert not code, f"{i}: {code}"
    states, _ = rest()
    assert set(states.values()) <= {"terminated"}, states
    for volume in ids("DescribeVolumes", "volumeId"):
        assert call(Action="DeleteVolume", VolumeId=volume)[0] is None, volume
    api.equal(ids("DescribeVolumes", "volumeId"), set())
    api.equal(ids("DescribeNetworkInterfaces", "networkInterfaceId"), set())


api.run(server, [killed_50_times__loses_nothing_that_was_acknowledged, everything__can_be_given_back])
