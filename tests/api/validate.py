# SPDX-License-Identifier: Apache-2.0
"""Is an answer as botocore's model of the service says? From the raw bytes, so that nothing a client's parser forgives is forgiven.

The models are those of the installed python3-botocore, read with its loader and nothing else of it. What a newer model than Debian's
knows and niterd answers is listed here by name; everything else that the model does not know is a problem.
"""
import base64
import binascii
import functools
import json
import re
import xml.etree.ElementTree as ET

import botocore.loaders
import botocore.model

NAMESPACE = {"ec2": "http://ec2.amazonaws.com/doc/2016-11-15/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/"}
TYPE = {"ec2": ("text/xml;charset=UTF-8",), "sts": ("text/xml", "text/xml;charset=UTF-8"), "kms": ("application/x-amz-json-1.1",)}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TEXT = {"integer": re.compile(r"-?\d+"), "long": re.compile(r"-?\d+"), "float": re.compile(r"-?\d+(\.\d+)?"),
        "double": re.compile(r"-?\d+(\.\d+)?"), "boolean": re.compile(r"true|false"),
        "timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")}

# Members of newer models: path from the answer's root without [numbers].
NEWER = re.compile(
    r"^(GetEbsEncryptionByDefault/sseType|RevokeSecurityGroup(In|E)gress/revokedSecurityGroupRuleSet(/.*)?|CreateSecurityGroup/securityGroupArn|DeleteSecurityGroup/(return|groupId)|DeleteKeyPair/(return|keyPairId)"
    r"|.*/(operator|currentInstanceBootMode|imdsSupport|networkCardIndex|nitroTpmSupport|nitroEnclavesSupport|ebsInfo/maximumEbsAttachments"
    r"|ownerId|availabilityZoneId|blockPublicAccessStates|securityGroupArn|sourceImageId|sourceImageRegion|imageAllowed|groupLongNameSet"
    r"|attachedEbsStatus|phcSupport|networkInfo/.*|defaultNetworkCardIndex)(/.*)?)$")
# Values that newer models' enumerations have; and "available", which EC2 says of an internet gateway's attachment against its own model.
NEWER_VALUES = {"enableNetworkAddressUsageMetrics", "nitro-v6", "uefi-preferred"}
OWN_VALUES = {("DescribeInternetGateways/internetGatewaySet/attachmentSet/state", "available")}


@functools.lru_cache(maxsize=None)
def model(service):
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)


def local(tag):
    return tag.rpartition("}")[2]


def check(service, action, status, headers, body):
    """Returns what is wrong with an answer, a line each."""
    problems = []
    if headers.get("Content-Type") not in TYPE[service]:
        problems.append(f"Content-Type is {headers.get('Content-Type')!r}")
    if not UUID.fullmatch(headers.get("x-amzn-requestid") or ""):
        problems.append(f"x-amzn-requestid is {headers.get('x-amzn-requestid')!r}")
    if not headers.get("Date"):
        problems.append("no Date")
    if service == "kms":
        return problems + _json(action, status, body)
    try:
        root = ET.fromstring(body)
    except ET.ParseError as e:
        return problems + [f"no XML: {e}"]
    if not body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>'):
        problems.append("it does not begin with the XML declaration")
    if status != 200:
        return problems + _xml_error(service, root, headers)
    if action not in model(service).operation_names:
        return problems + ["no such action in the model"]
    if root.tag != f"{{{NAMESPACE[service]}}}{action}Response":
        problems.append(f"its root is {root.tag}")
    shape = model(service).operation_model(action).output_shape
    if service == "ec2":
        return problems + _ec2(action, root, shape, headers)
    return problems + _query(action, root, shape, headers)


def _same_id(got, headers):
    return [] if got == headers.get("x-amzn-requestid") else [f"request id {got!r} is not the header's"]


def _xml_error(service, root, headers):
    if service == "ec2":
        want = ["Errors", "RequestID"]
        error, request = root.find("Errors/Error"), root.findtext("RequestID")
        name = "Response"
    else:
        ns = "{" + NAMESPACE[service] + "}"
        want = ["Error", "RequestId"]
        error, request = root.find(ns + "Error"), root.findtext(ns + "RequestId")
        name = "ErrorResponse"
    problems = [] if local(root.tag) == name and [local(e.tag) for e in root] == want else [f"an error of another form: {root.tag}"]
    if error is None:
        return problems + ["no Error"]
    said = {local(e.tag): e.text or "" for e in error}
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9.]+", said.get("Code", "")):
        problems.append(f"error code {said.get('Code')!r}")
    if not said.get("Message"):
        problems.append("an error without a message")
    return problems + _same_id(request, headers)


def _ec2(action, root, shape, headers):
    children = list(root)
    if not children or local(children[0].tag) != "requestId":
        return ["requestId is not the first member"]
    problems = _same_id(children[0].text, headers)
    rest = children[1:]
    if shape is None or not shape.members:
        if [local(e.tag) for e in rest] == ["return"] and rest[0].text == "true":
            return problems
        return problems + [p for e in rest for p in [f"{local(e.tag)}: the model knows no member"] if not NEWER.match(f"{action}/{local(e.tag)}")]
    return problems + _structure(action, rest, shape)


def _query(action, root, shape, headers):
    names = [local(e.tag) for e in root]
    if names != [action + "Result", "ResponseMetadata"]:
        return [f"members {names}"]
    request = [e.text for e in root[1]]
    return (_same_id(request[0], headers) if len(request) == 1 else ["no RequestId"]) + _structure(action, list(root[0]), shape)


def _structure(path, elements, shape):
    members = {m.serialization.get("name", n): (n, m) for n, m in shape.members.items()}
    problems, seen = [], set()
    for e in elements:
        name = local(e.tag)
        where = f"{path}/{name}"
        if name in seen:
            problems.append(f"{where}: twice")
        seen.add(name)
        if name == "return" and e.text == "true" and not len(e):
            continue
        if name not in members:
            if not NEWER.match(where):
                problems.append(f"{where}: the model knows no such member")
            continue
        problems += _value(where, e, members[name][1])
    missing = [members_name for members_name, (n, _) in members.items() if n in shape.required_members and members_name not in seen]
    return problems + [f"{path}/{m}: required, and missing" for m in missing]


def _value(where, e, shape):
    kind = shape.type_name
    if kind == "structure":
        stray = [f"{where}: text in a structure"] if (e.text or "").strip() else []
        return stray + _structure(where, list(e), shape)
    if kind == "list":
        item = shape.member.serialization.get("name", "item")
        problems = []
        for n, child in enumerate(e):
            if local(child.tag) != item:
                problems.append(f"{where}: a {local(child.tag)} among its items")
            else:
                problems += _value(where, child, shape.member) if n < 2000 else []
        return problems
    if len(e):
        return [f"{where}: members in a plain value"]
    return _plain(where, e.text or "", shape)


def _plain(where, text, shape):
    kind = shape.type_name
    if kind in TEXT:
        return [] if TEXT[kind].fullmatch(text) else [f"{where}: {text!r} is no {kind}"]
    if kind == "blob":
        return [] if _is_base64(text) else [f"{where}: not base64"]
    if where.endswith("/nextToken") and not text:
        return [f"{where}: empty"]
    enum = getattr(shape, "enum", None)
    if enum and text not in enum and text not in NEWER_VALUES and (where, text) not in OWN_VALUES:
        return [f"{where}: {text!r} is not among {', '.join(enum[:8])}"]
    return []


def _is_base64(text):
    try:
        base64.b64decode(text, validate=True)
        return True
    except (binascii.Error, ValueError):
        return False


def _json(action, status, body):
    if status != 200:
        try:
            said = json.loads(body)
        except ValueError as e:
            return [f"no JSON: {e}"]
        ok = isinstance(said.get("__type"), str) and re.fullmatch(r"[A-Za-z]+", said["__type"]) and set(said) <= {"__type", "message", "Message"}
        return [] if ok else [f"an error of another form: {body[:200]!r}"]
    if action not in model("kms").operation_names:
        return ["no such action in the model"]
    shape = model("kms").operation_model(action).output_shape
    if shape is None:
        return [] if body in (b"", b"{}") else [f"the model knows no answer: {body[:80]!r}"]
    try:
        return _json_value(action, json.loads(body), shape)
    except ValueError as e:
        return [f"no JSON: {e}"]


def _json_value(where, v, shape):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(v, dict):
            return [f"{where}: no object"]
        problems = [f"{where}/{k}: the model knows no such member" for k in v if k not in shape.members and k != "CurrentKeyMaterialId"]
        problems += [f"{where}/{k}: required, and missing" for k in shape.required_members if k not in v]
        return problems + [p for k in v if k in shape.members for p in _json_value(f"{where}/{k}", v[k], shape.members[k])]
    if kind == "list":
        return [p for x in v for p in _json_value(where, x, shape.member)] if isinstance(v, list) else [f"{where}: no list"]
    if kind == "blob":
        return [] if isinstance(v, str) and _is_base64(v) else [f"{where}: not base64"]
    right = {"boolean": bool, "integer": int, "long": int, "timestamp": (int, float), "string": str}.get(kind, object)
    if not isinstance(v, right) or (isinstance(v, bool) and kind != "boolean"):
        return [f"{where}: {v!r} is no {kind}"]
    if kind == "string" and shape.enum and v not in shape.enum:
        return [f"{where}: {v!r} is not among {', '.join(shape.enum[:8])}"]
    size = v if kind in ("integer", "long") else len(v) if kind == "string" else None
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if size is not None and ((low is not None and size < low) or (high is not None and size > high)):
        return [f"{where}: {v!r} is out of range"]
    return []
