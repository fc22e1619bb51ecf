/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct tree tree;
static char out[TREE_VALUE_MAX + 1];

static int setup(void **state)
{
	(void)state;
	tree_clear(&tree);
	return 0;
}

static void put(const char *path, const char *value)
{
	assert_int_equal(tree_put(&tree, path, value, strlen(value), false), 0);
}

static const char *answer_of(const char *path)
{
	int n = tree_read(&tree, path, out);

	if (n < 0)
		return NULL;
	out[n] = '\0';
	return out;
}

static void tree_read__gives_values_and_listings(void **state)
{
	(void)state;
	put("meta-data/a-b", "1"); /* sorts around the directory a */
	put("meta-data/a/x/y", "2");
	put("meta-data/a b", "3");
	put("meta-data/a/z", "4");
	put("user-data", "");
	put("meta-data/a.c", "5");
	assert_int_equal(tree_check(&tree), 0);
	assert_string_equal(answer_of(""), "meta-data/\nuser-data");
	assert_string_equal(answer_of("meta-data"), "a/\na b\na-b\na.c");
	assert_string_equal(answer_of("meta-data/a"), "x/\nz");
	assert_string_equal(answer_of("meta-data/a/x"), "y");
	assert_string_equal(answer_of("meta-data/a/x/y"), "2");
	assert_string_equal(answer_of("meta-data/a b"), "3");
	assert_string_equal(answer_of("user-data"), "");
}

static void tree_read__finds_nothing_else(void **state)
{
	static const char *const none[] = {
		"m",           "meta-data/",        "/meta-data",     "meta-data//a",
		"meta-data/b", "meta-data/a/x/y/z", "meta-data/a/x/", "zz",
		"meta-data/A"
	};

	(void)state;
	assert_null(answer_of(""));
	put("meta-data/a/x/y", "2");
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_null(answer_of(none[i]));
}

static void tree_read__serves_a_listing_of_niterds(void **state)
{
	(void)state;
	put("meta-data/public-keys/0/openssh-key", "ssh-ed25519 A");
	put("meta-data/public-keys", "0=a/b key");
	put("meta-data/public-keys2", "x");
	assert_string_equal(answer_of("meta-data"), "public-keys/\npublic-keys2");
	assert_string_equal(answer_of("meta-data/public-keys"), "0=a/b key");
	assert_string_equal(answer_of("meta-data/public-keys/0"), "openssh-key");
	assert_null(answer_of("meta-data/public-keys/0=a"));
}

static void tree_put__refuses_what_is_no_path(void **state)
{
	static const char *const bad[] = { "",
					   "/a",
					   "a/",
					   "a//b",
					   ".",
					   "..",
					   "a/..",
					   "./a",
					   "a\nb",
					   "a\x7f",
					   "\xc3\xa4",
					   "a/\t",
					   "1/2/3/4/5/6/7/8/9/10/11/12/13" };
	static const char *const good[] = { "...", ".a", "a..", "a b=c",
					    "1/2/3/4/5/6/7/8/9/10/11/12" };
	char longest[TREE_SEGMENT_MAX + 2];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[TREE_SEGMENT_MAX + 1] = '\0';
	assert_int_equal(tree_put(&tree, longest, "", 0, false), -EINVAL);
	longest[TREE_SEGMENT_MAX] = '\0';
	assert_int_equal(tree_put(&tree, longest, "", 0, false), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(tree_put(&tree, bad[i], "", 0, false), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(tree_put(&tree, good[i], "", 0, false), 0);
	assert_int_equal(tree_put(&tree, good[0], "", 0, false), -EEXIST);
}

static void tree_put__takes_a_value_in_parts(void **state)
{
	(void)state;
	assert_int_equal(tree_put(&tree, "b", "12", 2, true), 0);
	assert_int_equal(tree_check(&tree), -EINVAL);
	assert_int_equal(tree_put(&tree, "b", "", 0, true), 0);
	assert_int_equal(tree_put(&tree, "b", "34", 2, false), 0);
	assert_int_equal(tree_check(&tree), 0);
	put("a", "0");
	assert_string_equal(answer_of("b"), "1234");
	assert_int_equal(tree_put(&tree, "c", "5", 1, true), 0);
	assert_int_equal(tree_put(&tree, "d", "6", 1, false), -EINVAL);
}

static void tree_put__keeps_to_its_limits(void **state)
{
	static char big[TREE_VALUE_MAX + 1];
	char path[32];
	int r;

	(void)state;
	assert_int_equal(tree_put(&tree, "a", big, TREE_VALUE_MAX + 1, false), -E2BIG);
	tree_clear(&tree);
	assert_int_equal(tree_put(&tree, "a", big, TREE_VALUE_MAX, true), 0);
	assert_int_equal(tree_put(&tree, "a", big, 1, false), -E2BIG);
	tree_clear(&tree);
	for (unsigned i = 0; i < TREE_ITEMS_MAX; i++) {
		(void)snprintf(path, sizeof(path), "i/%u", i);
		put(path, "");
	}
	assert_int_equal(tree_put(&tree, "one-more", "", 0, false), -ENOSPC);
	tree_clear(&tree);
	for (unsigned i = 0; i < TREE_BYTES_MAX / TREE_VALUE_MAX; i++) {
		(void)snprintf(path, sizeof(path), "i/%u", i);
		assert_int_equal(tree_put(&tree, path, big, TREE_VALUE_MAX, false), 0);
	}
	r = tree_put(&tree, "more", big, TREE_VALUE_MAX, false);
	assert_int_equal(r, -ENOSPC);
}

static void tree_put_own__has_room_that_niterd_cannot_fill(void **state)
{
	static char big[TREE_VALUE_MAX];
	char path[64];

	(void)state;
	for (unsigned i = 0; i < TREE_ITEMS_MAX; i++) {
		size_t len = i < 5 ? TREE_VALUE_MAX : i == 5 ? 5600 : 0;

		(void)snprintf(path, sizeof(path), "i/%u", i);
		assert_int_equal(tree_put(&tree, path, big, len, false), 0);
	}
	assert_true(TREE_BYTES_MAX - tree.used < 1024);
	for (unsigned i = 0; i < TREE_OWN_ITEMS_MAX; i++) {
		(void)snprintf(path, sizeof(path), "dynamic/instance-identity/signature%u", i);
		assert_int_equal(tree_put_own(&tree, path, big, sizeof(big)), 0);
	}
	assert_int_equal(tree_put_own(&tree, "z", "", 0), -ENOSPC);
	assert_int_equal(tree_put_own(&tree, path, "", 0), -ENOSPC);
}

static void tree_check__refuses_a_listing_that_is_too_long(void **state)
{
	char path[256];

	(void)state;
	memset(path, 'x', sizeof(path));
	for (unsigned i = 0; i < 130; i++) { /* 130 names of 200 characters */
		(void)snprintf(path, 8, "d/%04u", i);
		path[6] = 'x';
		path[2 + 200] = '\0';
		put(path, "");
		assert_int_equal(tree_check(&tree), i * 201 + 202 > TREE_VALUE_MAX ? -E2BIG : 0);
		path[2 + 200] = 'x';
	}
}

/* Random trees against a model that looks at all paths each time. */
static const char *const words[] = { "a",   "b",   "a-",    "a a", "ab",
				     "a/b", "b/a", "a/a/a", "b/b", "a/b/c" };

static void tree_read__agrees_with_a_model(void **state)
{
	static char names[TREE_VALUE_MAX + 1];
	uint64_t x = 12345;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		bool in[ARRAY_SIZE(words)] = { false };

		tree_clear(&tree);
		for (unsigned k = 0; k < 6; k++) {
			unsigned w;

			x = x * 6364136223846793005 + 1442695040888963407;
			w = (unsigned)(x >> 33) % ARRAY_SIZE(words);
			assert_int_equal(
				tree_put(&tree, words[w], words[w], strlen(words[w]), false),
				in[w] ? -EEXIST : 0);
			in[w] = true;
		}
		for (unsigned w = 0; w < ARRAY_SIZE(words); w++) {
			bool dir = false;
			int n = tree_read(&tree, words[w], out);

			for (unsigned v = 0; v < ARRAY_SIZE(words); v++)
				dir |= in[v] && !strncmp(words[v], words[w], strlen(words[w])) &&
				       words[v][strlen(words[w])] == '/';
			assert_int_equal(n >= 0, in[w] || dir);
			if (in[w])
				assert_memory_equal(out, words[w], strlen(words[w]));
		}
		/* Every name in the whole tree's listing leads somewhere, a directory if it says so. */
		char *save = NULL;
		int len = tree_read(&tree, "", names);

		names[len] = '\0';
		for (char *name = strtok_r(names, "\n", &save); name;
		     name = strtok_r(NULL, "\n", &save)) {
			name[strcspn(name, "/")] = '\0';
			assert_true(tree_read(&tree, name, out) >= 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(tree_read__gives_values_and_listings, setup),
		cmocka_unit_test_setup(tree_read__finds_nothing_else, setup),
		cmocka_unit_test_setup(tree_read__serves_a_listing_of_niterds, setup),
		cmocka_unit_test_setup(tree_put__refuses_what_is_no_path, setup),
		cmocka_unit_test_setup(tree_put__takes_a_value_in_parts, setup),
		cmocka_unit_test_setup(tree_put__keeps_to_its_limits, setup),
		cmocka_unit_test_setup(tree_put_own__has_room_that_niterd_cannot_fill, setup),
		cmocka_unit_test_setup(tree_check__refuses_a_listing_that_is_too_long, setup),
		cmocka_unit_test_setup(tree_read__agrees_with_a_model, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
