#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stock Debian boots from an encrypted volume; its data survives reboot, stop and start, and a server restart."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import ebs
import lab

server = lab.Lab("boot", cpus=1)
server.start()
before = sorted(p["name"] for p in server.processes())
instance = server.run("--type", "t3.micro", "--cpus", "1x1", "--name", "first")
seen = server.probe(instance, 1)

lab.check("guest__boots_debian_to_multi_user", seen["boot 1"] == "")
lab.check("guest__sees_one_vcpu", seen["cpus"].splitlines()[0] == "1", seen["cpus"])
lab.check("guest__uses_kvm_clock", "kvm-clock" in seen["clock"], seen["clock"])
lab.check("guest__kernel_logs_no_warning", lab.unknown_warnings(seen["warnings"]) == "", lab.unknown_warnings(seen["warnings"]))
lab.check("guest__nvme_driver_logs_no_complaint",
          not re.search(r"(?i)error|fail|invalid|missing|unable|timeout|reset", seen["nvme-log"]), seen["nvme-log"])

dmi = dict(line.split("=", 1) for line in seen["dmi"].splitlines() if "=" in line)
lab.check("smbios__uuid_begins_with_ec2", dmi["product_uuid"].lower().startswith("ec2"), dmi)
lab.check("smbios__serial_is_the_uuid", dmi["product_serial"].lower() == dmi["product_uuid"].lower(), dmi)
lab.check("smbios__names_amazon_ec2", dmi["sys_vendor"] == "Amazon EC2" and dmi["bios_vendor"] == "Amazon EC2", dmi)
lab.check("smbios__product_is_the_instance_type", dmi["product_name"] == "t3.micro", dmi)
lab.check("smbios__asset_tag_is_the_instance_id", dmi["board_asset_tag"] == instance, dmi)
lab.check("systemd__detects_amazon", seen["dmi"].splitlines()[-1] == "amazon", seen["dmi"])

volume = server.niter("volume", "ls")["volumes"][0]
ebs.check_identify(seen, volume["id"], volume["bytes"])
ebs.check_logs_and_features(seen)

net = server.probe(instance, 1, last="net-done")
interface = server.niter("network", "ls")["interfaces"][0]
lab.check("network__driver_is_ena", interface["mac"] in net["net-driver"], net["net-driver"])
lab.check("network__address_is_from_dhcp", f"inet {interface['private_ip']}/20" in net["net-address"], net["net-address"])
lab.check("network__metadata_service_answers", net["net-metadata"].strip() == interface["private_ip"], net["net-metadata"])

lab.check("data__made_on_first_boot", "data: made" in seen["data"], seen["data"])
server.niter("reboot", instance)
lab.check("data__survives_reboot", "data: OK" in server.probe(instance, 2)["data"])
server.niter("stop", instance)
lab.check("instance__stops", server.wait_state(instance, "stopped"))
server.niter("start", instance)
lab.check("data__survives_stop_and_start", "data: OK" in server.probe(instance, 3)["data"])

server.niter("stop", instance)
server.wait_state(instance, "stopped")
marker = lab.MARKER.encode()
server.stop()
lab.check("marker__is_nowhere_on_the_servers_disk", not lab.found_in_file(server.state_path(), marker))
# The search itself must be able to find: the image's plain kernel is on that disk.
lab.check("marker__search_finds_what_is_there", lab.found_in_file(server.state_path(), b"Linux version 6."))
server.start()
server.niter("start", instance)
lab.check("data__survives_a_restart_of_the_server", "data: OK" in server.probe(instance, 4)["data"])

server.niter("rm", instance)
after = sorted(p["name"] for p in server.processes() if p["name"] != "niter-gateway")  # one a network; it stays
lab.check("teardown__leaves_no_process", after == before,
          [p["name"] for p in server.processes()])
lab.check("teardown__leaves_no_volume", server.niter("volume", "ls")["volumes"] == [])
server.stop()
lab.finish()
