#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A day with Debian's boto3: key pair, group, two instances with user data and a second volume, its own waiters, and all away again."""
# niter-test: timeout=300
import base64
import datetime
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import api_server as api
from api_server import equal, refused

QUICK = {"Delay": 1, "MaxAttempts": 30}
USER_DATA = bytes(range(256)) * 8 + "#cloud-config\n# grüße\n".encode()

try:
    import botocore.exceptions
except ImportError:
    api.skip("stock_boto3", "python3-boto3 is not installed: ./run test installs it")
    sys.exit(0)

server = api.Server()
ec2, sts, kms = server.client("ec2"), server.client("sts"), server.client("kms")
made = {}


def instances(**kw):
    return [i for page in ec2.get_paginator("describe_instances").paginate(**kw) for r in page["Reservations"] for i in r["Instances"]]


def sts__says_who_asks():
    me = sts.get_caller_identity()
    equal(me["Account"], api.ACCOUNT)
    assert me["Arn"].startswith(f"arn:aws:iam::{api.ACCOUNT}:"), me


def geography__is_as_configured():
    equal([r["RegionName"] for r in ec2.describe_regions()["Regions"]], [api.REGION])
    zone, = ec2.describe_availability_zones()["AvailabilityZones"]
    equal((zone["ZoneName"], zone["RegionName"], zone["State"]), (api.ZONE, api.REGION, "available"))


def image__is_there_to_be_launched():
    images = ec2.describe_images(Owners=["self"])["Images"]
    assert images, "the null launcher knows no image"
    made["image"] = images[0]
    equal(images[0]["State"], "available")
    root = [m for m in images[0]["BlockDeviceMappings"] if m["DeviceName"] == images[0]["RootDeviceName"]]
    equal(len(root), 1, "mappings of the root device")


def key_pair__is_made_and_its_private_half_is_given_once():
    pair = ec2.create_key_pair(KeyName="laptop", KeyType="ed25519", TagSpecifications=[
        {"ResourceType": "key-pair", "Tags": [{"Key": "who", "Value": "ü"}]}])
    assert pair["KeyMaterial"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----"), pair["KeyMaterial"][:40]
    rsa = ec2.create_key_pair(KeyName="old")
    assert rsa["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----"), rsa["KeyMaterial"][:40]
    equal(len(rsa["KeyFingerprint"]), 59, "length of an RSA fingerprint")
    seen = {k["KeyName"]: k for k in ec2.describe_key_pairs()["KeyPairs"]}
    equal(seen["laptop"]["KeyFingerprint"], pair["KeyFingerprint"])
    equal(seen["laptop"]["Tags"], [{"Key": "who", "Value": "ü"}])
    assert all("KeyMaterial" not in k for k in seen.values())
    refused("InvalidKeyPair.Duplicate", ec2.create_key_pair, KeyName="laptop")
    ec2.get_waiter("key_pair_exists").wait(KeyNames=["laptop"], WaiterConfig=QUICK)


def security_group__lets_ssh_in():
    vpc, = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    group = ec2.create_security_group(GroupName="ssh", Description="ssh from anywhere", VpcId=vpc["VpcId"])["GroupId"]
    made.update(vpc=vpc["VpcId"], group=group)
    ec2.get_waiter("security_group_exists").wait(GroupIds=[group], WaiterConfig=QUICK)
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all"}]}
    done = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    equal([r["FromPort"] for r in done["SecurityGroupRules"]], [22])
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[rule])
    seen, = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    equal([(p["FromPort"], p["IpRanges"]) for p in seen["IpPermissions"]], [(22, rule["IpRanges"])])
    equal([p["IpProtocol"] for p in seen["IpPermissionsEgress"]], ["-1"])


def dry_run__says_412_and_changes_nothing():
    said = refused("DryRunOperation", ec2.run_instances, ImageId=made["image"]["ImageId"], InstanceType="t3.micro", MinCount=1, MaxCount=1,
                   DryRun=True, status=412)
    assert "DryRun flag is set" in said, said
    equal(instances(), [])


def launch():
    return ec2.run_instances(
        ImageId=made["image"]["ImageId"], InstanceType="t3.micro", MinCount=2, MaxCount=2, KeyName="laptop",
        SecurityGroupIds=[made["group"]], UserData=USER_DATA, ClientToken="one-launch",
        BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3, "VolumeType": "gp3", "DeleteOnTermination": False}}],
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]},
                           {"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "web"}]}])


def run_instances__accepts_two():
    answer = launch()
    equal([i["State"]["Name"] for i in answer["Instances"]], ["pending"] * 2)
    equal([i["AmiLaunchIndex"] for i in answer["Instances"]], [0, 1])
    equal({g["GroupId"] for i in answer["Instances"] for g in i["SecurityGroups"]}, {made["group"]})
    made.update(reservation=answer["ReservationId"], ids=[i["InstanceId"] for i in answer["Instances"]])


def client_token__makes_nothing_twice():
    answer = launch()
    equal(answer["ReservationId"], made["reservation"])
    equal(sorted(i["InstanceId"] for i in answer["Instances"]), sorted(made["ids"]))
    refused("IdempotentParameterMismatch", ec2.run_instances, ImageId=made["image"]["ImageId"], InstanceType="t3.micro", MinCount=1,
            MaxCount=1, ClientToken="one-launch")
    equal(len(instances()), 2, "instances")


def waiters__see_both_running_and_checked():
    ec2.get_waiter("instance_exists").wait(InstanceIds=made["ids"], WaiterConfig=QUICK)
    ec2.get_waiter("instance_running").wait(InstanceIds=made["ids"], WaiterConfig=QUICK)
    ec2.get_waiter("instance_status_ok").wait(InstanceIds=made["ids"], WaiterConfig=QUICK)
    ec2.get_waiter("system_status_ok").wait(InstanceIds=made["ids"], WaiterConfig=QUICK)


def describe__shows_what_was_asked_for():
    for i in instances(InstanceIds=made["ids"]):
        equal((i["State"]["Name"], i["State"]["Code"]), ("running", 16))
        equal((i["KeyName"], i["InstanceType"], i["VpcId"]), ("laptop", "t3.micro", made["vpc"]))
        equal(i["Placement"]["AvailabilityZone"], api.ZONE)
        equal({"Key": "Name", "Value": "web"} in i["Tags"], True, "its tag")
        equal(sorted(m["DeviceName"] for m in i["BlockDeviceMappings"]), sorted([i["RootDeviceName"], "/dev/sdf"]))
        equal({m["DeviceName"]: m["Ebs"]["DeleteOnTermination"] for m in i["BlockDeviceMappings"]}["/dev/sdf"], False)
        interface, = i["NetworkInterfaces"]
        equal(interface["PrivateIpAddress"], i["PrivateIpAddress"])
        equal(interface["Attachment"]["Status"], "attached")
        assert i["PrivateDnsName"].startswith("ip-" + i["PrivateIpAddress"].replace(".", "-")), i["PrivateDnsName"]
        assert abs((datetime.datetime.now(datetime.timezone.utc) - i["LaunchTime"]).total_seconds()) < 300, i["LaunchTime"]


def user_data__comes_back_byte_by_byte():
    said = ec2.describe_instance_attribute(InstanceId=made["ids"][0], Attribute="userData")["UserData"]["Value"]
    equal(base64.b64decode(said), USER_DATA)


def filters__choose():
    def found(*filters):
        return sorted(i["InstanceId"] for i in instances(Filters=[{"Name": n, "Values": v} for n, v in filters]))
    equal(found(("instance-state-name", ["running", "stopped"]), ("tag:Name", ["w*b"])), sorted(made["ids"]))
    equal(found(("tag:Name", ["w?"])), [])
    equal(found(("private-ip-address", [instances()[0]["PrivateIpAddress"]])), [instances()[0]["InstanceId"]])
    refused("InvalidParameterValue", ec2.describe_instances, Filters=[{"Name": "no-such-filter", "Values": ["x"]}])


def pagination__gives_each_once():
    more = ec2.run_instances(ImageId=made["image"]["ImageId"], InstanceType="t3.micro", MinCount=11, MaxCount=11)
    ids = [i["InstanceId"] for i in more["Instances"]] + made["ids"]
    pages = [p for p in ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})]
    got = [i["InstanceId"] for p in pages for r in p["Reservations"] for i in r["Instances"]]
    equal(sorted(got), sorted(ids))
    equal([sum(len(r["Instances"]) for r in p["Reservations"]) <= 5 for p in pages], [True] * len(pages), "at most five on a page")
    ec2.terminate_instances(InstanceIds=[i["InstanceId"] for i in more["Instances"]])
    refused("InvalidParameterCombination", ec2.describe_instances, InstanceIds=made["ids"], MaxResults=5)


def volumes__are_encrypted_whatever_was_asked():
    volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": made["ids"]}])["Volumes"]
    equal(sorted(v["Size"] for v in volumes), [1, 1, 3, 3])
    equal({(v["Encrypted"], v["State"]) for v in volumes}, {(True, "in-use")})
    data = [v for v in volumes if v["Size"] == 3]
    equal([v["Tags"] for v in data], [[{"Key": "of", "Value": "web"}]] * 2)
    made["volumes"] = [v["VolumeId"] for v in data]


def console__is_of_that_instance():
    said = ec2.get_console_output(InstanceId=made["ids"][0])
    equal(said["InstanceId"], made["ids"][0])
    assert "nothing runs here" in said["Output"], said
    assert said["Timestamp"], said


def stop_start_reboot__keep_address_and_volumes():
    before = {i["InstanceId"]: (i["PrivateIpAddress"], i["BlockDeviceMappings"]) for i in instances(InstanceIds=made["ids"])}
    for change in ec2.stop_instances(InstanceIds=made["ids"])["StoppingInstances"]:
        equal((change["PreviousState"]["Name"], change["CurrentState"]["Name"]), ("running", "stopping"))
    ec2.get_waiter("instance_stopped").wait(InstanceIds=made["ids"], WaiterConfig=QUICK)
    stopped = instances(InstanceIds=made["ids"])
    equal({i["StateReason"]["Code"] for i in stopped}, {"Client.UserInitiatedShutdown"})
    refused("IncorrectInstanceState", ec2.reboot_instances, InstanceIds=made["ids"])
    for change in ec2.start_instances(InstanceIds=made["ids"])["StartingInstances"]:
        equal((change["PreviousState"]["Name"], change["CurrentState"]["Name"]), ("stopped", "pending"))
    ec2.get_waiter("instance_running").wait(InstanceIds=made["ids"], WaiterConfig=QUICK)
    ec2.reboot_instances(InstanceIds=made["ids"])
    after = {i["InstanceId"]: (i["PrivateIpAddress"], i["BlockDeviceMappings"]) for i in instances(InstanceIds=made["ids"])}
    equal({i: a[0] for i, a in after.items()}, {i: b[0] for i, b in before.items()}, "addresses")
    equal({i: sorted(m["Ebs"]["VolumeId"] for m in a[1]) for i, a in after.items()},
          {i: sorted(m["Ebs"]["VolumeId"] for m in b[1]) for i, b in before.items()}, "volumes")


def attributes__are_changed_where_the_state_allows():
    one = made["ids"][0]
    refused("IncorrectInstanceState", ec2.modify_instance_attribute, InstanceId=one, InstanceType={"Value": "t3.small"})
    ec2.modify_instance_attribute(InstanceId=one, DisableApiTermination={"Value": True})
    refused("OperationNotPermitted", ec2.terminate_instances, InstanceIds=made["ids"])
    equal({i["State"]["Name"] for i in instances(InstanceIds=made["ids"])}, {"running"})
    ec2.modify_instance_attribute(InstanceId=one, DisableApiTermination={"Value": False})


def tags__come_and_go():
    ec2.create_tags(Resources=made["ids"] + made["volumes"], Tags=[{"Key": "stage", "Value": "prüfung"}, {"Key": "empty", "Value": ""}])
    got = [t for p in ec2.get_paginator("describe_tags").paginate(Filters=[{"Name": "key", "Values": ["stage"]}]) for t in p["Tags"]]
    equal(sorted((t["ResourceId"], t["ResourceType"], t["Value"]) for t in got),
          sorted([(i, "instance", "prüfung") for i in made["ids"]] + [(v, "volume", "prüfung") for v in made["volumes"]]))
    ec2.delete_tags(Resources=made["ids"], Tags=[{"Key": "stage"}])
    equal(len(ec2.describe_tags(Filters=[{"Name": "key", "Values": ["stage"]}])["Tags"]), 2, "tags left")
    refused("InvalidParameterValue", ec2.create_tags, Resources=made["ids"], Tags=[{"Key": "aws:mine", "Value": "x"}])


def group_in_use__is_not_deleted():
    refused("DependencyViolation", ec2.delete_security_group, GroupId=made["group"])


def terminate__takes_what_should_go():
    unknown = "i-0123456789abcdef0"
    refused("InvalidInstanceID.NotFound", ec2.terminate_instances, InstanceIds=[*made["ids"], unknown])
    equal({i["State"]["Name"] for i in instances(InstanceIds=made["ids"])}, {"running"})
    for change in ec2.terminate_instances(InstanceIds=made["ids"])["TerminatingInstances"]:
        equal((change["PreviousState"]["Name"], change["CurrentState"]["Name"]), ("running", "shutting-down"))
    ec2.get_waiter("instance_terminated").wait(InstanceIds=made["ids"], WaiterConfig=QUICK)
    left = {v["VolumeId"]: v["State"] for v in ec2.describe_volumes()["Volumes"]}
    equal(left, {v: "available" for v in made["volumes"]}, "volumes that were to be kept")
    equal(ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [made["vpc"]]}])["NetworkInterfaces"], [])


def volumes__are_made_and_deleted():
    one = ec2.create_volume(AvailabilityZone=api.ZONE, Size=1, VolumeType="gp3", Encrypted=False)
    equal(one["Encrypted"], True)
    ec2.get_waiter("volume_available").wait(VolumeIds=[one["VolumeId"]], WaiterConfig=QUICK)
    for v in [one["VolumeId"], *made["volumes"]]:
        ec2.delete_volume(VolumeId=v)
    ec2.get_waiter("volume_deleted").wait(VolumeIds=[one["VolumeId"], *made["volumes"]], WaiterConfig=QUICK)
    equal(ec2.describe_volumes()["Volumes"], [])


def group_and_keys__go_at_last():
    ec2.delete_security_group(GroupId=made["group"])
    refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=[made["group"]])
    for name in ("laptop", "old", "never was"):
        ec2.delete_key_pair(KeyName=name)
    equal(ec2.describe_key_pairs()["KeyPairs"], [])


def kms__gives_back_what_it_was_given():
    key = kms.create_key(Description="für Daten")["KeyMetadata"]
    equal((key["Enabled"], key["KeyState"], key["AWSAccountId"]), (True, "Enabled", api.ACCOUNT))
    context = {"for": "tests", "ü": "ö"}
    secret = bytes(range(256)) * 16
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=secret, EncryptionContext=context)["CiphertextBlob"]
    assert secret[:64] not in blob
    back = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    equal((back["Plaintext"], back["KeyId"]), (secret, key["Arn"]))
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob, EncryptionContext={"for": "others"})
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]), EncryptionContext=context)
    made["key"] = key["KeyId"]


def kms__makes_data_keys():
    both = kms.generate_data_key(KeyId=made["key"], KeySpec="AES_256")
    equal(len(both["Plaintext"]), 32, "bytes")
    equal(kms.decrypt(CiphertextBlob=both["CiphertextBlob"], KeyId=made["key"])["Plaintext"], both["Plaintext"])
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=both["CiphertextBlob"], KeyId=other)
    blind = kms.generate_data_key_without_plaintext(KeyId=made["key"], NumberOfBytes=7)
    assert "Plaintext" not in blind
    equal(len(kms.decrypt(CiphertextBlob=blind["CiphertextBlob"])["Plaintext"]), 7, "bytes")
    equal(len(kms.generate_random(NumberOfBytes=1000)["Plaintext"]), 1000, "bytes")


def kms__lists_to_the_end_and_deletes_later():
    more = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)]
    got = [k["KeyId"] for p in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 3}) for k in p["Keys"]]
    equal(len(got), len(set(got)), "keys, each once")
    assert set(more) | {made["key"]} <= set(got), got
    equal(kms.schedule_key_deletion(KeyId=made["key"], PendingWindowInDays=7)["KeyState"], "PendingDeletion")
    refused("KMSInvalidStateException", kms.encrypt, KeyId=made["key"], Plaintext=b"x")
    equal(kms.describe_key(KeyId=made["key"])["KeyMetadata"]["KeyState"], "PendingDeletion")
    refused("NotFoundException", kms.describe_key, KeyId="00000000-0000-4000-8000-000000000000")


def https__works_with_the_certificate_and_not_without():
    equal([r["RegionName"] for r in server.client("ec2", url=server.tls).describe_regions()["Regions"]], [api.REGION])
    equal(server.client("sts", url=server.tls).get_caller_identity()["Account"], api.ACCOUNT)
    try:
        server.client("ec2", url=server.tls, verify=True).describe_regions()
    except botocore.exceptions.SSLError:
        return
    raise AssertionError("a certificate nobody signed was believed")


def wrong_secret__is_refused():
    refused("AuthFailure", server.client("ec2", key=(api.KEY[0], "x" * 40)).describe_regions, status=401)
    refused("AuthFailure", server.client("ec2", key=("AKIANOBODYKNOWSME000", api.KEY[1])).describe_regions, status=401)


api.run(server, api.functions(sys.modules[__name__]))
