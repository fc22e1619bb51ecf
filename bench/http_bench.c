/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests per second over kept-alive connections, each answered with a fixed 200: niterd's front beside libevent's evhttp.
 *
 *   http-bench front|evhttp [CONNECTIONS [SECONDS]]
 *
 * One process serves, one asks. Both servers read the same request (an awscli's DescribeInstances with all its headers) and send
 * the same body; the server's own CPU time is said, too, which a busy machine changes less. Nothing is verified, logged or stored, so this is what reading and answering HTTP costs.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "http_bench.h"

static const char request[] =
	"POST / HTTP/1.1\r\nHost: 127.0.0.1:8773\r\nAccept-Encoding: identity\r\n"
	"Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
	"User-Agent: aws-cli/2.9.19 Python/3.11.2 Linux/6.1.0 source/x86_64.debian.12 prompt/off "
	"command/ec2.describe-instances\r\n"
	"X-Amz-Date: 20261122T094516Z\r\n"
	"Authorization: AWS4-HMAC-SHA256 "
	"Credential=AKIDEXAMPLE/20261122/us-east-1/ec2/aws4_request, "
	"SignedHeaders=content-type;host;x-amz-date, "
	"Signature=19c34b729a65123f6decc0e2be0d01150f213e3633daaee5e3680213ae8ce543\r\n"
	"Content-Length: 43\r\n\r\nAction=DescribeInstances&Version=2016-11-15";

char http_bench_body[BENCH_BODY_BYTES];

static int die(const char *what)
{
	fprintf(stderr, "http-bench: %s: %s\n", what, strerrordesc_np(errno));
	exit(1);
}

static int listen_any(struct sockaddr_in *ret)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*ret);

	*ret = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || bind(fd, (struct sockaddr *)ret, sizeof(*ret)) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)ret, &len) < 0)
		die("listen");
	return fd;
}

static int client_new(int epfd, const struct sockaddr_in *sa)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	ev.data.fd = fd;
	if (fd < 0 || connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("connect");
	return fd;
}

/* An answer comes in one piece on the loopback interface; its body's end is known. */
static bool answered(int fd)
{
	static char buf[64 * 1024];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n <= BENCH_BODY_BYTES || memcmp(buf, "HTTP/1.1 200", 12) != 0 ||
	    buf[n - 1] != http_bench_body[BENCH_BODY_BYTES - 1])
		die("answer");
	return true;
}

static uint64_t ask(const struct sockaddr_in *sa, int connections, int seconds, const char *name)
{
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	uint64_t began, end, done = 0;
	struct epoll_event ev[64];

	for (int k = 0; k < connections; k++)
		if (send(client_new(epfd, sa), request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
			die("send");
	began = clock_ns();
	end = began + (uint64_t)seconds * 1000000000U;
	while (clock_ns() < end) {
		int n = epoll_wait(epfd, ev, ARRAY_SIZE(ev), 1000);

		for (int k = 0; k < n; k++) {
			if (answered(ev[k].data.fd))
				done++;
			if (send(ev[k].data.fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
				die("send");
		}
	}
	printf("%s connections=%d requests_per_s=%.0f", name, connections,
	       (double)done * 1e9 / (double)(clock_ns() - began));
	return done;
}

int main(int argc, char **argv)
{
	int connections = argc > 2 ? atoi(argv[2]) : 50, seconds = argc > 3 ? atoi(argv[3]) : 5;
	bool front = argc > 1 && strcmp(argv[1], "front") == 0;
	struct sockaddr_in sa;
	struct rusage used = { 0 };
	uint64_t done;
	int listener;
	pid_t pid;

	if (argc < 2 || (!front && strcmp(argv[1], "evhttp") != 0)) {
		fprintf(stderr, "usage: http-bench front|evhttp [CONNECTIONS [SECONDS]]\n");
		return 2;
	}
	memset(http_bench_body, 'x', sizeof(http_bench_body));
	log_init("http-bench");
	listener = listen_any(&sa);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		return front ? http_bench_front(listener) : http_bench_evhttp(listener);
	close(listener);
	done = ask(&sa, connections, seconds, argv[1]);
	(void)kill(pid, SIGKILL);
	(void)wait4(pid, NULL, 0, &used);
	printf(" server_us_per_request=%.2f\n",
	       ((double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
		(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec)) /
		       (double)done);
	return 0;
}
