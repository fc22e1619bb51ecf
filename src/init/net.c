/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "init.h"

/*
 * The host's own network devices. There is no DHCP client: addresses come with the kernel's command line. Nothing of
 * the host image listens there but the wire's one UDP socket.
 */

enum { DEVICE_TRIES = 100, DEVICE_MS = 20 };

static int ask(int fd, unsigned long what, struct ifreq *r)
{
	return ioctl(fd, what, r) < 0 ? -errno : 0;
}

static void address_put(struct sockaddr *sa, const void *addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	memcpy(&in.sin_addr, addr, 4);
	memcpy(sa, &in, sizeof(in));
}

static int up(int fd, const char *name)
{
	struct ifreq r = { .ifr_flags = 0 };
	int i, err;

	(void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	for (i = 0; (err = ask(fd, SIOCGIFFLAGS, &r)) == -ENODEV && i < DEVICE_TRIES; i++) {
		struct timespec ts = { .tv_nsec = DEVICE_MS * 1000000L };

		(void)nanosleep(&ts, NULL);
	}
	if (err < 0)
		return err;
	r.ifr_flags |= IFF_UP;
	return ask(fd, SIOCSIFFLAGS, &r);
}

static int address_set(int fd, const struct link_conf *l)
{
	uint32_t mask = htonl(UINT32_MAX << (32 - l->prefix));
	struct ifreq r = { .ifr_flags = 0 };
	int err;

	memcpy(r.ifr_name, l->name, sizeof(l->name));
	address_put(&r.ifr_addr, l->addr);
	err = ask(fd, SIOCSIFADDR, &r);
	if (err < 0)
		return err;
	address_put(&r.ifr_netmask, &mask);
	return ask(fd, SIOCSIFNETMASK, &r);
}

static int route_default(int fd, const struct link_conf *l)
{
	static const uint8_t any[4];
	char name[LINK_NAME_MAX];
	struct rtentry rt;

	memset(&rt, 0, sizeof(rt));
	memcpy(name, l->name, sizeof(name));
	address_put(&rt.rt_dst, any);
	address_put(&rt.rt_genmask, any);
	address_put(&rt.rt_gateway, l->gateway);
	rt.rt_flags = RTF_UP | RTF_GATEWAY;
	rt.rt_dev = name;
	return ioctl(fd, SIOCADDRT, &rt) < 0 ? -errno : 0;
}

static void link_up(int fd, const struct link_conf *l)
{
	int r;

	if (!l->name[0])
		return;
	r = up(fd, l->name);
	if (r == 0)
		r = address_set(fd, l);
	if (r == 0 && l->gateway[0])
		r = route_default(fd, l);
	if (r < 0)
		log_err("init.network", "device=%s text=\"%s\"", l->name, strerrordesc_np(-r));
}

void net_up(const struct cmdline *c)
{
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || up(fd, "lo") < 0)
		log_err("init.network", "device=lo text=\"%s\"", strerrordesc_np(errno));
	if (fd < 0)
		return;
	link_up(fd, &c->uplink);
	link_up(fd, &c->link);
}
