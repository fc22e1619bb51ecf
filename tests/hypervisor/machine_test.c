/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The real niter-hypervisor on the real KVM, with the micro-guest of guest.c and a real storage card.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "card_host.h"
#include "launch.h"

static const char *program, *guest, *card_program;
static char console[1 << 20];
static struct launched l;
static struct card_host card;
static struct card_volume volume;

enum { WAIT_MS = 20000 };

static struct launch_conf conf_of(const char *words, unsigned cores, unsigned threads)
{
	return (struct launch_conf){
		.program = program,
		.kernel = guest,
		.cmdline = words,
		.cores = cores,
		.threads = threads,
		.ram_bytes = 64 * MIB,
		.quiet = true,
	};
}

static void start(const char *words, unsigned cores, unsigned threads)
{
	const struct launch_conf c = conf_of(words, cores, threads);

	memset(console, 0, sizeof(console));
	assert_int_equal(launch(&c, &l), 0);
}

/* The guest ends by itself; everything it printed is in console. */
static void run_to_end(const char *words, unsigned cores, unsigned threads)
{
	char text[CTL_TEXT_MAX];
	size_t n = 0, got;

	start(words, cores, threads);
	assert_int_equal(launched_exit(&l, WAIT_MS, text), CTL_EXIT_SHUTDOWN);
	while ((got = launched_console(&l, console + n, sizeof(console) - n)) > 0)
		n += got;
}

static unsigned count_of(const char *text)
{
	const char *p = console;
	unsigned n = 0;

	while ((p = strstr(p, text))) {
		n++;
		p += strlen(text);
	}
	return n;
}

static int kvm_needed(void **state)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	bool works = fd >= 0 && ioctl(fd, KVM_GET_API_VERSION, 0) == KVM_API_VERSION;

	(void)state;
	if (fd >= 0)
		close(fd);
	if (!works) {
		print_message("skip: no usable /dev/kvm on this machine\n");
		skip();
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	launched_end(&l);
	return 0;
}

static void guest__prints_and_switches_itself_off(void **state)
{
	(void)state;
	run_to_end("hello off", 1, 1);
	assert_string_equal(console, "hello\n");
}

static void cpuid__shows_two_cores_of_two_threads(void **state)
{
	(void)state;
	run_to_end("cpuid off", 2, 2);
	/* shift 1 past the thread, 2 threads; shift 2 past the core, 4 processors; this is processor 0 */
	assert_non_null(strstr(console, "cpuid 0000000b.0 00000001 00000002 00000100 00000000\n"));
	assert_non_null(strstr(console, "cpuid 0000000b.1 00000002 00000004 00000201 00000000\n"));
	assert_non_null(strstr(console, "cpuid 40000000.0 40000001 4b4d564b 564b4d56 0000004d\n"));
}

static void cpuid__hides_monitor_counters_and_svm(void **state)
{
	unsigned a, b, c, d;

	(void)state;
	run_to_end("cpuid off", 1, 1);
	assert_non_null(strstr(console, "cpuid 00000005.0 00000000 00000000 00000000 00000000\n"));
	assert_non_null(strstr(console, "cpuid 0000000a.0 00000000 00000000 00000000 00000000\n"));
	assert_non_null(strstr(console, "cpuid 8000000a.0 00000000 00000000 00000000 00000000\n"));
	assert_int_equal(sscanf(strstr(console, "cpuid 00000001.0 "),
				"cpuid 00000001.0 %x %x %x %x", &a, &b, &c, &d),
			 4);
	assert_int_equal(c & (1 << 3 | 1 << 5), 0);       /* MONITOR, VMX */
	assert_int_not_equal(c & 1U << 31, 0);            /* a hypervisor is there */
	assert_int_not_equal(c & (1 << 21 | 1 << 24), 0); /* x2APIC, TSC deadline */
	assert_int_equal(sscanf(strstr(console, "cpuid 80000001.0 "),
				"cpuid 80000001.0 %x %x %x %x", &a, &b, &c, &d),
			 4);
	assert_int_equal(c & 1 << 2, 0); /* SVM */
}

/* Thread 0 of every core comes first, as on EC2; each start-up message reaches the processor it names. */
static void smp__starts_every_processor_in_the_order_of_ec2(void **state)
{
	(void)state;
	run_to_end("smp off", 2, 2);
	assert_string_equal(console, "madt 00 boot\nmadt 02 up 02\nmadt 01 up 01\nmadt 03 up 03\n");
}

static void smp__three_cores_have_ids_without_gaps(void **state)
{
	(void)state;
	run_to_end("smp off", 3, 1);
	assert_string_equal(console, "madt 00 boot\nmadt 01 up 01\nmadt 02 up 02\n");
}

static void smp__sixty_four_processors_start(void **state)
{
	(void)state;
	run_to_end("smp off", 32, 2);
	assert_int_equal(count_of(" up "), 63);
	assert_non_null(strstr(console, "madt 3f up 3f\n"));
}

static void memory__of_six_gib_is_split_around_the_hole(void **state)
{
	struct launch_conf c = conf_of("e820 off", 1, 1);
	char text[CTL_TEXT_MAX];

	(void)state;
	c.ram_bytes = 6 * GIB;
	assert_int_equal(launch(&c, &l), 0);
	assert_int_equal(launched_exit(&l, WAIT_MS, text), CTL_EXIT_SHUTDOWN);
	(void)launched_console(&l, console, sizeof(console));
	assert_string_equal(console,
			    "000000000 00009fc00 1\n00009fc00 000000400 2\n0000e0000 000020000 2\n"
			    "000100000 0bff00000 1\n0e0000000 000100000 2\n0fffbc000 000044000 2\n"
			    "100000000 0c0000000 1\n");
}

static void pci__chipset_is_seen_by_ports_and_by_ecam(void **state)
{
	(void)state;
	run_to_end("pci off", 1, 1);
	assert_string_equal(console,
			    "pci 00 8086:29c0 class 060000\npci 1f 8086:2918 class 060100\n"
			    "ecam same\necam lpc\nhole ones\n");
}

static void tables__have_right_checksums_where_the_guest_finds_them(void **state)
{
	(void)state;
	run_to_end("tables clock off", 1, 2);
	assert_string_equal(console, "FACP ok\nAPIC ok\nMCFG ok\nsmbios ok\n"
				     "timer runs\nclock valid\ncentury 20\n");
}

static void msr__policy_refuses_what_is_not_the_guests(void **state)
{
	(void)state;
	run_to_end("msr off", 1, 1);
	assert_string_equal(console, "msr c0000080 ok\nmsr 0000001b ok\nmsr 00000277 ok\n"
				     "msr c0010114 fault\nmsr c0010117 fault\nmsr 00000480 fault\n"
				     "msr 0000048b fault\nmsr 000000c1 fault\nmsr 00000186 fault\n"
				     "msr c0010000 fault\nmsr 0000038f fault\nmsr 0000009e fault\n"
				     "msr c0010111 fault\nmsr 40000000 fault\nmsr 40000001 fault\n"
				     "msr 00000570 fault\nsvme fault\n");
}

/* Several life times on one process: every one begins like the first. */
static void resets(const char *words, unsigned cores, unsigned threads)
{
	struct ctl_svc_stats s;
	size_t n = 0;
	unsigned i;

	start(words, cores, threads);
	for (i = 0; i < WAIT_MS / 5 && count_of("hello\n") < 5; i++) {
		n += launched_console(&l, console + n, sizeof(console) - n);
		usleep(5000);
	}
	assert_true(count_of("hello\n") >= 5);
	assert_int_equal(count_of("ram dirty\n"), 0);
	assert_int_equal(launched_ask(&l, CTL_SVC_STATS_READ, &s), 0);
	assert_true(s.resets >= 4);
	assert_true(s.exits >= s.exits_pio && s.exits_pio > 0);
}

static void reset__by_port_cf9_begins_again_with_zeroed_memory(void **state)
{
	(void)state;
	resets("hello dirty reset-cf9 spin", 1, 2);
}

static void reset__by_the_keyboard_controller_begins_again(void **state)
{
	(void)state;
	resets("hello dirty reset-kbd spin", 1, 1);
}

static void reset__by_triple_fault_begins_again(void **state)
{
	(void)state;
	resets("hello dirty triple spin", 2, 1);
}

/* Processors that were started, and interrupt controllers that were used, are as new after it. */
static void reset__with_started_processors_begins_again(void **state)
{
	(void)state;
	resets("hello smp dirty reset-cf9 spin", 2, 2);
	assert_true(count_of("madt 03 up 03\n") >= 4);
}

static void reset__asked_for_by_niterd_ends_a_spinning_guest(void **state)
{
	(void)state;
	start("hello smp dirty spin", 2, 1);
	assert_int_equal(launched_expect(&l, console, sizeof(console), "ram clean\n", WAIT_MS), 0);
	assert_int_equal(launched_ask(&l, CTL_SVC_RESET, NULL), 0);
	assert_int_equal(launched_expect(&l, console, sizeof(console), "ram clean\n", WAIT_MS), 0);
}

static void power_button__reaches_the_guest(void **state)
{
	char text[CTL_TEXT_MAX];

	(void)state;
	start("button off", 1, 1);
	assert_int_equal(launched_expect(&l, console, sizeof(console), "waiting\n", WAIT_MS), 0);
	assert_int_equal(launched_ask(&l, CTL_SVC_POWER_BUTTON, NULL), 0);
	assert_int_equal(launched_exit(&l, WAIT_MS, text), CTL_EXIT_SHUTDOWN);
	(void)launched_console(&l, console, sizeof(console));
	assert_string_equal(console, "button\n");
}

static void kill__ends_a_spinning_guest(void **state)
{
	char text[CTL_TEXT_MAX];

	(void)state;
	start("hello spin", 2, 2);
	assert_int_equal(launched_expect(&l, console, sizeof(console), "hello\n", WAIT_MS), 0);
	assert_int_equal(ctl_send(l.ctl, CTL_HV_KILL, 0, NULL, NULL, 0), 0);
	assert_int_equal(launched_exit(&l, WAIT_MS, text), CTL_EXIT_KILLED);
}

/* A real storage card on the bus: registers by message, doorbell by eventfd, completion by irqfd. */
static void with_card(const char *words)
{
	struct launch_conf c = conf_of(words, 1, 2);
	char dir[] = "/tmp/niter-machine-XXXXXX", path[64];
	const uint8_t slot = 4;
	int sock = -1;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/volume.luks", dir);
	assert_int_equal(card_volume_new(&volume, path, "vol-0123456789abcdef0", 64 * MIB), 0);
	assert_int_equal(card_host_start(&card, card_program, NULL), 0);
	assert_int_equal(card_host_attach(&card, &volume, false, -1, CARD_KEY_RIGHT, &sock), 0);
	c.function_socks = &sock;
	c.slots = &slot;
	c.function_cnt = 1;
	assert_int_equal(launch(&c, &l), 0);
	close(sock);
	card_volume_free(&volume); /* the card has it open */
	(void)rmdir(dir);
}

static int card_end(void **state)
{
	launched_end(&l);
	card_host_kill(&card);
	(void)state;
	return 0;
}

static const char nvme_line[] = "nvme Amazon Elastic Block Store               ok one message\n";

static void card__identifies_itself_and_interrupts_by_msix(void **state)
{
	struct ctl_svc_stats s;
	char text[CTL_TEXT_MAX];

	(void)state;
	with_card("pci nvme button off");
	assert_int_equal(launched_expect(&l, console, sizeof(console), "waiting\n", WAIT_MS), 0);
	assert_non_null(strstr(console, "pci 04 1d0f:8061 class 010802\n"));
	assert_non_null(strstr(console, nvme_line));
	assert_int_equal(launched_ask(&l, CTL_SVC_STATS_READ, &s), 0);
	assert_true(s.exits_mmio > 0 && s.doorbells > 0);
	assert_int_equal(launched_ask(&l, CTL_SVC_POWER_BUTTON, NULL), 0);
	assert_int_equal(launched_exit(&l, WAIT_MS, text), CTL_EXIT_SHUTDOWN);
}

static void card__works_again_after_every_reset(void **state)
{
	size_t n = 0;
	unsigned i;

	(void)state;
	with_card("hello nvme dirty reset-cf9 spin");
	memset(console, 0, sizeof(console));
	for (i = 0; i < WAIT_MS / 5 && count_of(nvme_line) < 4; i++) {
		n += launched_console(&l, console + n, sizeof(console) - n);
		usleep(5000);
	}
	assert_true(count_of(nvme_line) >= 4);
	assert_int_equal(count_of("ram dirty\n"), 0);
}

static void card__that_dies_ends_the_instance_and_says_so(void **state)
{
	char text[CTL_TEXT_MAX];

	(void)state;
	with_card("hello nvme spin");
	assert_int_equal(launched_expect(&l, console, sizeof(console), "ok one message\n", WAIT_MS),
			 0);
	card_host_kill(&card);
	assert_int_equal(launched_exit(&l, WAIT_MS, text), CTL_EXIT_CARD_LOST);
	assert_non_null(strstr(text, "card"));
}

static unsigned fds_of(pid_t pid, const char *what)
{
	char path[64], target[128];
	struct dirent *e;
	unsigned n = 0;
	ssize_t len;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d))) {
		len = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		n += strstr(target, what) != NULL;
	}
	closedir(d);
	return n;
}

static void process__gives_kvm_back_before_the_guest_runs(void **state)
{
	(void)state;
	start("hello spin", 1, 2);
	assert_int_equal(fds_of(l.pid, "/dev/kvm"), 0);
	assert_int_equal(fds_of(l.pid, "kvm-vm"), 1);
	assert_int_equal(fds_of(l.pid, "kvm-vcpu"), 2);
}

static void process__starts_within_15_cpu_ms(void **state)
{
	(void)state;
	start("hello spin", 1, 2);
	print_message("CPU time from start to the guest's first instruction: %llu us\n",
		      (unsigned long long)l.ready_cpu_us);
	assert_true(l.ready_cpu_us <
		    60000); /* a loaded machine; the figure itself is the bench's */
}

static void program__is_at_most_256_kib(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(program, &st), 0);
	print_message("%lld bytes\n", (long long)st.st_size);
	assert_true(st.st_size <= (off_t)(256 * KIB));
}

static void refused(const struct launch_conf *c, const char *part)
{
	assert_int_equal(launch(c, &l), -ECHILD);
	if (!strstr(l.refusal, part))
		fail_msg("\"%s\" does not say \"%s\"", l.refusal, part);
	assert_null(strchr(l.refusal, '\n'));
}

static void config__too_many_cores_is_refused(void **state)
{
	struct launch_conf c = conf_of("hello", 33, 1);

	(void)state;
	refused(&c, "33 cores");
}

static void config__three_threads_are_refused(void **state)
{
	struct launch_conf c = conf_of("hello", 1, 3);

	(void)state;
	refused(&c, "3 threads");
}

static void config__odd_memory_is_refused(void **state)
{
	struct launch_conf c = conf_of("hello", 1, 1);

	(void)state;
	c.ram_bytes = 8 * MIB;
	refused(&c, "guest memory of 8 MiB");
}

static void kernel__that_is_none_is_refused_with_advice(void **state)
{
	struct launch_conf c = conf_of("hello", 1, 1);

	(void)state;
	c.kernel = "/proc/self/exe"; /* an ELF file, but no kernel */
	refused(&c, "build or fetch the image again");
}

static void kernel__cut_short_is_refused_with_advice(void **state)
{
	struct launch_conf c = conf_of("hello", 1, 1);
	char cut[] = "/tmp/niter-cut-XXXXXX", buf[2048];
	int in = open(guest, O_RDONLY | O_CLOEXEC), out = mkstemp(cut);

	(void)state;
	assert_int_equal(read(in, buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(write(out, buf, sizeof(buf)), sizeof(buf));
	close(in);
	close(out);
	c.kernel = cut;
	refused(&c, "build or fetch the image again");
	unlink(cut);
}

static void initrd__larger_than_memory_is_refused_with_advice(void **state)
{
	struct launch_conf c = conf_of("hello", 1, 1);
	char big[] = "/tmp/niter-big-XXXXXX";
	int fd = mkstemp(big);

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)(128 * MIB)), 0);
	close(fd);
	c.initrd = big;
	refused(&c, "choose a larger instance type");
	unlink(big);
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, kvm_needed, end)
	const struct CMUnitTest tests[] = {
		T(guest__prints_and_switches_itself_off),
		T(cpuid__shows_two_cores_of_two_threads),
		T(cpuid__hides_monitor_counters_and_svm),
		T(smp__starts_every_processor_in_the_order_of_ec2),
		T(smp__three_cores_have_ids_without_gaps),
		T(smp__sixty_four_processors_start),
		T(memory__of_six_gib_is_split_around_the_hole),
		T(pci__chipset_is_seen_by_ports_and_by_ecam),
		T(tables__have_right_checksums_where_the_guest_finds_them),
		T(msr__policy_refuses_what_is_not_the_guests),
		T(reset__by_port_cf9_begins_again_with_zeroed_memory),
		T(reset__by_the_keyboard_controller_begins_again),
		T(reset__by_triple_fault_begins_again),
		T(reset__with_started_processors_begins_again),
		T(reset__asked_for_by_niterd_ends_a_spinning_guest),
		T(power_button__reaches_the_guest),
		T(kill__ends_a_spinning_guest),
#define C(f) cmocka_unit_test_setup_teardown(f, kvm_needed, card_end)
		C(card__identifies_itself_and_interrupts_by_msix),
		C(card__works_again_after_every_reset),
		C(card__that_dies_ends_the_instance_and_says_so),
		T(process__gives_kvm_back_before_the_guest_runs),
		T(process__starts_within_15_cpu_ms),
		cmocka_unit_test(program__is_at_most_256_kib),
		T(config__too_many_cores_is_refused),
		T(config__three_threads_are_refused),
		T(config__odd_memory_is_refused),
		T(kernel__that_is_none_is_refused_with_advice),
		T(kernel__cut_short_is_refused_with_advice),
		T(initrd__larger_than_memory_is_refused_with_advice),
	};

	if (argc != 4) {
		(void)fprintf(stderr, "usage: %s NITER-HYPERVISOR MICRO-GUEST NITER-STORAGE-CARD\n",
			      argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	program = argv[1];
	guest = argv[2];
	card_program = argv[3];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
