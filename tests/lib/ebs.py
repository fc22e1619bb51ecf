# SPDX-License-Identifier: Apache-2.0
"""What nvme-cli must show of an EBS volume, field by field."""
import json
import re

import lab


def _json(text):
    return json.loads(text[text.index("{"):text.rindex("}") + 1])


def check_identify(seen, volume_id, size):
    ctrl = _json(seen["id-ctrl"])
    want = {
        "vid": 0x1d0f, "ssvid": 0x1d0f, "sn": volume_id.replace("-", ""), "mn": "Amazon Elastic Block Store",
        "cmic": 0, "ver": 0x10400, "oaes": 0x100, "cntrltype": 1, "oacs": 0x100, "frmw": 3, "npss": 0,
        "sqes": 0x66, "cqes": 0x44, "nn": 1, "vwc": 1, "sgls": 0,
    }
    for field, value in want.items():
        got = ctrl.get(field)
        got = got.strip() if isinstance(got, str) else got
        lab.check(f"id_ctrl__{field}", got == value, f"{got!r} instead of {value!r}")
    lab.check("id_ctrl__serial_has_twenty_characters", len(ctrl["sn"].strip()) == 20, ctrl["sn"])
    lab.check("id_ctrl__mdts_is_a_sound_choice", 1 <= ctrl["mdts"] <= 9, ctrl["mdts"])
    lab.check("id_ctrl__oncs_has_discard_and_write_zeroes_only", ctrl["oncs"] & 0x6f == 0x0c, ctrl["oncs"])
    lab.check("id_ctrl__subnqn_is_unique_to_the_volume", volume_id.replace("-", "") in ctrl["subnqn"], ctrl["subnqn"])
    lab.check("id_ctrl__vendor_area_names_the_device", seen["id-ctrl-vendor"].rstrip() in ("xvda", "/dev/xvda"), seen["id-ctrl-vendor"])

    ns = _json(seen["id-ns"])
    for field, value in {"nsze": size // 512, "ncap": size // 512, "nlbaf": 0, "flbas": 0, "mc": 0, "dpc": 0,
                         "dps": 0, "nmic": 0, "dlfeat": 9}.items():
        lab.check(f"id_ns__{field}", ns.get(field) == value, f"{ns.get(field)!r} instead of {value!r}")
    lab.check("id_ns__blocks_of_512_bytes", ns["lbafs"][0]["ds"] == 9 and ns["lbafs"][0]["ms"] == 0, ns["lbafs"])


def check_logs_and_features(seen):
    smart = _json(seen["smart-log"])
    lab.check("smart_log__no_critical_warning", smart["critical_warning"] == 0, smart)
    lab.check("smart_log__no_media_errors", int(smart["media_errors"]) == 0, smart)
    lab.check("smart_log__counts_reads", int(smart["data_units_read"]) > 0, smart)
    errors = _json(seen["error-log"])["errors"]
    lab.check("error_log__is_empty", all(int(e["error_count"]) == 0 for e in errors), errors)
    lab.check("feature_01__arbitration", "Current value" in seen["get-feature 1"], seen["get-feature 1"])
    lab.check("feature_02__power_state_0", re.search(r"Current value: ?(0x)?0+$", seen["get-feature 2"].strip()),
              seen["get-feature 2"])
    lab.check("feature_04__temperature_threshold", "Current value" in seen["get-feature 4"], seen["get-feature 4"])
    lab.check("feature_06__write_cache_on", re.search(r"Current value: ?(0x)?0*1$", seen["get-feature 6"].strip()), seen["get-feature 6"])
    lab.check("feature_07__number_of_queues", "Current value" in seen["get-feature 7"], seen["get-feature 7"])
    lab.check("feature_0b__namespace_attribute_notices", re.search(r"Current value: ?(0x)?0*100$", seen["get-feature 0xb"].strip()), seen["get-feature 0xb"])
    words = seen["ebs-statistics"].split()
    lab.check("log_d0__has_the_magic_number_of_ebs", len(words) > 1 and words[1].endswith("3c23b510"), words[:3])
    block = dict(line.split("=", 1) for line in seen["block"].splitlines())
    lab.check("block__512_logical_4096_physical",
              (block["logical_block_size"], block["physical_block_size"]) == ("512", "4096"), block)
    lab.check("block__write_back_cache", block["write_cache"] == "write back", block)
    lab.check("block__discards", int(block["discard_granularity"]) > 0, block)
