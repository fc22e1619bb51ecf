#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The judge of answers (validate.py) itself: a right answer is right, and each kind of flaw is found."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import api_server as api

try:
    import validate
except ImportError:
    api.skip("validator", "python3-botocore is not installed: ./run test installs it")
    sys.exit(0)

ID = "01234567-89ab-4cde-8f01-23456789abcd"
HEADERS = {"Content-Type": "text/xml;charset=UTF-8", "x-amzn-requestid": ID, "Date": "Mon, 23 Nov 2026 00:00:00 GMT"}
RIGHT = f"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeVolumesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>{ID}</requestId><volumeSet><item>\
<volumeId>vol-1</volumeId><size>8</size><status>in-use</status><createTime>2026-11-22T09:45:15.000Z</createTime><encrypted>true</encrypted>\
<attachmentSet><item><instanceId>i-1</instanceId></item></attachmentSet></item></volumeSet></DescribeVolumesResponse>"""
ERROR = f"""<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>InvalidVolume.NotFound</Code><Message>none</Message></Error></Errors><RequestID>{ID}</RequestID></Response>"""
KMS = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-requestid": ID, "Date": "x"}
FLAWS = {
    "an_unknown_member": ("<size>8</size>", "<sizes>8</sizes>"), "a_member_twice": ("<size>8</size>", "<size>8</size><size>8</size>"),
    "a_number_that_is_none": ("<size>8</size>", "<size></size>"), "a_boolean_that_is_none": (">true<", ">True<"),
    "a_time_that_is_none": ("2026-11-22T09:45:15.000Z", "2026-11-22 09:45:15"), "a_value_outside_its_enumeration": ("in-use", "used"),
    "a_list_of_something_else": ("<attachmentSet><item>", "<attachmentSet><member>", "</item></attachmentSet>", "</member></attachmentSet>"),
    "a_missing_request_id": (f"<requestId>{ID}</requestId>", ""), "another_request_id": ID and (f"<requestId>{ID}", f"<requestId>{ID[::-1]}"),
    "an_empty_token": ("</volumeSet>", "</volumeSet><nextToken/>"), "another_root": ("DescribeVolumesResponse", "DescribeVolumeResponse"),
    "broken_xml": ("</volumeSet>", ""), "a_missing_declaration": ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", ""),
}


def problems(text, status=200, headers=None, service="ec2", action="DescribeVolumes"):
    return validate.check(service, action, status, {**HEADERS, **(headers or {})}, text.encode())


def flaw(name, *changes):
    text = RIGHT
    for old, new in zip(changes[::2], changes[1::2]):
        assert old in text, old
        text = text.replace(old, new)
    (api.ok if problems(text) else lambda n: api.not_ok(n, "was not found"))(f"validator__finds_{name}")


def expect(name, wrong, found):
    if bool(found) == wrong:
        api.ok(name)
    else:
        api.not_ok(name, found or "no problem was found")


expect("validator__accepts_a_right_answer", False, problems(RIGHT))
expect("validator__accepts_a_right_error", False, problems(ERROR, 400))
expect("validator__finds_an_error_without_code", True, problems(ERROR.replace("<Code>InvalidVolume.NotFound</Code>", ""), 400))
expect("validator__finds_an_error_in_json", True, problems('{"__type":"x"}', 400))
expect("validator__finds_another_content_type", True, problems(RIGHT, headers={"Content-Type": "text/html"}))
expect("validator__finds_a_missing_date", True, problems(RIGHT, headers={"Date": ""}))
for title, change in FLAWS.items():
    flaw(title, *change)
expect("validator__accepts_a_right_kms_answer", False, problems('{"Plaintext":"eA=="}', headers=KMS, service="kms", action="GenerateRandom"))
expect("validator__finds_what_is_not_base64", True, problems('{"Plaintext":"é"}', headers=KMS, service="kms", action="GenerateRandom"))
expect("validator__finds_an_unknown_kms_member", True, problems('{"Text":"eA=="}', headers=KMS, service="kms", action="GenerateRandom"))
expect("validator__finds_a_missing_kms_member", True,
       problems('{"KeyMetadata":{"Arn":"arn:aws:kms:us-east-1:123456789012:key/x"}}', headers=KMS, service="kms", action="DescribeKey"))
sys.exit(1 if api._failed else 0)
