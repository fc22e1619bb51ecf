#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every action niterd implements is called with success at least once, and each answer is as botocore's model says.

A new action without a call here fails the test; so does one that is gone. Members whose values matter are looked at by the other
programs of this folder: here the answers' shapes are what counts (tests/lib/api_server.py, Relay).
"""
# niter-test: timeout=300
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import api_server as api
from api_server import equal

try:
    import validate
except ImportError:
    api.skip("every_action", "python3-boto3 is not installed: ./run test installs it")
    sys.exit(0)

server = api.Server()
ec2, kms, sts = server.client("ec2"), server.client("kms"), server.client("sts")
w = {}
NEVER = {("ec2", "AttachNetworkInterface"), ("ec2", "DetachNetworkInterface")}  # refused whatever they are asked; see below
ATTRIBUTES = ["instanceType", "userData", "disableApiTermination", "disableApiStop", "instanceInitiatedShutdownBehavior", "rootDeviceName",
              "blockDeviceMapping", "sourceDestCheck", "groupSet", "ebsOptimized", "enaSupport", "enclaveOptions", "sriovNetSupport"]


def geography_and_account__answer():
    ec2.describe_regions(AllRegions=True)
    ec2.describe_availability_zones(ZoneNames=[api.ZONE])
    names = {a["AttributeName"] for a in ec2.describe_account_attributes()["AccountAttributes"]}
    assert {"supported-platforms", "default-vpc", "max-instances"} <= names, names
    types = [t for p in ec2.get_paginator("describe_instance_types").paginate(PaginationConfig={"PageSize": 5}) for t in p["InstanceTypes"]]
    assert {"t3.micro", "t3.small"} <= {t["InstanceType"] for t in types}, types
    offered = ec2.describe_instance_type_offerings(LocationType="availability-zone")["InstanceTypeOfferings"]
    equal({o["Location"] for o in offered}, {api.ZONE})
    sts.get_caller_identity()


def networks__answer():
    w["vpc"] = ec2.create_vpc(CidrBlock="10.7.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}])["Vpc"]["VpcId"]
    for attribute in ("enableDnsHostnames", "enableDnsSupport", "enableNetworkAddressUsageMetrics"):
        ec2.describe_vpc_attribute(VpcId=w["vpc"], Attribute=attribute)
    ec2.modify_vpc_attribute(VpcId=w["vpc"], EnableDnsHostnames={"Value": True})
    equal(ec2.describe_vpc_attribute(VpcId=w["vpc"], Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"], True)
    w["subnet"] = ec2.create_subnet(VpcId=w["vpc"], CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    equal(ec2.describe_subnets(SubnetIds=[w["subnet"]])["Subnets"][0]["AvailableIpAddressCount"], 251)
    ec2.modify_subnet_attribute(SubnetId=w["subnet"], MapPublicIpOnLaunch={"Value": False})
    ec2.describe_vpcs()
    for name in ("describe_route_tables", "describe_network_acls", "describe_internet_gateways", "describe_dhcp_options"):
        if implemented(name):
            getattr(ec2, name)()


def groups__answer():
    g = w["group"] = ec2.create_security_group(GroupName="g", Description="d", VpcId=w["vpc"])["GroupId"]
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    tcp = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9, "UserIdGroupPairs": [{"GroupId": g, "Description": "each other"}]}]
    ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=tcp)
    ec2.revoke_security_group_egress(GroupId=g, IpPermissions=everything)
    ec2.authorize_security_group_egress(GroupId=g, IpPermissions=everything)
    ec2.describe_security_groups(GroupIds=[g])
    ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [g]}])
    ec2.revoke_security_group_ingress(GroupId=g, IpPermissions=tcp)
    if implemented("modify_security_group_rules"):
        rule, = ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=[
            {"IpProtocol": "udp", "FromPort": 5, "ToPort": 5, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])["SecurityGroupRules"]
        ec2.modify_security_group_rules(GroupId=g, SecurityGroupRules=[
            {"SecurityGroupRuleId": rule["SecurityGroupRuleId"],
             "SecurityGroupRule": {"IpProtocol": "udp", "FromPort": 6, "ToPort": 6, "CidrIpv4": "10.0.0.0/8"}}])
    ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=tcp)
    for way, rules in (("ingress", tcp), ("egress", everything)):
        if implemented("update_security_group_rule_descriptions_" + way):
            getattr(ec2, "update_security_group_rule_descriptions_" + way)(GroupId=g, IpPermissions=rules)
    ec2.revoke_security_group_ingress(GroupId=g, IpPermissions=tcp)


def keys__answer():
    ec2.create_key_pair(KeyName="k")
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", os.path.join(server.home, "id")], check=True)
    with open(os.path.join(server.home, "id.pub"), "rb") as f:
        ec2.import_key_pair(KeyName="i", PublicKeyMaterial=f.read())
    ec2.describe_key_pairs(IncludePublicKey=True)
    ec2.delete_key_pair(KeyName="i")


def instances__answer():
    image = w["image"] = ec2.describe_images()["Images"][0]["ImageId"]
    one = w["instance"] = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, KeyName="k", UserData=b"x", NetworkInterfaces=[
            {"DeviceIndex": 0, "SubnetId": w["subnet"], "Groups": [w["group"]], "Description": "first"}],
        BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": True}}])["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[one], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    ec2.describe_instances()
    equal(len(ec2.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]), 1, "instances with a status")
    for attribute in ATTRIBUTES:
        ec2.describe_instance_attribute(InstanceId=one, Attribute=attribute)
    ec2.modify_instance_attribute(InstanceId=one, DisableApiStop={"Value": False})
    ec2.modify_instance_metadata_options(InstanceId=one, HttpPutResponseHopLimit=3)
    ec2.get_console_output(InstanceId=one)
    if implemented("get_password_data"):
        equal(ec2.get_password_data(InstanceId=one)["PasswordData"], "")
    ec2.reboot_instances(InstanceIds=[one])
    ec2.stop_instances(InstanceIds=[one])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[one], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    ec2.start_instances(InstanceIds=[one])
    ec2.get_waiter("instance_running").wait(InstanceIds=[one], WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def interfaces__answer():
    i = ec2.create_network_interface(SubnetId=w["subnet"], Groups=[w["group"]], Description="second")["NetworkInterface"]
    w["interface"] = i["NetworkInterfaceId"]
    ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[w["interface"]], WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    ec2.modify_network_interface_attribute(NetworkInterfaceId=w["interface"], Description={"Value": "other"})
    ec2.describe_network_interfaces()
    if implemented("describe_network_interface_attribute"):
        ec2.describe_network_interface_attribute(NetworkInterfaceId=w["interface"], Attribute="description")
    # Not while an instance exists: both know their parameters, and refuse.
    api.refused("UnsupportedOperation", ec2.attach_network_interface, NetworkInterfaceId=w["interface"], InstanceId=w["instance"], DeviceIndex=1)
    first = ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [w["instance"]]}])["NetworkInterfaces"][0]
    api.refused("OperationNotPermitted", ec2.detach_network_interface, AttachmentId=first["Attachment"]["AttachmentId"])
    ec2.delete_network_interface(NetworkInterfaceId=w["interface"])


def volumes_and_tags__answer():
    v = ec2.create_volume(AvailabilityZone=api.ZONE, Size=2)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[v], WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    ec2.create_tags(Resources=[v, w["instance"], w["vpc"], w["group"], w["subnet"]], Tags=[{"Key": "k", "Value": "v"}])
    ec2.describe_tags()
    ec2.describe_volumes()
    ec2.delete_tags(Resources=[v], Tags=[{"Key": "k"}])
    ec2.delete_volume(VolumeId=v)
    if implemented("get_ebs_encryption_by_default"):
        equal(ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"], True)


def the_rest__answers():
    """Actions that many tools call on the way, where niterd has them."""
    one = {"InstanceIds": [w["instance"]]}
    for name, args in {"monitor_instances": one, "unmonitor_instances": one, "describe_instance_credit_specifications": {},
                       "describe_addresses": {}, "describe_volume_status": {}, "describe_launch_templates": {}, "get_ebs_default_kms_key_id": {},
                       "describe_iam_instance_profile_associations": {}, "describe_snapshots": {"OwnerIds": ["self"]}, "describe_volumes_modifications": {},
                       "describe_placement_groups": {}}.items():
        if implemented(name):
            getattr(ec2, name)(**args)


def everything__is_deleted():
    ec2.terminate_instances(InstanceIds=[w["instance"]])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[w["instance"]], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    ec2.delete_key_pair(KeyName="k")
    ec2.delete_security_group(GroupId=w["group"])
    ec2.delete_subnet(SubnetId=w["subnet"])
    ec2.delete_vpc(VpcId=w["vpc"])
    default, = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    for s in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [default["VpcId"]]}])["Subnets"]:
        ec2.delete_subnet(SubnetId=s["SubnetId"])
    ec2.delete_vpc(VpcId=default["VpcId"])
    equal(ec2.describe_vpcs()["Vpcs"], [])
    equal(ec2.create_default_vpc()["Vpc"]["IsDefault"], True)
    subnet, = ec2.describe_subnets()["Subnets"]
    if implemented("create_default_subnet"):
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        ec2.create_default_subnet(AvailabilityZone=api.ZONE)


def kms__answers():
    key = kms.create_key(Description="x")["KeyMetadata"]["KeyId"]
    kms.describe_key(KeyId=key)
    kms.list_keys()
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob)
    kms.generate_data_key(KeyId=key, KeySpec="AES_128")
    kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")
    kms.generate_random(NumberOfBytes=1)
    if ("kms", "ReEncrypt") in api.actions():
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    if ("kms", "CancelKeyDeletion") in api.actions():
        kms.cancel_key_deletion(KeyId=key)
    if ("kms", "EnableKey") in api.actions():
        kms.enable_key(KeyId=key)
        kms.disable_key(KeyId=key)


def implemented(method):
    return ("ec2", ec2.meta.method_to_api_mapping[method]) in api.actions()


def actions__were_all_called_with_success():
    called = {what for what, statuses in server.relay.seen.items() if 200 in statuses}
    equal(sorted(api.actions() - called - NEVER), [], "implemented and never called with success")
    equal(sorted(called - api.actions()), [], "answered and not in niterd's tables")


def absent_actions__are_refused_by_name():
    assert api.absent_actions(), "no action is known to be absent"
    for action in sorted(api.absent_actions()):
        status, headers, body = api.post(server.port, f"Action={action}&Version=2016-11-15")
        equal((status, b"<Code>UnsupportedOperation</Code>" in body, action.encode() in body), (400, True, True), f"{action}: {body}")
        equal(validate.check("ec2", action, status, headers, body), [], action)


api.run(server, api.functions(sys.modules[__name__]))
