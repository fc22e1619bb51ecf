#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same day with Debian's aws command, its waiters and its exit codes."""
# niter-test: timeout=900
import base64
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import api_server as api
from api_server import equal

if not os.access(api.AWS, os.X_OK):
    api.skip("stock_awscli", f"{api.AWS} is not installed: ./run test installs it")
    sys.exit(0)

server = api.Server()
made = {}


def ec2(*args, **kw):
    return server.aws("ec2", *args, **kw)


def refused(code, *args):
    """aws ARGS must fail as a service's refusal does, with that code."""
    exit_code, _, said = server.aws(*args, check=False)
    equal(exit_code, 254, said)
    found = re.search(r"An error occurred \((\S+)\)", said)
    equal(found and found.group(1), code, said)


def file_with(name, data):
    path = os.path.join(server.home, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def caller_identity__is_the_account():
    equal(server.aws("sts", "get-caller-identity")["Account"], api.ACCOUNT)


def key_pair__is_imported():
    path = os.path.join(server.home, "id")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@here", "-f", path], check=True)
    pair = ec2("import-key-pair", "--key-name", "mine", "--public-key-material", f"fileb://{path}.pub")
    said = subprocess.run(["ssh-keygen", "-l", "-f", path + ".pub"], check=True, capture_output=True, text=True).stdout
    equal(pair["KeyFingerprint"].rstrip("="), said.split()[1].partition(":")[2])
    pem = server.aws("ec2", "create-key-pair", "--key-name", "made")["KeyMaterial"]
    with open(file_with("pem", pem.encode() + b"\n"), encoding="ascii"):
        os.chmod(os.path.join(server.home, "pem"), 0o600)
    subprocess.run(["ssh-keygen", "-y", "-f", os.path.join(server.home, "pem")], check=True, capture_output=True)
    equal(sorted(k["KeyName"] for k in ec2("describe-key-pairs")["KeyPairs"]), ["made", "mine"])


def security_group__is_made_in_the_default_vpc():
    made["group"] = ec2("create-security-group", "--group-name", "web", "--description", "what the web needs")["GroupId"]
    ec2("wait", "security-group-exists", "--group-ids", made["group"])
    ec2("authorize-security-group-ingress", "--group-id", made["group"], "--protocol", "tcp", "--port", "80", "--cidr", "10.0.0.0/8")
    ec2("authorize-security-group-ingress", "--group-name", "web", "--ip-permissions",
        "IpProtocol=icmp,FromPort=-1,ToPort=-1,IpRanges=[{CidrIp=0.0.0.0/0}]")
    rules = ec2("describe-security-group-rules", "--filters", f"Name=group-id,Values={made['group']}")["SecurityGroupRules"]
    equal(sorted((r["IsEgress"], r["IpProtocol"]) for r in rules), [(False, "icmp"), (False, "tcp"), (True, "-1")])


def run_instances__takes_user_data_and_a_second_volume():
    image = ec2("describe-images", "--owners", "self", "--query", "Images[0].ImageId")
    data = file_with("user-data", b"#!/bin/sh\necho \xff\x00\n")
    started = ec2("run-instances", "--image-id", image, "--instance-type", "t3.micro", "--count", "2", "--key-name", "mine",
                  "--security-group-ids", made["group"], "--user-data", f"fileb://{data}",
                  "--block-device-mappings", "DeviceName=/dev/sdf,Ebs={VolumeSize=2,DeleteOnTermination=true}",
                  "--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=a b},{Key=E,Value=ü+/&=}]",
                  "--metadata-options", "HttpTokens=required,HttpPutResponseHopLimit=2")
    made.update(image=image, ids=[i["InstanceId"] for i in started["Instances"]])
    equal([i["State"]["Name"] for i in started["Instances"]], ["pending"] * 2)
    said = ec2("describe-instance-attribute", "--instance-id", made["ids"][0], "--attribute", "userData")["UserData"]["Value"]
    equal(base64.b64decode(said), b"#!/bin/sh\necho \xff\x00\n")


def waiters__end_by_themselves():
    for waiter in ("instance-exists", "instance-running", "instance-status-ok"):
        ec2("wait", waiter, "--instance-ids", *made["ids"])


def describe__filters_and_pages():
    got = ec2("describe-instances", "--filters", "Name=instance-state-name,Values=running", "Name=tag:E,Values=ü*", "--query",
              "Reservations[].Instances[].[InstanceId,Tags[?Key=='Name']|[0].Value,MetadataOptions.HttpPutResponseHopLimit]")
    equal(sorted(got), sorted([i, "a b", 2] for i in made["ids"]))
    ec2("run-instances", "--image-id", made["image"], "--instance-type", "t3.nano", "--count", "9")
    everything = ec2("describe-instances", "--page-size", "5", "--query", "length(Reservations[].Instances[])")
    equal(everything, 11)
    first = ec2("describe-instances", "--max-items", "3", "--page-size", "5")
    assert "NextToken" in first, first.keys()
    equal(ec2("describe-instances", "--filters", "Name=tag:E,Values=u*")["Reservations"], [])


def dry_run__is_a_refusal():
    refused("DryRunOperation", "ec2", "terminate-instances", "--dry-run", "--instance-ids", *made["ids"])
    refused("InvalidInstanceID.NotFound", "ec2", "describe-instances", "--instance-ids", "i-0000000000000000f")
    refused("InvalidInstanceID.Malformed", "ec2", "describe-instances", "--instance-ids", "nonsense")


def console_output__is_of_that_instance():
    said = ec2("get-console-output", "--latest", "--instance-id", made["ids"][0])
    equal(said["InstanceId"], made["ids"][0])


def stop_start_reboot_terminate__are_waited_for():
    states = lambda answer, name: {c["CurrentState"]["Name"] for c in answer[name]}
    equal(states(ec2("stop-instances", "--instance-ids", *made["ids"]), "StoppingInstances"), {"stopping"})
    ec2("wait", "instance-stopped", "--instance-ids", *made["ids"])
    equal(states(ec2("start-instances", "--instance-ids", *made["ids"]), "StartingInstances"), {"pending"})
    ec2("wait", "instance-running", "--instance-ids", *made["ids"])
    equal(ec2("reboot-instances", "--instance-ids", *made["ids"]), None)
    everybody = ec2("describe-instances", "--query", "Reservations[].Instances[].InstanceId")
    equal(states(ec2("terminate-instances", "--instance-ids", *everybody), "TerminatingInstances"), {"shutting-down"})
    ec2("wait", "instance-terminated", "--instance-ids", *everybody)
    equal(ec2("describe-volumes")["Volumes"], [])


def tags__and_the_rest_go():
    ec2("create-tags", "--resources", made["group"], "--tags", "Key=k,Value=v")
    equal([t["Value"] for t in ec2("describe-tags", "--filters", f"Name=resource-id,Values={made['group']}")["Tags"]], ["v"])
    ec2("delete-security-group", "--group-id", made["group"])
    equal(ec2("describe-tags")["Tags"], [t for t in ec2("describe-tags")["Tags"] if t["ResourceId"] != made["group"]])
    ec2("delete-key-pair", "--key-name", "mine")
    ec2("delete-key-pair", "--key-name", "made")


def kms__round_trip():
    key = server.aws("kms", "create-key", "--description", "x", "--query", "KeyMetadata.KeyId")
    plain = file_with("plain", os.urandom(100))
    blob = server.aws("kms", "encrypt", "--key-id", key, "--plaintext", f"fileb://{plain}", "--encryption-context", "a=b,c=d",
                      "--query", "CiphertextBlob")
    sealed = file_with("sealed", base64.b64decode(blob))
    back = server.aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}", "--encryption-context", "c=d,a=b", "--query", "Plaintext")
    with open(plain, "rb") as f:
        equal(base64.b64decode(back), f.read())
    refused("InvalidCiphertextException", "kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}")
    server.aws("kms", "schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")


def https__is_trusted_by_AWS_CA_BUNDLE():
    got = server.aws("ec2", "describe-regions", url=server.tls, env={"AWS_CA_BUNDLE": server.ca})
    equal([r["RegionName"] for r in got["Regions"]], [api.REGION])
    code, _, said = server.aws("ec2", "describe-regions", url=server.tls, check=False)
    assert code and "SSL" in said, said


api.run(server, api.functions(sys.modules[__name__]))
