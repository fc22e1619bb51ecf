// SPDX-License-Identifier: Apache-2.0
// The same day with the JavaScript SDK, as npm gives it. stock_js.py starts the server and says where things are.
import assert from "node:assert/strict";
import https from "node:https";
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.NITER_NODE_MODULES + "/");
const ec2sdk = require("@aws-sdk/client-ec2");
const kmssdk = require("@aws-sdk/client-kms");
const stssdk = require("@aws-sdk/client-sts");
const { NITER_URL: url, NITER_TLS_URL: tlsUrl, NITER_CA: ca, NITER_ACCOUNT: account, NITER_ZONE: zone } = process.env;

const options = { endpoint: url, region: process.env.AWS_REGION, maxAttempts: 5 };
const ec2 = new ec2sdk.EC2Client(options);
const kms = new kmssdk.KMSClient(options);
const sts = new stssdk.STSClient(options);
const call = (name, input = {}) => ec2.send(new ec2sdk[name + "Command"](input));
const kmsCall = (name, input = {}) => kms.send(new kmssdk[name + "Command"](input));
const quick = { client: ec2, maxWaitTime: 30, minDelay: 1, maxDelay: 1 };
const made = {};

async function refused(code, status, promise) {
	await assert.rejects(promise, (e) => {
		assert.equal(e.name, code, e.message);
		if (status)
			assert.equal(e.$metadata.httpStatusCode, status);
		return true;
	});
}

async function everyInstance(input) {
	const found = [];
	for await (const page of ec2sdk.paginateDescribeInstances({ client: ec2, pageSize: input.InstanceIds ? undefined : 5 }, input))
		for (const r of page.Reservations ?? [])
			found.push(...r.Instances);
	return found;
}

const tests = {
	async sts__says_who_asks() {
		const me = await sts.send(new stssdk.GetCallerIdentityCommand({}));
		assert.equal(me.Account, account);
		assert.match(me.$metadata.requestId, /^[0-9a-f-]{36}$/);
	},
	async key_pair_and_group__are_made() {
		made.pair = await call("CreateKeyPair", { KeyName: "js", KeyType: "ed25519" });
		assert.match(made.pair.KeyMaterial, /^-----BEGIN OPENSSH PRIVATE KEY-----/);
		const group = await call("CreateSecurityGroup", { GroupName: "js", Description: "ssh & more" });
		made.group = group.GroupId;
		await ec2sdk.waitUntilSecurityGroupExists(quick, { GroupIds: [made.group] });
		await call("AuthorizeSecurityGroupIngress", { GroupId: made.group, IpPermissions: [
			{ IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: "0.0.0.0/0" }] }] });
		const seen = await call("DescribeSecurityGroups", { GroupIds: [made.group] });
		assert.equal(seen.SecurityGroups[0].Description, "ssh & more");
		assert.equal(seen.SecurityGroups[0].IpPermissions[0].FromPort, 22);
	},
	async run_instances__accepts_two_and_only_once() {
		const image = (await call("DescribeImages", { Owners: ["self"] })).Images[0];
		const input = { ImageId: image.ImageId, InstanceType: "t3.micro", MinCount: 2, MaxCount: 2, KeyName: "js", ClientToken: "js-1",
			SecurityGroupIds: [made.group], UserData: Buffer.from([0, 255, 10, 43, 47, 61]).toString("base64"),
			BlockDeviceMappings: [{ DeviceName: "/dev/sdf", Ebs: { VolumeSize: 1 } }],
			TagSpecifications: [{ ResourceType: "instance", Tags: [{ Key: "Name", Value: "js !'()*~ ü" }] }] };
		await refused("DryRunOperation", 412, call("RunInstances", { ...input, DryRun: true }));
		const first = await call("RunInstances", input);
		made.ids = first.Instances.map((i) => i.InstanceId).sort();
		assert.deepEqual(first.Instances.map((i) => i.State.Name), ["pending", "pending"]);
		const again = await call("RunInstances", input);
		assert.deepEqual(again.Instances.map((i) => i.InstanceId).sort(), made.ids);
		await refused("IdempotentParameterMismatch", 400, call("RunInstances", { ...input, MaxCount: 3 }));
	},
	async waiters__end_by_themselves() {
		await ec2sdk.waitUntilInstanceExists(quick, { InstanceIds: made.ids });
		await ec2sdk.waitUntilInstanceRunning(quick, { InstanceIds: made.ids });
		await ec2sdk.waitUntilInstanceStatusOk(quick, { InstanceIds: made.ids });
	},
	async describe__filters_and_pages() {
		await call("RunInstances", { ImageId: (await call("DescribeImages")).Images[0].ImageId, InstanceType: "t3.nano", MinCount: 9, MaxCount: 9 });
		assert.equal((await everyInstance({})).length, 11);
		const named = await everyInstance({ Filters: [{ Name: "tag:Name", Values: ["js !'()\\*~ ?"] }] });
		assert.deepEqual(named.map((i) => i.InstanceId).sort(), made.ids);
		assert.equal(named[0].Placement.AvailabilityZone, zone);
		assert.ok(named[0].LaunchTime instanceof Date);
		assert.deepEqual(await everyInstance({ Filters: [{ Name: "tag:Name", Values: ["nobody"] }] }), []);
		const data = await call("DescribeInstanceAttribute", { InstanceId: made.ids[0], Attribute: "userData" });
		assert.deepEqual([...Buffer.from(data.UserData.Value, "base64")], [0, 255, 10, 43, 47, 61]);
	},
	async console__is_read() {
		const said = await call("GetConsoleOutput", { InstanceId: made.ids[0] });
		assert.equal(said.InstanceId, made.ids[0]);
		assert.ok(said.Timestamp instanceof Date);
	},
	async stop_start_reboot__are_waited_for() {
		const stop = await call("StopInstances", { InstanceIds: made.ids });
		assert.deepEqual(stop.StoppingInstances.map((c) => c.CurrentState.Name), ["stopping", "stopping"]);
		await ec2sdk.waitUntilInstanceStopped(quick, { InstanceIds: made.ids });
		const start = await call("StartInstances", { InstanceIds: made.ids });
		assert.deepEqual(start.StartingInstances.map((c) => c.CurrentState.Name), ["pending", "pending"]);
		await ec2sdk.waitUntilInstanceRunning(quick, { InstanceIds: made.ids });
		await call("RebootInstances", { InstanceIds: made.ids });
	},
	async tags__are_kept() {
		await call("CreateTags", { Resources: made.ids, Tags: [{ Key: "日本", Value: "語" }] });
		const seen = await call("DescribeTags", { Filters: [{ Name: "value", Values: ["語"] }] });
		assert.deepEqual(seen.Tags.map((t) => t.ResourceId).sort(), made.ids);
	},
	async errors__have_code_and_status() {
		await refused("InvalidInstanceID.NotFound", 400, call("DescribeInstances", { InstanceIds: ["i-0123456789abcdef0"] }));
		await refused("NotFoundException", 400, kmsCall("DescribeKey", { KeyId: "00000000-0000-4000-8000-000000000000" }));
		const nobody = new ec2sdk.EC2Client({ ...options, credentials: { accessKeyId: "AKIANOBODYKNOWSME000", secretAccessKey: "x" } });
		await refused("AuthFailure", 401, nobody.send(new ec2sdk.DescribeRegionsCommand({})));
	},
	async terminate__ends_everything() {
		const ids = (await everyInstance({})).map((i) => i.InstanceId);
		await call("TerminateInstances", { InstanceIds: ids });
		await ec2sdk.waitUntilInstanceTerminated(quick, { InstanceIds: ids });
		await call("DeleteSecurityGroup", { GroupId: made.group });
		await call("DeleteKeyPair", { KeyName: "js" });
		assert.deepEqual((await call("DescribeVolumes")).Volumes.filter((v) => v.State === "in-use"), []);
	},
	async kms__round_trips() {
		const key = (await kmsCall("CreateKey", { Description: "js" })).KeyMetadata;
		const plain = Buffer.from("grüße\0".repeat(100));
		const context = { a: "b" };
		const sealed = await kmsCall("Encrypt", { KeyId: key.Arn, Plaintext: plain, EncryptionContext: context });
		const back = await kmsCall("Decrypt", { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: context });
		assert.deepEqual(Buffer.from(back.Plaintext), plain);
		await refused("InvalidCiphertextException", 400, kmsCall("Decrypt", { CiphertextBlob: sealed.CiphertextBlob }));
		const data = await kmsCall("GenerateDataKey", { KeyId: key.KeyId, KeySpec: "AES_256" });
		assert.equal(data.Plaintext.length, 32);
	},
	async https__works_with_the_certificate() {
		const requestHandler = { httpsAgent: new https.Agent({ ca: fs.readFileSync(ca) }) };
		const secure = new ec2sdk.EC2Client({ ...options, endpoint: tlsUrl, requestHandler });
		assert.equal((await secure.send(new ec2sdk.DescribeRegionsCommand({}))).Regions.length, 1);
		const blind = new ec2sdk.EC2Client({ ...options, endpoint: tlsUrl });
		await assert.rejects(blind.send(new ec2sdk.DescribeRegionsCommand({})), /certificate/);
	},
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
	try {
		await test();
		console.log(`ok ${name}`);
	} catch (e) {
		failed++;
		const at = (e.stack ?? "").split("\n").filter((l) => l.includes("stock_js.mjs")).map((l) => l.replace(/.*stock_js/, "stock_js"));
		console.log(`not ok ${name}: ${String(e.message).replaceAll("\n", " | ").slice(0, 1500)} (${at.slice(0, 3).join(" <- ")})`);
	}
}
process.exit(failed ? 1 : 0);
