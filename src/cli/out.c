/* SPDX-License-Identifier: Apache-2.0 */

/* What people see: sizes, ages, tables, bars. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/cli.h"

enum { BAR_WIDTH = 30, COLS_MAX = 16 };

int size_parse(const char *s, uint64_t *ret)
{
	static const char units[] = "KMGT";
	uint64_t v = 0, scale = 1;
	const char *u;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (!mul_u64(v, 10, &v) || !add_u64(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	if (*s != '\0') {
		u = strchr(units, *s);
		if (!u ||
		    (strcmp(s + 1, "") != 0 && strcmp(s + 1, "iB") != 0 && strcmp(s + 1, "B") != 0))
			return -EINVAL;
		scale = KIB << (10 * (u - units));
	}
	if (!mul_u64(v, scale, &v) || v > INT64_MAX)
		return -ERANGE;
	*ret = v;
	return 0;
}

const char *size_text(char *buf, size_t cap, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	uint64_t whole = bytes, rest = 0;
	size_t k = 0;

	while (whole >= 1024 && k + 1 < ARRAY_SIZE(units)) {
		rest = whole % 1024;
		whole /= 1024;
		k++;
	}
	if (rest * 10 / 1024 && whole < 100)
		snprintf(buf, cap, "%llu.%llu %s", (unsigned long long)whole,
			 (unsigned long long)(rest * 10 / 1024), units[k]);
	else
		snprintf(buf, cap, "%llu %s", (unsigned long long)whole, units[k]);
	return buf;
}

const char *age_text(char *buf, size_t cap, const char *when, uint64_t now_ms)
{
	struct tm tm = { 0 };
	uint64_t age;
	time_t t;

	if (!strptime(when, "%Y-%m-%dT%H:%M:%S", &tm) || (t = timegm(&tm)) < 0) {
		snprintf(buf, cap, "-");
		return buf;
	}
	age = now_ms / 1000 > (uint64_t)t ? now_ms / 1000 - (uint64_t)t : 0;
	if (age < 120)
		snprintf(buf, cap, "%us", (unsigned)age);
	else if (age < 2 * 3600)
		snprintf(buf, cap, "%um", (unsigned)(age / 60));
	else if (age < 48 * 3600)
		snprintf(buf, cap, "%uh", (unsigned)(age / 3600));
	else
		snprintf(buf, cap, "%ud", (unsigned)(age / 86400));
	return buf;
}

void table_add(struct table *t, const char *text)
{
	char **bigger = reallocarray(t->cell, t->cell_cnt + 1, sizeof(*t->cell));
	char *copy = strdup(text);

	if (!bigger || !copy) {
		free(copy);
		if (bigger)
			t->cell = bigger;
		return;
	}
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	t->cell = bigger;
	t->cell[t->cell_cnt++] = copy;
}

void table_print(const struct table *t)
{
	size_t width[COLS_MAX] = { 0 };

	must(t->col_cnt > 0 && t->col_cnt <= COLS_MAX);
	for (size_t k = 0; k < t->cell_cnt; k++) {
		size_t *w = &width[k % t->col_cnt];

		if (strlen(t->cell[k]) > *w)
			*w = strlen(t->cell[k]);
	}
	for (size_t k = 0; k < t->cell_cnt; k++) {
		if (k % t->col_cnt + 1 == t->col_cnt)
			printf("%s\n", t->cell[k]);
		else
			printf("%-*s  ", (int)width[k % t->col_cnt], t->cell[k]);
	}
}

void table_done(struct table *t)
{
	for (size_t k = 0; k < t->cell_cnt; k++)
		free(t->cell[k]);
	free(t->cell);
	t->cell = NULL;
	t->cell_cnt = 0;
}

void json_print(const json_t *v)
{
	CLEANUP(free_p) char *text = json_dumps(v, JSON_INDENT(2) | JSON_ENCODE_ANY);

	if (text)
		puts(text);
}

const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && s[0] ? s : "-";
}

uint64_t u64_of(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v < 0 ? 0 : (uint64_t)v;
}

static void bar_draw(struct progress *p, uint64_t done, uint64_t total)
{
	unsigned filled = (unsigned)((double)done / (double)total * BAR_WIDTH);
	char bar[BAR_WIDTH + 1], a[32], b[32];

	for (unsigned k = 0; k < BAR_WIDTH; k++)
		bar[k] = k < filled ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r\033[K%s [%s] %s of %s", p->step, bar, size_text(a, sizeof(a), done),
		size_text(b, sizeof(b), total));
	p->open = true;
}

void progress_show(struct progress *p, const char *step, uint64_t done, uint64_t total)
{
	bool tty = isatty(STDERR_FILENO), fresh = strcmp(p->step, step) != 0;
	unsigned tenth;

	if (done > total)
		done = total;
	tenth = total ? (unsigned)((double)done / (double)total * 10) : 0;
	if (fresh) {
		snprintf(p->step, sizeof(p->step), "%s", step);
		p->tenth = 0;
	}
	if (tty) {
		if (total)
			bar_draw(p, done, total);
		else
			fprintf(stderr, "\r\033[K%s", p->step);
		p->open = true;
		return;
	}
	if (fresh && !tenth)
		fprintf(stderr, "%s\n", p->step);
	if (tenth > p->tenth)
		fprintf(stderr, "%s: %u%%\n", p->step, tenth * 10);
	p->tenth = tenth;
}

void progress_end(struct progress *p)
{
	if (p->open)
		fputs("\r\033[K", stderr);
	p->open = false;
}

int number_parse(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (s[0] == '\0' || (s[0] == '0' && s[1] != '\0'))
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (v > max / 10 || v * 10 > max - (uint64_t)(*s - '0'))
			return -ERANGE;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	*ret = v;
	return 0;
}
