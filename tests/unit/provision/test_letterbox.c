#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "provision/letterbox.h"

static void a_bundle_says_how_long_it_is(void **state)
{
	struct error err = {0};
	size_t size;

	(void)state;
	assert_ok(letter_size((uint8_t[]){0x30, 0x82, 0x12, 0x34, 0, 0}, &size, &err), &err);
	assert_int_equal(size, 4 + 0x1234);
	assert_ok(letter_size((uint8_t[]){0x30, 0x83, 0x0f, 0xff, 0xfb, 0}, &size, &err), &err);
	assert_int_equal(size, LETTER_SIZE_MAX);
	assert_ok(letter_size((uint8_t[]){0x30, 0x81, 0xff, 0, 0, 0}, &size, &err), &err);
	assert_int_equal(size, 3 + 0xff);
}

static void an_empty_box_is_no_mistake(void **state)
{
	struct error err = {0};
	size_t size = 1;

	(void)state;
	assert_ok(letter_size((uint8_t[LETTER_HEAD_SIZE]){0}, &size, &err), &err);
	assert_int_equal(size, 0);
}

static void what_is_no_bundle_or_too_long_is_refused(void **state)
{
	static const uint8_t heads[][LETTER_HEAD_SIZE] = {
		{0x31, 0x82, 0x12, 0x34}, /* a set */
		{0x30, 0x20},		  /* no bundle is so short */
		{0x30, 0x80, 0x12},	  /* BER without a length */
		{0x30, 0x84, 0, 0, 1, 0}, /* longer than it needs to be */
		{0, 0, 0, 0, 0, 1},
		"-----B",
	};
	struct error err = {0};
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		assert_fails(letter_size(heads[i], &size, &err), &err, ERROR_DEFECT,
			     "does not begin with a bundle");
	assert_fails(letter_size((uint8_t[]){0x30, 0x83, 0x0f, 0xff, 0xfc, 0}, &size, &err), &err,
		     ERROR_DEFECT, "over 1048576");
}

/* A file in the place of a partition. */
static int make_box(char path[64], const void *bytes, size_t size)
{
	int fd;

	snprintf(path, 64, "/tmp/binvault-letterbox-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, LETTER_TEXT_MAX), 0);
	assert_int_equal(pwrite(fd, bytes, size, 0), (ssize_t)size);
	return fd;
}

static void a_letter_is_taken_whole_and_stays(void **state)
{
	uint8_t bundle[3 + 200] = {0x30, 0x81, 200}, taken[4096];
	char box[64], file[80];
	struct error err = {0};
	int fd;

	(void)state;
	memset(bundle + 3, 'x', 200);
	close(make_box(box, bundle, sizeof(bundle)));
	snprintf(file, sizeof(file), "%s.taken", box);
	assert_int_equal(letter_take(box, file, &err), 1);
	fd = open(file, O_RDONLY);
	assert_int_equal(read(fd, taken, sizeof(taken)), sizeof(bundle));
	assert_memory_equal(taken, bundle, sizeof(bundle));
	close(fd);
	assert_int_equal(letter_take(box, file, &err), 1);
	unlink(file);
	unlink(box);
	assert_int_equal(letter_take(box, file, &err), 0);
}

static void a_text_replaces_the_longer_one_before_it(void **state)
{
	char box[64], text[LETTER_TEXT_MAX];
	struct error err = {0};
	int fd;

	(void)state;
	fd = make_box(box, "a longer text", 13);
	assert_ok(letter_put(box, "short", &err), &err);
	assert_int_equal(pread(fd, text, sizeof(text), 0), sizeof(text));
	assert_memory_equal(text, "short\0\0\0\0\0\0\0\0", 13);
	close(fd);
	unlink(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bundle_says_how_long_it_is),
		cmocka_unit_test(an_empty_box_is_no_mistake),
		cmocka_unit_test(what_is_no_bundle_or_too_long_is_refused),
		cmocka_unit_test(a_letter_is_taken_whole_and_stays),
		cmocka_unit_test(a_text_replaces_the_longer_one_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
