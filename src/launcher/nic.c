/* SPDX-License-Identifier: Apache-2.0 */
#include "nic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

enum { ROUTES_TEXT_MAX = 16 * 1024, LISTEN_BACKLOG = 64 };

static struct ifreq request(const char *name)
{
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	(void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return r;
}

/* #syscalls:launcher socket ioctl */
static int ask(unsigned long what, void *arg)
{
	CLEANUP(fd_closep) int fd = -1;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	return ioctl(fd, what, arg) < 0 ? -errno : 0;
}

/* #syscalls:launcher openat ioctl */
int nic_tap(const char *name)
{
	struct ifreq r = request(name);
	CLEANUP(fd_closep) int fd = -1;

	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r.ifr_flags = IFF_TAP | IFF_NO_PI | (short)IFF_TUN_EXCL;
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int nic_mac_set(const char *name, const uint8_t mac[6])
{
	struct ifreq r = request(name);

	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(r.ifr_hwaddr.sa_data, mac, 6);
	return ask(SIOCSIFHWADDR, &r);
}

int nic_mtu_set(const char *name, int mtu)
{
	struct ifreq r = request(name);

	r.ifr_mtu = mtu;
	return ask(SIOCSIFMTU, &r);
}

int nic_mtu(const char *name)
{
	struct ifreq r = request(name);
	int err = ask(SIOCGIFMTU, &r);

	return err < 0 ? err : r.ifr_mtu;
}

static void address_put(struct sockaddr *sa, const void *addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	memcpy(&in.sin_addr, addr, 4);
	memcpy(sa, &in, sizeof(in));
}

static void address_get(const struct sockaddr *sa, uint8_t ret[4])
{
	struct sockaddr_in in;

	memcpy(&in, sa, sizeof(in));
	memcpy(ret, &in.sin_addr, 4);
}

int nic_address_add(const char *label, const uint8_t addr[4], unsigned prefix)
{
	uint32_t mask = htonl(prefix ? UINT32_MAX << (32 - prefix) : 0);
	struct ifreq r = request(label);
	int err;

	address_put(&r.ifr_addr, addr);
	err = ask(SIOCSIFADDR, &r);
	if (err < 0)
		return err;
	address_put(&r.ifr_netmask, &mask);
	return ask(SIOCSIFNETMASK, &r);
}

int nic_address(const char *name, uint8_t ret_addr[4], uint8_t ret_mask[4])
{
	struct ifreq r = request(name);
	int err = ask(SIOCGIFADDR, &r);

	if (err < 0)
		return err;
	address_get(&r.ifr_addr, ret_addr);
	err = ask(SIOCGIFNETMASK, &r);
	if (err < 0)
		return err;
	address_get(&r.ifr_netmask, ret_mask);
	return 0;
}

int nic_up(const char *name)
{
	struct ifreq r = request(name);
	int err = ask(SIOCGIFFLAGS, &r);

	if (err < 0)
		return err;
	r.ifr_flags |= IFF_UP;
	return ask(SIOCSIFFLAGS, &r);
}

int nic_route_default(const char *name)
{
	static const uint8_t any[4];
	char dev[NIC_NAME_MAX];
	struct rtentry rt;

	memset(&rt, 0, sizeof(rt));
	(void)snprintf(dev, sizeof(dev), "%s", name);
	address_put(&rt.rt_dst, any);
	address_put(&rt.rt_genmask, any);
	rt.rt_flags = RTF_UP;
	rt.rt_dev = dev;
	return ask(SIOCADDRT, &rt);
}

/* Lines of "Iface Destination Gateway Flags …", numbers in hexadecimal; the first line holds titles. */
int nic_default_parse(const char *text, char ret[NIC_NAME_MAX])
{
	const char *p;

	for (p = strchr(text, '\n'); p; p = strchr(p, '\n')) {
		unsigned dst, gateway, flags, mask;
		char name[NIC_NAME_MAX];

		p++;
		if (sscanf(p, "%15s %x %x %x %*d %*d %*d %x", name, &dst, &gateway, &flags,
			   &mask) == 5 &&
		    !dst && !mask && (flags & RTF_UP) && !(flags & RTF_REJECT)) {
			(void)snprintf(ret, NIC_NAME_MAX, "%s", name);
			return 0;
		}
	}
	return -ENETUNREACH;
}

int nic_default(char ret[NIC_NAME_MAX])
{
	static char text[ROUTES_TEXT_MAX];
	CLEANUP(fd_closep) int fd = -1;
	size_t len = 0;
	ssize_t n;

	fd = open("/proc/net/route", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	return nic_default_parse(text, ret);
}

int nic_switch(const char *family, const char *name, const char *key, int value, int *ret_old)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[128], now[2] = "";

	(void)snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, name, key);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ret_old) {
		if (pread(fd, now, 1, 0) != 1)
			return -EIO;
		*ret_old = now[0] != '0';
	}
	return pwrite(fd, value ? "1" : "0", 1, 0) == 1 ? 0 : -errno;
}

int nic_ports_open(void)
{
	CLEANUP(fd_closep)
	int fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "0", 1) == 1 ? 0 : -errno;
}

/* #syscalls:launcher bind listen pread64 pwrite64 */
static int bound(int type, const uint8_t addr[4], uint16_t port)
{
	CLEANUP(fd_closep) int fd = -1;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

	memcpy(&sa.sin_addr, addr, 4);
	fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int nic_listen_tcp(const uint8_t addr[4], uint16_t port)
{
	int fd = bound(SOCK_STREAM, addr, port), r;

	if (fd >= 0 && listen(fd, LISTEN_BACKLOG) < 0) {
		r = -errno;
		fd_closep(&fd);
		return r;
	}
	return fd;
}

int nic_bind_udp(const uint8_t addr[4], uint16_t port)
{
	return bound(SOCK_DGRAM, addr, port);
}

int netns_self(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* #syscalls:launcher unshare setns */
int netns_enter_new(void)
{
	return unshare(CLONE_NEWNET) < 0 ? -errno : 0;
}

void netns_leave(int home)
{
	must(setns(home, CLONE_NEWNET) == 0);
}
