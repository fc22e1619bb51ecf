#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""KMS with a stock client: what is encrypted comes back, to its owner only, while its key is enabled, also after a restart."""
# niter-test: timeout=300
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import api_server as api
from api_server import equal, refused

try:
    import botocore.exceptions
except ImportError:
    api.skip("kms", "python3-botocore is not installed: ./run test installs it")
    sys.exit(0)

server = api.Server()
kms, other, ec2 = server.client("kms"), server.client("kms", key=api.OTHER_KEY), server.client("ec2")
CONTEXT = {"who": "ü", "a": "1", "": "empty"}
made = {}


def state():
    return kms.describe_key(KeyId=made["id"])["KeyMetadata"]["KeyState"]


def key__is_described_as_made():
    m = kms.create_key(Description="für Volumes")["KeyMetadata"]
    made.update(id=m["KeyId"], arn=m["Arn"])
    equal(m["Arn"], f"arn:aws:kms:{api.REGION}:{api.ACCOUNT}:key/{m['KeyId']}")
    equal((m["AWSAccountId"], m["Enabled"], m["KeyState"], m["KeyManager"], m["Origin"], m["KeySpec"], m["MultiRegion"], m["Description"]),
          (api.ACCOUNT, True, "Enabled", "CUSTOMER", "AWS_KMS", "SYMMETRIC_DEFAULT", False, "für Volumes"))
    equal(m["EncryptionAlgorithms"], ["SYMMETRIC_DEFAULT"])
    equal(kms.describe_key(KeyId=m["Arn"])["KeyMetadata"], m)


def plaintext__comes_back_under_its_context():
    for plain in (b"\0", b"attack at dawn", os.urandom(4096)):
        e = kms.encrypt(KeyId=made["id"], Plaintext=plain, EncryptionContext=CONTEXT)
        equal((e["KeyId"], e["EncryptionAlgorithm"]), (made["arn"], "SYMMETRIC_DEFAULT"))
        made["blob"] = e["CiphertextBlob"]
        assert plain not in made["blob"] or len(plain) < 8
        d = kms.decrypt(CiphertextBlob=made["blob"], EncryptionContext=dict(reversed(CONTEXT.items())))
        equal((d["Plaintext"], d["KeyId"]), (plain, made["arn"]))
        made["plain"] = plain
    one, two = (kms.encrypt(KeyId=made["id"], Plaintext=b"x")["CiphertextBlob"] for _ in range(2))
    assert one != two, "the same plaintext gave the same blob"


def decrypt__says_nothing_about_what_is_wrong():
    wrong = dict(CONTEXT, a="2")
    for context in ({}, wrong, {"a": "1"}):
        equal(refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=made["blob"], EncryptionContext=context), "")
    for at in (0, 5, 9, 30, 60, 100, len(made["blob"]) - 1):
        bad = bytearray(made["blob"])
        bad[at] ^= 4
        refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=bytes(bad), EncryptionContext=CONTEXT)
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=made["blob"][:-1], EncryptionContext=CONTEXT)
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=os.urandom(6144))
    second = kms.create_key()["KeyMetadata"]["KeyId"]
    refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=made["blob"], EncryptionContext=CONTEXT, KeyId=second)


def data_keys__open_and_random_is_random():
    k = kms.generate_data_key(KeyId=made["arn"], KeySpec="AES_256", EncryptionContext=CONTEXT)
    equal(len(k["Plaintext"]), 32)
    equal(kms.decrypt(CiphertextBlob=k["CiphertextBlob"], EncryptionContext=CONTEXT)["Plaintext"], k["Plaintext"])
    equal(len(kms.generate_data_key(KeyId=made["id"], KeySpec="AES_128")["Plaintext"]), 16)
    w = kms.generate_data_key_without_plaintext(KeyId=made["id"], NumberOfBytes=100)
    assert "Plaintext" not in w
    equal(len(kms.decrypt(CiphertextBlob=w["CiphertextBlob"])["Plaintext"]), 100)
    one, two = (kms.generate_random(NumberOfBytes=1024)["Plaintext"] for _ in range(2))
    equal(len(one), 1024)
    assert one != two


def other_account__sees_nothing():
    for ref in (made["id"], made["arn"]):
        refused("NotFoundException", other.describe_key, KeyId=ref)
        refused("NotFoundException", other.encrypt, KeyId=ref, Plaintext=b"x")
        refused("NotFoundException", other.schedule_key_deletion, KeyId=ref)
    refused("InvalidCiphertextException", other.decrypt, CiphertextBlob=made["blob"], EncryptionContext=CONTEXT)
    equal(other.list_keys()["Keys"], [])


def ebs_key__is_there_for_volumes_only():
    m = kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    equal(m["KeyManager"], "AWS")
    equal(kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["KeyId"], m["KeyId"])
    refused("AccessDeniedException", kms.encrypt, KeyId="alias/aws/ebs", Plaintext=b"x")
    refused("AccessDeniedException", kms.schedule_key_deletion, KeyId=m["KeyId"])
    refused("NotFoundException", kms.describe_key, KeyId="alias/mine")


def list__has_pages():
    keys = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(7)}
    seen = [k["KeyId"] for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 3}) for k in page["Keys"]]
    equal(len(seen), len(set(seen)))
    assert keys < set(seen)
    refused("InvalidMarkerException", kms.list_keys, Marker="nonsense")


def volume__takes_the_key():
    v = ec2.create_volume(AvailabilityZone=api.ZONE, Size=1, Encrypted=True, KmsKeyId=made["arn"])
    equal((v["Encrypted"], v["KmsKeyId"]), (True, made["arn"]))
    v = ec2.describe_volumes(VolumeIds=[v["VolumeId"]])["Volumes"][0]
    equal((v["Encrypted"], v["KmsKeyId"]), (True, made["arn"]))
    made["volume"] = v["VolumeId"]


def key__that_is_off_refuses():
    kms.disable_key(KeyId=made["id"])
    equal(state(), "Disabled")
    for call, more in ((kms.encrypt, {"Plaintext": b"x"}), (kms.generate_data_key, {"KeySpec": "AES_256"}),
                       (kms.generate_data_key_without_plaintext, {"KeySpec": "AES_256"})):
        refused("DisabledException", call, KeyId=made["id"], **more)
    refused("DisabledException", kms.decrypt, CiphertextBlob=made["blob"], EncryptionContext=CONTEXT)


def restart__changes_nothing():
    server.kill()
    server.start()
    equal(state(), "Disabled")
    refused("DisabledException", kms.decrypt, CiphertextBlob=made["blob"], EncryptionContext=CONTEXT)
    kms.enable_key(KeyId=made["id"])
    equal(kms.decrypt(CiphertextBlob=made["blob"], EncryptionContext=CONTEXT)["Plaintext"], made["plain"])


def deletion__is_planned_and_cancelled():
    r = kms.schedule_key_deletion(KeyId=made["arn"], PendingWindowInDays=7)
    equal((r["KeyId"], r["KeyState"], r["PendingWindowInDays"]), (made["arn"], "PendingDeletion", 7))
    m = kms.describe_key(KeyId=made["id"])["KeyMetadata"]
    equal((m["KeyState"], m["Enabled"], m["DeletionDate"]), ("PendingDeletion", False, r["DeletionDate"]))
    equal(round((m["DeletionDate"] - m["CreationDate"]).total_seconds() / 86400), 7)
    refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=made["blob"], EncryptionContext=CONTEXT)
    refused("KMSInvalidStateException", kms.enable_key, KeyId=made["id"])
    equal(kms.cancel_key_deletion(KeyId=made["id"])["KeyId"], made["arn"])
    equal(state(), "Disabled")
    refused("KMSInvalidStateException", kms.cancel_key_deletion, KeyId=made["id"])
    kms.enable_key(KeyId=made["id"])
    equal(kms.decrypt(CiphertextBlob=made["blob"], EncryptionContext=CONTEXT)["Plaintext"], made["plain"])
    equal(kms.schedule_key_deletion(KeyId=made["id"])["PendingWindowInDays"], 30)


def sent_with(operation, members, call, **more):
    """A call with members that Debian's botocore does not know yet."""
    def add(params, **_):
        params["body"] = json.dumps({**json.loads(params["body"]), **members}).encode()
    event = f"before-call.kms.{operation}"
    kms.meta.events.register(event, add)
    try:
        return call(**more)
    finally:
        kms.meta.events.unregister(event, add)


def others__are_refused_by_name():
    assert "CreateAlias" in refused("UnsupportedOperationException", kms.create_alias, AliasName="alias/x", TargetKeyId=made["id"])
    assert "Policy" in refused("UnsupportedOperationException", kms.create_key, Policy="{}")
    recipient = {"Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "eA=="}}
    assert "Recipient" in refused("UnsupportedOperationException", sent_with, "GenerateRandom", recipient, kms.generate_random,
                                  NumberOfBytes=1)
    refused("DryRunOperationException", sent_with, "GenerateDataKey", {"DryRun": True}, kms.generate_data_key,
            KeyId=kms.create_key()["KeyMetadata"]["KeyId"], KeySpec="AES_256")


api.run(server, api.functions(sys.modules[__name__]), needed=(key__is_described_as_made, plaintext__comes_back_under_its_context))
