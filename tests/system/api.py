#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""boto3 and aws as Debian has them against a host with real instances: launch two, wait, log in, stop, start, reboot, terminate."""
# niter-test: deferred
# niter-test: timeout=2400
import base64
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import jail
import lab

try:
    import boto3
    import botocore.config
except ImportError:
    lab.skip("api", "python3-boto3 is not installed: ./run test installs it")
    sys.exit(0)

AWS = os.environ.get("NITER_AWS", "/usr/bin/aws")
USER_DATA = """#cloud-config
ssh_genkeytypes: [ed25519]
write_files:
- path: /etc/niter-user-data
  content: brought by user data
"""
PATIENCE = {"Delay": 5, "MaxAttempts": 200}

server = lab.Lab("api", memory=3072, cpus=1, image="network")
server.start()
before = sorted(p["name"] for p in server.processes())
url = server.niter("host", "status")["api"]
# The host's own account: niter ssh and niter forward know its instances, and no other's.
account = server.niter("account", "key", "create", "123456789012")
ca = os.path.join(server.home, "api-ca.pem")
with open(ca, "w", encoding="ascii") as f:
    f.write(server.niter("host", "certificate", "--api")["certificate"])
environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
environment.update(AWS_ACCESS_KEY_ID=account["access_key_id"], AWS_SECRET_ACCESS_KEY=account["secret_access_key"], AWS_DEFAULT_REGION=account["region"],
                   AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="", AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
os.environ.update({k: v for k, v in environment.items() if k.startswith("AWS_")})


def client(service, to=url):
    return boto3.session.Session().client(service, endpoint_url=to, verify=ca if to.startswith("https") else None,
                                          config=botocore.config.Config(retries={"total_max_attempts": 2}, read_timeout=120))


def aws(*args):
    done = subprocess.run([AWS, "--endpoint-url", url, "--output", "json", *args], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"aws {' '.join(args)}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else None


ec2, kms = client("ec2"), client("kms")
lab.check("sts__knows_the_account", client("sts").get_caller_identity()["Account"] == "123456789012")
lab.check("https__has_the_certificate_of_the_operator",
          client("sts", url.replace("http:", "https:")).get_caller_identity()["Account"] == "123456789012")

image = ec2.describe_images()["Images"][0]["ImageId"]
ec2.import_key_pair(KeyName="lab", PublicKeyMaterial=open(server.key() + ".pub", "rb").read())
group = ec2.create_security_group(GroupName="ssh", Description="ssh")["GroupId"]
ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
    {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": group}]}])
master = kms.create_key(Description="of the data volumes")["KeyMetadata"]["KeyId"]
answer = ec2.run_instances(
    ImageId=image, InstanceType="t3.micro", MinCount=2, MaxCount=2, KeyName="lab", SecurityGroupIds=[group], UserData=USER_DATA,
    CpuOptions={"CoreCount": 1, "ThreadsPerCore": 1},
    BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "VolumeType": "gp3", "KmsKeyId": master, "Encrypted": True}}],
    TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}])
ids = [i["InstanceId"] for i in answer["Instances"]]
lab.check("run_instances__says_pending", {i["State"]["Name"] for i in answer["Instances"]} == {"pending"}, answer)
ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig=PATIENCE)
lab.ok("waiter__saw_both_running")
jail.check(server.processes(), ids)
ec2.get_waiter("instance_status_ok").wait(InstanceIds=ids, WaiterConfig=PATIENCE)
lab.ok("waiter__saw_both_checked")

seen = [i for r in ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["w*"]}])["Reservations"] for i in r["Instances"]]
lab.check("describe__shows_both", sorted(i["InstanceId"] for i in seen) == sorted(ids), seen)
address = {i["InstanceId"]: i["PrivateIpAddress"] for i in seen}
left, right = ids
for i in ids:
    said = server.ssh(i, "cat /etc/niter-user-data; lsblk -bdno NAME,SIZE | sort", timeout=600)
    lab.check(f"{'left' if i == left else 'right'}__ssh_key_user_data_and_second_disk_are_there",
              "brought by user data" in said and str(1 << 30) in said, said)
said = server.ssh(left, f"ping -c 3 -W 5 {address[right]}")
lab.check("group__lets_ping_through_between_its_members", " 0% packet loss" in said, said)
ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[
    {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "UserIdGroupPairs": [{"GroupId": group}]}])
said = server.ssh(left, f"ping -c 3 -W 2 {address[right]}; true")
lab.check("group__holds_ping_back_once_the_rule_is_gone", "100% packet loss" in said, said)

console = aws("ec2", "get-console-output", "--instance-id", left)["Output"]
lab.check("console__has_what_the_kernel_said", "Linux version" in console or "login:" in console, console[-300:])

marker = server.ssh(left, "echo kept | sudo tee /root/marker >/dev/null; sudo sync; cat /proc/sys/kernel/random/boot_id").strip()
ec2.reboot_instances(InstanceIds=[left])
lab.check("reboot__boots_anew", any(server.ssh(left, "cat /proc/sys/kernel/random/boot_id", timeout=600, check=False).strip() not in ("", marker)
                                    for _ in range(60)))
change = aws("ec2", "stop-instances", "--instance-ids", *ids)["StoppingInstances"]
lab.check("stop__says_stopping", {c["CurrentState"]["Name"] for c in change} == {"stopping"}, change)
ec2.get_waiter("instance_stopped").wait(InstanceIds=ids, WaiterConfig=PATIENCE)
lab.check("stop__leaves_no_process", sorted(p["name"] for p in server.processes() if p["name"] != "niter-gateway") == before)
ec2.start_instances(InstanceIds=[left])
ec2.get_waiter("instance_running").wait(InstanceIds=[left], WaiterConfig=PATIENCE)
said = server.ssh(left, "sudo cat /root/marker; hostname -I", timeout=600)
lab.check("start__brings_disk_and_address_back", "kept" in said and address[left] in said, said)

ec2.terminate_instances(InstanceIds=ids)
ec2.get_waiter("instance_terminated").wait(InstanceIds=ids, WaiterConfig=PATIENCE)
left_over = ec2.describe_volumes()["Volumes"]
lab.check("terminate__takes_the_volumes_that_should_go",
          all(v["State"] == "available" and v["Size"] == 1 for v in left_over), left_over)
lab.check("terminate__leaves_no_process", sorted(p["name"] for p in server.processes() if p["name"] != "niter-gateway") == before)
plain = os.urandom(64)
blob = kms.encrypt(KeyId=master, Plaintext=plain)["CiphertextBlob"]
lab.check("kms__answers_from_the_security_process", kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plain)
log = server.log()
lab.check("log__holds_no_secret", account["secret_access_key"] not in log and base64.b64encode(plain).decode() not in log)
server.stop()
lab.finish()
