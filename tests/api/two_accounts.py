#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Another account's things are invisible: for every call that names a thing, the answer about a stranger's is that about none.

For each action of niterd's tables there is a probe below, or the action is among those that name nothing. A probe is called by one
account twice: with ids of the other account, and with ids of the same form that never were. Status, code, message and members must
be the same when the ids are written over. Then every list there is is read for traces of the other account, and the other account's
things must be as they were.
"""
# niter-test: timeout=300
import json
import os
import re
import sys
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import api_server as api
from api_server import equal

try:
    import botocore.exceptions
except ImportError:
    api.skip("two_accounts", "python3-boto3 is not installed: ./run test installs it")
    sys.exit(0)

server = api.Server()
mine = {s: server.client(s, key=api.OTHER_KEY) for s in ("ec2", "kms", "sts")}  # the account that asks
theirs = {s: server.client(s) for s in ("ec2", "kms", "sts")}                   # the account that is asked about
WAIT = {"Delay": 1, "MaxAttempts": 30}


def furnish(ec2, kms, name):
    """One of everything in an account."""
    w = types.SimpleNamespace()
    w.image = ec2.describe_images()["Images"][0]["ImageId"]
    w.key_name = name
    w.key_pair = ec2.create_key_pair(KeyName=name)["KeyPairId"]
    w.vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    w.subnet = ec2.create_subnet(VpcId=w.vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    w.group_name = name
    w.group = ec2.create_security_group(GroupName=name, Description=name, VpcId=w.vpc)["GroupId"]
    w.rule = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [w.group]}])["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    w.interface = ec2.create_network_interface(SubnetId=w.subnet, Groups=[w.group], Description=name)["NetworkInterface"]["NetworkInterfaceId"]
    w.volume = ec2.create_volume(AvailabilityZone=api.ZONE, Size=1, TagSpecifications=[
        {"ResourceType": "volume", "Tags": [{"Key": name, "Value": name}]}])["VolumeId"]
    w.kms = kms.create_key(Description=name)["KeyMetadata"]["KeyId"]
    w.kms_arn = kms.describe_key(KeyId=w.kms)["KeyMetadata"]["Arn"]
    w.blob = kms.encrypt(KeyId=w.kms, Plaintext=b"secret of " + name.encode())["CiphertextBlob"]
    r = ec2.run_instances(ImageId=w.image, InstanceType="t3.micro", MinCount=1, MaxCount=1, KeyName=name, SubnetId=w.subnet,
                          SecurityGroupIds=[w.group], ClientToken="token")
    w.reservation, w.instance = r["ReservationId"], r["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[w.instance], WaiterConfig=WAIT)
    i = ec2.describe_instances(InstanceIds=[w.instance])["Reservations"][0]["Instances"][0]
    w.attachment, w.address = i["NetworkInterfaces"][0]["Attachment"]["AttachmentId"], i["PrivateIpAddress"]
    w.root = i["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    return w


def ids_of(w):
    return {k: v for k, v in vars(w).items() if isinstance(v, str) and k not in ("image", "address")}


def nobodys(w):
    """Ids of the same form that never were."""
    n = types.SimpleNamespace(**vars(w))
    for k, v in ids_of(w).items():
        if k in ("key_name", "group_name"):
            setattr(n, k, "never-was")
        elif k == "kms":
            n.kms = "12345678-1234-4123-8123-123456789abc"
        elif k == "kms_arn":
            n.kms_arn = w.kms_arn.replace(w.kms, "12345678-1234-4123-8123-123456789abc")
        else:
            head = v.rpartition("-")[0]
            setattr(n, k, head + "-0" + "fedcba9876543210")
    return n


TCP = [{"IpProtocol": "tcp", "FromPort": 5, "ToPort": 5, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
FOREIGN_GROUP = lambda g: [{"IpProtocol": "tcp", "FromPort": 5, "ToPort": 5, "UserIdGroupPairs": [{"GroupId": g}]}]
MORE = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}

# action: [arguments made of ids x of another, o: one's own]
EC2 = {
    "RunInstances": [lambda x, o: dict(MORE, ImageId=o.image, KeyName=x.key_name),
                     lambda x, o: dict(MORE, ImageId=o.image, SubnetId=x.subnet),
                     lambda x, o: dict(MORE, ImageId=o.image, SubnetId=o.subnet, SecurityGroupIds=[x.group]),
                     lambda x, o: dict(MORE, ImageId=o.image, SecurityGroups=[x.group_name]),
                     lambda x, o: dict(MORE, ImageId=o.image, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": x.interface}]),
                     lambda x, o: dict(MORE, ImageId=o.image, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": o.subnet, "Groups": [x.group]}]),
                     lambda x, o: dict(MORE, ImageId=o.image, BlockDeviceMappings=[
                         {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "Encrypted": True, "KmsKeyId": x.kms_arn}}])],
    "DescribeInstances": [lambda x, o: {"InstanceIds": [x.instance]}, lambda x, o: {"InstanceIds": [o.instance, x.instance]},
                          lambda x, o: {"Filters": [{"Name": "instance-id", "Values": [x.instance]}]},
                          lambda x, o: {"Filters": [{"Name": "vpc-id", "Values": [x.vpc]}]},
                          lambda x, o: {"Filters": [{"Name": "reservation-id", "Values": [x.reservation]}]}],
    "DescribeInstanceStatus": [lambda x, o: {"InstanceIds": [x.instance]}],
    "StartInstances": [lambda x, o: {"InstanceIds": [x.instance]}],
    "StopInstances": [lambda x, o: {"InstanceIds": [x.instance]}, lambda x, o: {"InstanceIds": [o.instance, x.instance]}],
    "RebootInstances": [lambda x, o: {"InstanceIds": [x.instance]}],
    "TerminateInstances": [lambda x, o: {"InstanceIds": [x.instance]}, lambda x, o: {"InstanceIds": [o.instance, x.instance]}],
    "MonitorInstances": [lambda x, o: {"InstanceIds": [x.instance]}],
    "UnmonitorInstances": [lambda x, o: {"InstanceIds": [x.instance]}],
    "DescribeInstanceAttribute": [lambda x, o: {"InstanceId": x.instance, "Attribute": "userData"}],
    "ModifyInstanceAttribute": [lambda x, o: {"InstanceId": x.instance, "DisableApiStop": {"Value": True}},
                                lambda x, o: {"InstanceId": o.instance, "Groups": [x.group]},
                                lambda x, o: {"InstanceId": o.instance, "BlockDeviceMappings": [
                                    {"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": x.volume, "DeleteOnTermination": False}}]}],
    "ModifyInstanceMetadataOptions": [lambda x, o: {"InstanceId": x.instance, "HttpPutResponseHopLimit": 5}],
    "DescribeInstanceCreditSpecifications": [lambda x, o: {"InstanceIds": [x.instance]}],
    "GetConsoleOutput": [lambda x, o: {"InstanceId": x.instance}],
    "GetPasswordData": [lambda x, o: {"InstanceId": x.instance}],
    "CreateKeyPair": [lambda x, o: {"KeyName": x.key_name, "DryRun": True}],
    "ImportKeyPair": [lambda x, o: {"KeyName": x.key_name, "DryRun": True, "PublicKeyMaterial": PUBLIC_KEY}],
    "DescribeKeyPairs": [lambda x, o: {"KeyNames": [x.key_name]}, lambda x, o: {"KeyPairIds": [x.key_pair]},
                         lambda x, o: {"Filters": [{"Name": "key-pair-id", "Values": [x.key_pair]}]}],
    "DeleteKeyPair": [lambda x, o: {"KeyName": x.key_name}, lambda x, o: {"KeyPairId": x.key_pair}],
    "CreateVolume": [lambda x, o: {"AvailabilityZone": api.ZONE, "Size": 1, "Encrypted": True, "KmsKeyId": x.kms}],
    "DescribeVolumes": [lambda x, o: {"VolumeIds": [x.volume]},
                        lambda x, o: {"Filters": [{"Name": "attachment.instance-id", "Values": [x.instance]}]}],
    "DescribeVolumeStatus": [lambda x, o: {"VolumeIds": [x.volume]}],
    "DeleteVolume": [lambda x, o: {"VolumeId": x.volume}, lambda x, o: {"VolumeId": x.root}],
    "CreateTags": [lambda x, o, n=n: {"Resources": [getattr(x, n)], "Tags": [{"Key": "k", "Value": "v"}]}
                   for n in ("instance", "volume", "vpc", "subnet", "group", "interface", "key_pair")],
    "DeleteTags": [lambda x, o, n=n: {"Resources": [getattr(x, n)], "Tags": [{"Key": "k"}]}
                   for n in ("instance", "volume", "vpc", "subnet", "group", "interface", "key_pair")],
    "DescribeTags": [lambda x, o: {"Filters": [{"Name": "resource-id", "Values": [x.volume]}]},
                     lambda x, o: {"Filters": [{"Name": "key", "Values": [x.key_name]}]}],
    "DescribeVpcs": [lambda x, o: {"VpcIds": [x.vpc]}, lambda x, o: {"Filters": [{"Name": "vpc-id", "Values": [x.vpc]}]}],
    "DeleteVpc": [lambda x, o: {"VpcId": x.vpc}],
    "DescribeVpcAttribute": [lambda x, o: {"VpcId": x.vpc, "Attribute": "enableDnsSupport"}],
    "ModifyVpcAttribute": [lambda x, o: {"VpcId": x.vpc, "EnableDnsHostnames": {"Value": True}}],
    "CreateSubnet": [lambda x, o: {"VpcId": x.vpc, "CidrBlock": "10.9.2.0/24"}],
    "DescribeSubnets": [lambda x, o: {"SubnetIds": [x.subnet]}, lambda x, o: {"Filters": [{"Name": "vpc-id", "Values": [x.vpc]}]}],
    "ModifySubnetAttribute": [lambda x, o: {"SubnetId": x.subnet, "MapPublicIpOnLaunch": {"Value": False}}],
    "DeleteSubnet": [lambda x, o: {"SubnetId": x.subnet}],
    "CreateSecurityGroup": [lambda x, o: {"GroupName": "n", "Description": "d", "VpcId": x.vpc}],
    "DescribeSecurityGroups": [lambda x, o: {"GroupIds": [x.group]}, lambda x, o: {"GroupNames": [x.group_name]},
                               lambda x, o: {"Filters": [{"Name": "group-name", "Values": [x.group_name]}]}],
    "DeleteSecurityGroup": [lambda x, o: {"GroupId": x.group}, lambda x, o: {"GroupName": x.group_name}],
    "AuthorizeSecurityGroupIngress": [lambda x, o: {"GroupId": x.group, "IpPermissions": TCP},
                                      lambda x, o: {"GroupId": o.group, "IpPermissions": FOREIGN_GROUP(x.group)}],
    "AuthorizeSecurityGroupEgress": [lambda x, o: {"GroupId": x.group, "IpPermissions": TCP},
                                     lambda x, o: {"GroupId": o.group, "IpPermissions": FOREIGN_GROUP(x.group)}],
    "RevokeSecurityGroupIngress": [lambda x, o: {"GroupId": x.group, "IpPermissions": TCP},
                                   lambda x, o: {"GroupId": o.group, "SecurityGroupRuleIds": [x.rule]}],
    "RevokeSecurityGroupEgress": [lambda x, o: {"GroupId": x.group, "IpPermissions": TCP},
                                  lambda x, o: {"GroupId": o.group, "SecurityGroupRuleIds": [x.rule]}],
    "DescribeSecurityGroupRules": [lambda x, o: {"SecurityGroupRuleIds": [x.rule]},
                                   lambda x, o: {"Filters": [{"Name": "group-id", "Values": [x.group]}]}],
    "ModifySecurityGroupRules": [lambda x, o: {"GroupId": x.group, "SecurityGroupRules": [
        {"SecurityGroupRuleId": x.rule, "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "CidrIpv4": "0.0.0.0/0"}}]}],
    "UpdateSecurityGroupRuleDescriptionsIngress": [lambda x, o: {"GroupId": x.group, "IpPermissions": TCP}],
    "UpdateSecurityGroupRuleDescriptionsEgress": [lambda x, o: {"GroupId": x.group, "IpPermissions": TCP}],
    "CreateNetworkInterface": [lambda x, o: {"SubnetId": x.subnet}, lambda x, o: {"SubnetId": o.subnet, "Groups": [x.group]}],
    "DescribeNetworkInterfaces": [lambda x, o: {"NetworkInterfaceIds": [x.interface]},
                                  lambda x, o: {"Filters": [{"Name": "subnet-id", "Values": [x.subnet]}]}],
    "DescribeNetworkInterfaceAttribute": [lambda x, o: {"NetworkInterfaceId": x.interface, "Attribute": "description"}],
    "ModifyNetworkInterfaceAttribute": [lambda x, o: {"NetworkInterfaceId": x.interface, "Description": {"Value": "d"}},
                                        lambda x, o: {"NetworkInterfaceId": o.interface, "Groups": [x.group]}],
    "AttachNetworkInterface": [lambda x, o: {"NetworkInterfaceId": x.interface, "InstanceId": o.instance, "DeviceIndex": 1},
                               lambda x, o: {"NetworkInterfaceId": o.interface, "InstanceId": x.instance, "DeviceIndex": 1}],
    "DetachNetworkInterface": [lambda x, o: {"AttachmentId": x.attachment}],
    "DeleteNetworkInterface": [lambda x, o: {"NetworkInterfaceId": x.interface}],
    "DescribeRouteTables": [lambda x, o: {"Filters": [{"Name": "vpc-id", "Values": [x.vpc]}]}],
    "DescribeNetworkAcls": [lambda x, o: {"Filters": [{"Name": "vpc-id", "Values": [x.vpc]}]}],
    "DescribeInternetGateways": [lambda x, o: {"Filters": [{"Name": "attachment.vpc-id", "Values": [x.vpc]}]}],
}
KMS = {
    "DescribeKey": [lambda x, o: {"KeyId": x.kms}, lambda x, o: {"KeyId": x.kms_arn}],
    "Encrypt": [lambda x, o: {"KeyId": x.kms, "Plaintext": b"x"}, lambda x, o: {"KeyId": x.kms_arn, "Plaintext": b"x"}],
    "Decrypt": [lambda x, o: {"CiphertextBlob": o.blob, "KeyId": x.kms}],
    "GenerateDataKey": [lambda x, o: {"KeyId": x.kms, "KeySpec": "AES_256"}],
    "GenerateDataKeyWithoutPlaintext": [lambda x, o: {"KeyId": x.kms, "KeySpec": "AES_256"}],
    "ScheduleKeyDeletion": [lambda x, o: {"KeyId": x.kms, "PendingWindowInDays": 7}],
    "CancelKeyDeletion": [lambda x, o: {"KeyId": x.kms}],
    "EnableKey": [lambda x, o: {"KeyId": x.kms}],
    "DisableKey": [lambda x, o: {"KeyId": x.kms}],
    "ReEncrypt": [lambda x, o: {"CiphertextBlob": o.blob, "DestinationKeyId": x.kms}],
}
# Actions that name nothing of an account.
NOTHING = {("ec2", a) for a in (
    "DescribeRegions", "DescribeAvailabilityZones", "DescribeAccountAttributes", "DescribeInstanceTypes", "DescribeInstanceTypeOfferings",
    "CreateVpc", "CreateDefaultVpc", "CreateDefaultSubnet", "DescribeImages", "DescribeDhcpOptions", "GetEbsEncryptionByDefault", "GetEbsDefaultKmsKeyId",
    "DescribeAddresses", "DescribeLaunchTemplates", "DescribeIamInstanceProfileAssociations", "DescribeSnapshots",
    "DescribeVolumesModifications", "DescribePlacementGroups")} | {("kms", a) for a in ("CreateKey", "ListKeys", "GenerateRandom")} | {
        ("sts", "GetCallerIdentity")}


def answer(client, action, arguments, written_over):
    """What the action says, as text, with those ids written over."""
    try:
        said = client._make_api_call(action, arguments)
        said.pop("ResponseMetadata")
    except botocore.exceptions.ClientError as e:
        said = {"status": e.response["ResponseMetadata"]["HTTPStatusCode"], **e.response["Error"]}
    except botocore.exceptions.ParamValidationError as e:
        raise AssertionError(f"the probe of {action} is wrong: {e}") from e
    text = json.dumps(said, sort_keys=True, default=str, ensure_ascii=False)
    for value in sorted(written_over, key=len, reverse=True):
        text = text.replace(value, "ID")
    return text


def state(clients):
    """All of an account, as text."""
    said = {}
    for service, action in sorted(api.actions()):
        if re.match("(Describe|List)", action) and not clients[service].meta.service_model.operation_model(action).input_shape.required_members:
            page = clients[service]._make_api_call(action, {})
            page.pop("ResponseMetadata")
            said[action] = page
    return json.dumps(said, sort_keys=True, default=str)


PUBLIC_KEY = None
own = stranger = nobody = before = None


def accounts__have_one_of_everything_each():
    global own, stranger, nobody, before, PUBLIC_KEY
    stranger = furnish(theirs["ec2"], theirs["kms"], "stranger")
    own = furnish(mine["ec2"], mine["kms"], "own")
    nobody = nobodys(stranger)
    PUBLIC_KEY = mine["ec2"].describe_key_pairs(KeyNames=["own"], IncludePublicKey=True)["KeyPairs"][0]["PublicKey"].encode()
    before = state(theirs)
    # The same client token in both accounts means two launches.
    assert own.instance != stranger.instance and own.reservation != stranger.reservation
    equal(mine["sts"].get_caller_identity()["Account"], api.OTHER)


def actions__all_have_a_probe():
    have = {("ec2", a) for a in EC2} | {("kms", a) for a in KMS} | NOTHING
    equal(sorted(api.actions() - have), [], "actions without a probe")


def probe(service, action, calls):
    def test():
        for number, arguments in enumerate(calls):
            over = list(ids_of(stranger).values()) + list(ids_of(nobody).values())
            about_stranger = answer(mine[service], action, arguments(stranger, own), over)
            about_nobody = answer(mine[service], action, arguments(nobody, own), over)
            equal(about_stranger, about_nobody, f"call {number}")
    test.__name__ = f"{service}_{action}__knows_no_stranger"
    return test


def ciphertext__of_a_stranger_is_opened_by_nobody_else():
    api.refused("InvalidCiphertextException", mine["kms"].decrypt, CiphertextBlob=stranger.blob)


def lists__never_show_a_stranger():
    said = state(mine)
    assert own.instance in said and own.volume in said, "the lists do not even show what is one's own"
    for name, value in ids_of(stranger).items():
        assert value not in said, f"{name} {value} is in a list of the other account"
    # The owner of the host's images is known to those who may launch them.
    said = json.loads(said)
    assert [i["OwnerId"] for i in said.pop("DescribeImages")["Images"]] == [api.ACCOUNT]
    assert api.ACCOUNT not in json.dumps(said), "the stranger's account number is in a list"


def pages__of_a_stranger_are_refused():
    more = theirs["ec2"].run_instances(ImageId=stranger.image, **{**MORE, "MinCount": 6, "MaxCount": 6})["Instances"]
    token = theirs["ec2"].describe_instances(MaxResults=5)["NextToken"]
    try:
        mine["ec2"].describe_instances(MaxResults=5, NextToken=token)
    except botocore.exceptions.ClientError as e:
        assert e.response["Error"]["Code"] in ("InvalidNextToken", "InvalidParameterValue"), e
    else:
        raise AssertionError("another account's token was taken")
    theirs["ec2"].terminate_instances(InstanceIds=[i["InstanceId"] for i in more])


def strangers_things__are_as_they_were():
    equal(state(theirs), before)


tests = [accounts__have_one_of_everything_each, actions__all_have_a_probe]
tests += [probe("ec2", a, c) for a, c in EC2.items() if ("ec2", a) in api.actions()]
tests += [probe("kms", a, c) for a, c in KMS.items() if ("kms", a) in api.actions()]
tests += [ciphertext__of_a_stranger_is_opened_by_nobody_else, lists__never_show_a_stranger, strangers_things__are_as_they_were,
          pages__of_a_stranger_are_refused]
api.run(server, tests, needed=[accounts__have_one_of_everything_each])
