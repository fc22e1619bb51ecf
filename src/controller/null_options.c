/* SPDX-License-Identifier: Apache-2.0 */

/* The command line of niterd without a host. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/ids.h"
#include "controller/net_text.h"
#include "controller/null.h"

enum {
	OPT_LAUNCHER = 256,
	OPT_LISTEN,
	OPT_STATE,
	OPT_REGION,
	OPT_ZONE,
	OPT_ZONE_ID,
	OPT_ACCOUNT,
	OPT_IMAGE,
	OPT_VPC,
	OPT_CORES,
	OPT_RAM,
	OPT_KEY_ID,
	OPT_SECRET,
	OPT_OWNER,
	OPT_HELP,
};

static const struct option options[] = {
	{ "launcher", required_argument, NULL, OPT_LAUNCHER },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "region", required_argument, NULL, OPT_REGION },
	{ "zone", required_argument, NULL, OPT_ZONE },
	{ "zone-id", required_argument, NULL, OPT_ZONE_ID },
	{ "account", required_argument, NULL, OPT_ACCOUNT },
	{ "image", required_argument, NULL, OPT_IMAGE },
	{ "vpc", required_argument, NULL, OPT_VPC },
	{ "cores", required_argument, NULL, OPT_CORES },
	{ "memory", required_argument, NULL, OPT_RAM },
	{ "access-key-id", required_argument, NULL, OPT_KEY_ID },
	{ "secret-access-key", required_argument, NULL, OPT_SECRET },
	{ "other-account", required_argument, NULL, OPT_OWNER },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

void null_usage(int fd)
{
	dprintf(fd,
		"usage: niterd --launcher=null [OPTION ...]\n"
		"\n"
		"The EC2 API without a host: every call is answered, nothing real runs, keys are "
		"not "
		"protected.\n"
		"\n"
		"  --listen ADDRESS:PORT      default 127.0.0.1:8773; port 0 is any free one\n"
		"  --state DIR|:memory:       where the database is; default :memory:\n"
		"  --account NUMBER           12 digits; default 123456789012\n"
		"  --region R                 default us-east-1\n"
		"  --zone Z                   default: the region and \"a\"\n"
		"  --zone-id ID               default use1-az1\n"
		"  --image NAME[=MIB]         an image of that name and size; may be repeated; "
		"default null=1024\n"
		"  --vpc CIDR                 default network of an account, one subnet as large; "
		"default 172.31.0.0/16\n"
		"  --cores N, --memory MIB    what instances may hold together; default: no end\n"
		"  --access-key-id ID, --secret-access-key SECRET\n"
		"                             of the account; default: made and printed\n"
		"  --other-account NUMBER:ID:SECRET\n"
		"                             one more account and its access key; may be "
		"repeated\n");
}

static int number_parse(const char *s, unsigned long max, unsigned long *ret)
{
	char *end = NULL;

	if (s[0] < '0' || s[0] > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoul(s, &end, 10);
	return errno != 0 || *end != '\0' || *ret > max ? -EINVAL : 0;
}

/* "127.0.0.1:8773" */
static int listen_parse(const char *s, struct null_options *o)
{
	const char *colon = strrchr(s, ':');
	char host[NET_IPV4_TEXT];
	unsigned long port = 0;

	if (!colon || (size_t)(colon - s) >= sizeof(host) ||
	    number_parse(colon + 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	memcpy(host, s, (size_t)(colon - s));
	host[colon - s] = '\0';
	o->port = (unsigned)port;
	return net_ipv4_parse(host, &o->addr);
}

/* "10.0.0.0/16": as EC2 has them, /16 to /28 */
static int vpc_parse(const char *s, struct place *p)
{
	const char *slash = strchr(s, '/');
	char addr[NET_IPV4_TEXT];
	unsigned long prefix = 0;

	if (!slash || (size_t)(slash - s) >= sizeof(addr) ||
	    number_parse(slash + 1, 28, &prefix) < 0 || prefix < 16)
		return -EINVAL;
	memcpy(addr, s, (size_t)(slash - s));
	addr[slash - s] = '\0';
	p->vpc_prefix = p->subnet_prefix = (unsigned)prefix;
	if (net_ipv4_parse(addr, &p->vpc_addr) < 0)
		return -EINVAL;
	return p->vpc_addr & ~net_mask(p->vpc_prefix) ? -EINVAL : 0;
}

/* "debian" or "debian=8192" */
static int image_parse(const char *s, struct null_options *o)
{
	struct null_image *i = &o->image[o->image_cnt];
	size_t len = strcspn(s, "=");
	unsigned long mib = NULL_DISK_MIB;

	if (o->image_cnt == NULL_IMAGES_MAX || len >= sizeof(i->name))
		return -EINVAL;
	memcpy(i->name, s, len);
	i->name[len] = '\0';
	if (s[len] == '=' && (number_parse(s + len + 1, 16 << 20, &mib) < 0 || mib == 0))
		return -EINVAL;
	i->disk_mib = mib;
	o->image_cnt++;
	return name_valid(i->name) ? 0 : -EINVAL;
}

static int text_parse(const char *s, char *ret, size_t cap)
{
	size_t len = strlen(s);

	if (len == 0 || len >= cap || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
		return -EINVAL;
	memcpy(ret, s, len + 1);
	return 0;
}

static int account_parse(const char *s, struct null_options *o)
{
	if (strlen(s) != 12 || strspn(s, "0123456789") != 12)
		return -EINVAL;
	memcpy(o->account, s, 13);
	return 0;
}

static bool key_id_good(const char *s, size_t len)
{
	return len >= 16 && len < CTL_ID_MAX &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") >= len;
}

/* NUMBER:ID:SECRET */
static int owner_parse(const char *s, struct null_options *o)
{
	struct null_owner w = { .secret = NULL };
	const char *id = strchr(s, ':'), *secret = id ? strchr(id + 1, ':') : NULL;

	if (!secret || id - s != 12 || strspn(s, "0123456789") != 12 ||
	    !key_id_good(id + 1, (size_t)(secret - id - 1)) ||
	    strlen(secret + 1) != CTL_API_SECRET_BYTES || o->owner_cnt == NULL_OWNERS_MAX)
		return -EINVAL;
	memcpy(w.account, s, 12);
	memcpy(w.access_key_id, id + 1, (size_t)(secret - id - 1));
	w.secret = secret + 1;
	o->owner[o->owner_cnt++] = w;
	return 0;
}

static int option_take(int opt, const char *arg, struct null_options *o)
{
	unsigned long v = 0;
	int r = 0;

	switch (opt) {
	case OPT_LISTEN:
		return listen_parse(arg, o);
	case OPT_STATE:
		o->state = strcmp(arg, ":memory:") == 0 ? NULL : arg;
		return arg[0] ? 0 : -EINVAL;
	case OPT_REGION:
		return text_parse(arg, o->place.region, sizeof(o->place.region) - 1);
	case OPT_ZONE:
		return text_parse(arg, o->place.zone, sizeof(o->place.zone));
	case OPT_ZONE_ID:
		return text_parse(arg, o->place.zone_id, sizeof(o->place.zone_id));
	case OPT_ACCOUNT:
		return account_parse(arg, o);
	case OPT_IMAGE:
		return image_parse(arg, o);
	case OPT_VPC:
		return vpc_parse(arg, &o->place);
	case OPT_CORES:
		r = number_parse(arg, 1 << 20, &v);
		o->cores = (unsigned)v;
		return r;
	case OPT_RAM:
		r = number_parse(arg, 1UL << 40, &v);
		o->ram_mib = v;
		return r;
	case OPT_KEY_ID:
		o->access_key_id = arg;
		return key_id_good(arg, strlen(arg)) ? 0 : -EINVAL;
	case OPT_SECRET:
		o->secret = arg;
		return strlen(arg) == CTL_API_SECRET_BYTES ? 0 : -EINVAL;
	case OPT_OWNER:
		return owner_parse(arg, o);
	case OPT_HELP:
		o->help = true;
		return 0;
	default:
		return -EINVAL;
	}
}

/* What was not said. */
static void defaults_take(struct null_options *o)
{
	static const struct place place = PLACE_DEFAULT;

	if (!o->place.region[0])
		memcpy(o->place.region, place.region, sizeof(place.region));
	if (!o->place.zone[0])
		snprintf(o->place.zone, sizeof(o->place.zone), "%.30sa", o->place.region);
	if (!o->place.zone_id[0])
		memcpy(o->place.zone_id, place.zone_id, sizeof(place.zone_id));
	if (strcmp(o->place.region, place.region) == 0)
		memcpy(o->place.domain, place.domain, sizeof(place.domain));
	else
		snprintf(o->place.domain, sizeof(o->place.domain), "%s.compute.internal",
			 o->place.region);
	if (o->image_cnt == 0)
		o->image[o->image_cnt++] =
			(struct null_image){ .name = "null", .disk_mib = NULL_DISK_MIB };
}

int null_options_parse(int argc, char **argv, struct null_options *ret)
{
	struct null_options o = { .addr = 0x7f000001,
				  .port = NULL_PORT,
				  .account = MODEL_ACCOUNT_DEFAULT };
	bool asked = false;
	int opt;

	if (argc < 2)
		return 0;
	optind = 1;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == OPT_LAUNCHER && strcmp(optarg, "null") == 0) {
			asked = true;
			continue;
		}
		if (opt == '?' || opt == OPT_LAUNCHER || option_take(opt, optarg, &o) < 0) {
			if (opt != '?')
				dprintf(STDERR_FILENO, "niterd: \"%s\" does not fit; see --help\n",
					optarg);
			return -EINVAL;
		}
	}
	if (optind != argc || (!asked && !o.help) || !o.access_key_id != !o.secret) {
		dprintf(STDERR_FILENO, "niterd: see --help\n");
		return -EINVAL;
	}
	defaults_take(&o);
	*ret = o;
	return 1;
}
