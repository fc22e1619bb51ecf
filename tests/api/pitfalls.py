#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What clients trip over: error codes and statuses, empty values, lists with gaps, wildcards, pages, unicode, bytes; in raw requests."""
# niter-test: timeout=300
import base64
import os
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import api_server as api
from api_server import equal

try:
    import validate
except ImportError:
    api.skip("pitfalls", "python3-botocore is not installed: ./run test installs it")
    sys.exit(0)

server = api.Server(relay=False)
NS = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
w = {}


def post(body, **kw):
    status, headers, text = api.post(server.port, body, **kw)
    action = dict(urllib.parse.parse_qsl(body if isinstance(body, str) else "")).get("Action", "DescribeRegions")
    problems = validate.check("ec2", action, status, headers, text)
    assert not problems, f"{body}: {problems[:3]}"
    return status, text


def call(action, *more, **params):
    """A request that must succeed: its root element. MORE: raw text at the end."""
    body = "&".join([urllib.parse.urlencode({"Action": action, "Version": "2016-11-15", **params}), *more])
    status, text = post(body)
    equal(status, 200, text.decode())
    return ET.fromstring(text)


def texts(root, name):
    return [e.text or "" for e in root.iter(NS + name)]


def refused(code, body, status=400):
    got, text = post(body)
    found = re.search(b"<Code>(.*?)</Code>", text)
    equal((got, found.group(1).decode() if found else None), (status, code), f"{body}: {text.decode()}")
    return re.search(b"<Message>(.*?)</Message>", text, re.S).group(1).decode()


V = "&Version=2016-11-15"
NO_INSTANCE, NO_VOLUME, NO_GROUP = "i-0fedcba9876543210", "vol-0fedcba9876543210", "sg-0fedcba9876543210"
ERRORS = [  # code, body, status; "IMAGE" and the like are written over by what there is
    ("MissingAction", "Version=2016-11-15", 400),
    ("InvalidAction", "Action=NoSuchThing" + V, 400),
    ("MissingParameter", "Action=TerminateInstances" + V, 400),
    ("MissingParameter", "Action=RunInstances&ImageId=IMAGE&MinCount=1" + V, 400),
    ("UnknownParameter", "Action=DescribeInstances&Colour=red" + V, 400),
    ("InvalidParameterValue", "Action=DescribeInstances&MaxResults=many" + V, 400),
    ("InvalidParameterValue", "Action=DescribeInstances&MaxResults=4" + V, 400),
    ("InvalidParameterValue", "Action=DescribeInstances&MaxResults=1001" + V, 400),
    ("InvalidParameterValue", "Action=DescribeInstances&Filter.1.Name=no-such&Filter.1.Value.1=x" + V, 400),
    ("InvalidInstanceID.NotFound", f"Action=DescribeInstances&InstanceId.1={NO_INSTANCE}" + V, 400),
    ("InvalidInstanceID.Malformed", "Action=DescribeInstances&InstanceId.1=i-xyz" + V, 400),
    ("InvalidInstanceID.Malformed", "Action=StopInstances&InstanceId.1=vol-0123456789abcdef0" + V, 400),
    ("InvalidVolume.NotFound", f"Action=DescribeVolumes&VolumeId.1={NO_VOLUME}" + V, 400),
    ("InvalidVolume.NotFound", f"Action=DeleteVolume&VolumeId={NO_VOLUME}" + V, 400),
    ("InvalidGroup.NotFound", f"Action=DescribeSecurityGroups&GroupId.1={NO_GROUP}" + V, 400),
    ("InvalidGroup.NotFound", f"Action=DeleteSecurityGroup&GroupId={NO_GROUP}" + V, 400),
    ("InvalidGroupId.Malformed", "Action=DescribeSecurityGroups&GroupId.1=sg-x" + V, 400),
    ("InvalidParameterValue", "Action=CreateSecurityGroup&GroupName=default&GroupDescription=x" + V, 400),
    ("CannotDelete", "Action=DeleteSecurityGroup&GroupName=default" + V, 400),
    ("InvalidVpcID.NotFound", "Action=DescribeVpcs&VpcId.1=vpc-0fedcba9876543210" + V, 400),
    ("InvalidSubnetID.NotFound", "Action=DescribeSubnets&SubnetId.1=subnet-0fedcba9876543210" + V, 400),
    ("InvalidNetworkInterfaceID.NotFound", "Action=DescribeNetworkInterfaces&NetworkInterfaceId.1=eni-0fedcba9876543210" + V, 400),
    ("InvalidKeyPair.NotFound", "Action=DescribeKeyPairs&KeyName.1=nobody" + V, 400),
    ("InvalidKey.Format", "Action=ImportKeyPair&KeyName=x&PublicKeyMaterial=bm9uZQ%3D%3D" + V, 400),
    ("InvalidAMIID.NotFound", "Action=DescribeImages&ImageId.1=ami-0fedcba9876543210" + V, 400),
    ("InvalidAMIID.Malformed", "Action=DescribeImages&ImageId.1=debian" + V, 400),
    ("InvalidAMIID.NotFound", "Action=RunInstances&ImageId=ami-0fedcba9876543210&MinCount=1&MaxCount=1" + V, 400),
    ("InvalidInstanceType", "Action=RunInstances&ImageId=IMAGE&MinCount=1&MaxCount=1&InstanceType=t9.huge" + V, 400),
    ("InvalidParameterValue", "Action=RunInstances&ImageId=IMAGE&MinCount=2&MaxCount=1&InstanceType=t3.micro" + V, 400),
    ("InvalidParameterValue", "Action=RunInstances&ImageId=IMAGE&MinCount=0&MaxCount=1&InstanceType=t3.micro" + V, 400),
    ("InvalidKeyPair.NotFound", "Action=RunInstances&ImageId=IMAGE&MinCount=1&MaxCount=1&InstanceType=t3.micro&KeyName=nobody" + V, 400),
    ("InvalidSubnetID.NotFound", "Action=RunInstances&ImageId=IMAGE&MinCount=1&MaxCount=1&InstanceType=t3.micro&SubnetId=subnet-0fedcba9876543210" + V, 400),
    ("InvalidGroup.NotFound", f"Action=RunInstances&ImageId=IMAGE&MinCount=1&MaxCount=1&InstanceType=t3.micro&SecurityGroupId.1={NO_GROUP}" + V, 400),
    ("DryRunOperation", "Action=RunInstances&ImageId=IMAGE&MinCount=1&MaxCount=1&InstanceType=t3.micro&DryRun=true" + V, 412),
    ("DryRunOperation", "Action=DescribeRegions&DryRun=true" + V, 412),
    ("InvalidID", "Action=CreateTags&ResourceId.1=thing-0123456789abcdef0&Tag.1.Key=a" + V, 400),
    ("InvalidInstanceID.NotFound", f"Action=CreateTags&ResourceId.1={NO_INSTANCE}&Tag.1.Key=a" + V, 400),
    ("InvalidParameterValue", "Action=CreateVolume&AvailabilityZone=us-east-1a&Size=1&TagSpecification.1.ResourceType=instance"
     "&TagSpecification.1.Tag.1.Key=a" + V, 400),
    ("MissingParameter", "Action=CreateVolume&AvailabilityZone=us-east-1a" + V, 400),
    ("InvalidVpc.Range", "Action=CreateVpc&CidrBlock=10.0.0.0%2F8" + V, 400),
    ("UnsupportedOperation", "Action=CreateSnapshot&VolumeId=vol-0123456789abcdef0" + V, 400),
]


def error_codes__are_those_of_ec2():
    image, = texts(call("DescribeImages"), "imageId")[:1]
    w["image"] = image
    wrong = []
    for code, body, status in ERRORS:
        try:
            refused(code, body.replace("IMAGE", image), status)
        except AssertionError as e:
            wrong.append(str(e))
    assert not wrong, f"{len(wrong)} of {len(ERRORS)}: " + " || ".join(wrong)


def parameters_that_do_nothing_here__are_refused_by_name():
    head = f"Action=RunInstances&ImageId={w['image']}&MinCount=1&MaxCount=1&InstanceType=t3.micro{V}&"
    wrong = []
    for more, name in (("KernelId=aki-1", "KernelId"), ("LaunchTemplate.LaunchTemplateId=lt-1", "LaunchTemplate"), ("Ipv6AddressCount=1", "Ipv6AddressCount"),
                       ("IamInstanceProfile.Name=x", "IamInstanceProfile"), ("Placement.Tenancy=host", "Tenancy"), ("HibernationOptions.Configured=true", "Hibernation"),
                       ("InstanceMarketOptions.MarketType=spot", "InstanceMarketOptions"), ("BlockDeviceMapping.1.DeviceName=/dev/sdf&BlockDeviceMapping.1.Ebs.SnapshotId=snap-0123456789abcdef0", "SnapshotId")):
        status, text = post(head + more)
        if status != 400 or name.encode() not in text or not re.search(b"<Code>(UnsupportedOperation|InvalidSnapshot.NotFound|InvalidParameter\\w*)</Code>", text):
            wrong.append(f"{more}: {status} {text.decode()}")
    assert not wrong, " || ".join(wrong)
    equal(texts(call("DescribeInstances"), "instanceId"), [])


def empty_values__count_as_absent():
    run = call("RunInstances", "SubnetId=", "UserData=", "IamInstanceProfile.Name=", "Placement.AvailabilityZone=", ImageId=w["image"],
               InstanceType="t3.micro", MinCount=1, MaxCount=1)
    w["one"] = texts(run, "instanceId")[0]


def lists__may_have_gaps_and_any_order():
    two = texts(call("RunInstances", ImageId=w["image"], InstanceType="t3.micro", MinCount=2, MaxCount=2), "instanceId")
    got = call("DescribeInstances", f"InstanceId.9={two[1]}", f"InstanceId.2={two[0]}")
    equal(sorted(texts(got, "instanceId")), sorted(two))
    got = call("DescribeInstances", f"Filter.7.Value.3={two[0]}", "Filter.7.Name=instance-id", f"Filter.7.Value.1={two[1]}")
    equal(sorted(texts(got, "instanceId")), sorted(two))
    refused("MalformedQueryString", f"Action=DescribeInstances{V}&InstanceId.1={two[0]}&InstanceId.1={two[1]}")


def blanks__are_plus_or_percent_20():
    for n, value in enumerate(("a+b", "a%20b")):
        call("CreateTags", f"ResourceId.1={w['one']}", f"Tag.1.Key=k{n}", f"Tag.1.Value={value}")
    equal(sorted(texts(call("DescribeTags"), "value")), ["a b", "a b"])


def wildcards__match_as_ec2_says():
    def found(pattern):
        return len(texts(call("DescribeTags", "Filter.1.Name=value", "Filter.1.Value.1=" + urllib.parse.quote(pattern)), "value"))
    for value in ("x*y", "xay", "", "ünï"):
        call("CreateTags", f"ResourceId.1={w['one']}", "Tag.1.Key=" + urllib.parse.quote("w" + value), "Tag.1.Value=" + urllib.parse.quote(value))
    equal([found(p) for p in ("x*y", "x\\*y", "x?y", "X*", "*", "?n?", "ün", "x")], [2, 1, 2, 0, 6, 1, 0, 0])


def empty_lists__are_empty_elements():
    root = call("DescribeVolumes", "Filter.1.Name=status", "Filter.1.Value.1=error")
    equal([(e.tag, len(e)) for e in root][1:], [(NS + "volumeSet", 0)])
    equal([len(e) for e in call("DescribeInstances", "Filter.1.Name=vpc-id", "Filter.1.Value.1=vpc-1").iter(NS + "reservationSet")], [0])


def pages__end_and_show_each_once():
    call("RunInstances", ImageId=w["image"], InstanceType="t3.micro", MinCount=9, MaxCount=9)
    everything, got, token = texts(call("DescribeInstances"), "instanceId"), [], ()
    for _ in range(10):
        page = call("DescribeInstances", *token, MaxResults=5)
        got += texts(page, "instanceId")
        following = texts(page, "nextToken")
        if not following:
            break
        token = ("NextToken=" + urllib.parse.quote(following[0], safe=""),)
    equal(sorted(got), sorted(everything))
    assert len(everything) == 12 and len(set(got)) == 12, got
    for action in ("DescribeInstances&MaxResults=5&Filter.1.Name=instance-type&Filter.1.Value.1=t3.micro", "DescribeVolumes&MaxResults=5"):
        first = re.search(b"<nextToken>(.*?)<", post(f"Action={action}{V}")[1])
        assert first, f"{action} has one page only"
        forged = first.group(1)[:-2] + (b"AA" if first.group(1)[-2:] != b"AA" else b"BB")
        status, text = post(f"Action={action}{V}&NextToken={urllib.parse.quote(forged.decode(), safe='')}")
        assert status == 400 and re.search(b"<Code>Invalid(NextToken|ParameterValue)<", text), text
        other = action.replace("t3.micro", "t3.nano").replace("DescribeVolumes", "DescribeSecurityGroups")
        status, text = post(f"Action={other}{V}&NextToken={urllib.parse.quote(first.group(1).decode(), safe='')}")
        assert status == 400 and re.search(b"<Code>Invalid(NextToken|ParameterValue)<", text), text


def tags__take_any_text_up_to_their_limits():
    def put(key, value):
        return f"Action=CreateTags{V}&ResourceId.1={w['one']}&Tag.1.Key={urllib.parse.quote(key)}&Tag.1.Value={urllib.parse.quote(value)}"
    for key, value in (("<&>\"'", "<&>\"'"), ("日本語", "🙂" * 100), ("k" * 127, "v" * 255), ("tab\tand\nline", "\t\n")):
        equal(post(put(key, value))[0], 200, repr(key))
        seen = {k: v for k, v in zip(texts(call("DescribeTags"), "key"), texts(call("DescribeTags"), "value"))}
        equal(seen[key], value)
    for key, value in (("aws:x", "v"), ("k" * 129, "v"), ("k", "v" * 257), ("k", "\x01"), ("", "v")):
        status, _ = post(put(key, value))
        equal(status, 400, repr(key))
    many = "".join(f"&Tag.{n}.Key=many{n}" for n in range(1, 52))
    status, text = post(f"Action=CreateTags{V}&ResourceId.1={w['one']}{many}")
    equal((status, re.search(b"<Code>(.*?)<", text).group(1)), (400, b"TagLimitExceeded"))


def utf_8__is_demanded():
    equal(post(b"Action=DescribeRegions&Version=2016-11-15&RegionName.1=%ff")[0], 400)
    equal(post(b"Action=DescribeRegions&Version=2016-11-15&RegionName.1=%zz")[0], 400)


def user_data__is_bytes_up_to_16_kib():
    data = os.urandom(16384)
    head = f"Action=RunInstances&ImageId={w['image']}&MinCount=1&MaxCount=1&InstanceType=t3.micro{V}&UserData="
    status, text = post(head + urllib.parse.quote(base64.b64encode(data).decode(), safe=""))
    equal(status, 200, text.decode())
    one = texts(ET.fromstring(text), "instanceId")[0]
    back = call("DescribeInstanceAttribute", InstanceId=one, Attribute="userData")
    equal(base64.b64decode(back.find(f"{NS}userData/{NS}value").text) == data, True, "the same bytes")
    refused("InvalidParameterValue", head + urllib.parse.quote(base64.b64encode(data + b"x").decode(), safe=""))
    refused("InvalidUserData.Malformed", head + "no%20base64%21")


def dry_run__needs_the_same_checks():
    refused("InvalidInstanceID.NotFound", f"Action=TerminateInstances&InstanceId.1={NO_INSTANCE}&DryRun=true{V}")
    refused("DryRunOperation", f"Action=TerminateInstances&InstanceId.1={w['one']}&DryRun=true{V}", 412)
    equal(texts(call("DescribeInstances", f"InstanceId.1={w['one']}").find(f".//{NS}instanceState"), "name"), ["running"])


def get__is_answered_as_post():
    import http.client
    c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    c.request("GET", "/?Action=DescribeRegions&Version=2016-11-15")
    r = c.getresponse()
    text = r.read()
    # unsigned: the refusal comes from the same place and has EC2's form
    equal((r.status, b"MissingAuthenticationToken" in text or b"AuthFailure" in text), (403, True), text.decode())


def other_regions_and_clocks__are_refused():
    for kw in ({"region": "eu-west-1"}, {"service": "s3"}, {"key": (api.KEY[0], "wrong")}):
        status, _, text = api.post(server.port, f"Action=DescribeRegions{V}", **kw)
        assert 400 <= status < 500, (kw, status, text)


api.run(server, api.functions(sys.modules[__name__]))
