#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "provision/text.h"

static char directory[] = "/tmp/binvault-text-XXXXXX";

static const char *in_directory(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void a_text_comes_back_if_it_fits(void **state)
{
	struct error err = {0};
	char text[6];

	(void)state;
	assert_ok(text_write(in_directory("text"), "12345", 0640, &err), &err);
	assert_ok(text_read(in_directory("text"), text, sizeof(text), &err), &err);
	assert_string_equal(text, "12345");
	assert_ok(text_write(in_directory("text"), "123456", 0640, &err), &err);
	assert_fails(text_read(in_directory("text"), text, sizeof(text), &err), &err, ERROR_USAGE,
		     "text is too long: over 5 bytes");
	assert_ok(text_write(in_directory("text"), "", 0640, &err), &err);
	assert_ok(text_read(in_directory("text"), text, sizeof(text), &err), &err);
	assert_string_equal(text, "");
}

static void only_where_it_may_be_missing_a_missing_one_is_empty(void **state)
{
	struct error err = {0};
	char text[6] = "there";

	(void)state;
	assert_fails(text_read(in_directory("none"), text, sizeof(text), &err), &err, ERROR_IO,
		     "none");
	assert_ok(text_read_if_there(in_directory("none"), text, sizeof(text), &err), &err);
	assert_string_equal(text, "");
	assert_fails(text_read_if_there(directory, text, sizeof(text), &err), &err, ERROR_IO,
		     directory);
}

static void a_text_is_replaced_whole_and_its_mode_is_what_was_asked_for(void **state)
{
	struct error err = {0};
	struct stat status;
	char text[16];

	(void)state;
	umask(0077);
	assert_ok(text_replace(in_directory("version"), "1", 0644, &err), &err);
	assert_ok(text_replace(in_directory("version"), "22", 0644, &err), &err);
	assert_ok(text_read(in_directory("version"), text, sizeof(text), &err), &err);
	assert_string_equal(text, "22");
	assert_int_equal(stat(in_directory("version"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	assert_int_equal(access(in_directory("version.new"), F_OK), -1);
	assert_fails(text_replace(in_directory("no/version"), "1", 0644, &err), &err, ERROR_FAILED,
		     "no/version.new");
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(in_directory("text"));
	unlink(in_directory("version"));
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_comes_back_if_it_fits),
		cmocka_unit_test(only_where_it_may_be_missing_a_missing_one_is_empty),
		cmocka_unit_test(a_text_is_replaced_whole_and_its_mode_is_what_was_asked_for),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
