#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pull/credential.h"

static char directory[] = "/tmp/binvault-credential-XXXXXX";
static char path[64], credential[80];

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/password", directory);
	snprintf(credential, sizeof(credential), "file:%s", path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static void write_file(const char *text, size_t size, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void expect_password(const char *from, const char *expected)
{
	struct secret password = {0};
	struct error err;

	assert_ok(credential_read(from, &password, &err), &err);
	assert_string_equal((const char *)password.bytes, expected);
	secret_release(&password);
}

static void the_first_line_of_the_file_is_the_password(void **state)
{
	(void)state;
	write_file("s3cret", 6, 0600);
	expect_password(credential, "s3cret");
	write_file("s3cret\n", 7, 0640);
	expect_password(credential, "s3cret");
	write_file(" with blanks \r\nnotes\n", 21, 0600);
	expect_password(credential, " with blanks ");
}

static void systemd_hands_over_a_directory(void **state)
{
	struct secret password = {0};
	struct error err;

	(void)state;
	write_file("s3cret\n", 7, 0400);
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_fails(credential_read("systemd:password", &password, &err), &err, ERROR_USAGE,
		     "$CREDENTIALS_DIRECTORY is not set");
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	expect_password("systemd:password", "s3cret");
}

static void none_is_an_empty_password(void **state)
{
	(void)state;
	expect_password("none", "");
}

static void a_file_that_cannot_be_meant_is_refused_without_its_content(void **state)
{
	struct secret password = {0};
	char large[PASSWORD_SIZE_MAX + 1];
	struct error err;

	(void)state;
	write_file("s3cret\n", 7, 0644);
	assert_fails(credential_read(credential, &password, &err), &err, ERROR_USAGE,
		     "can be read by everybody; do: chmod 0640");
	assert_null(strstr(err.message, "s3cret"));
	write_file("\n", 1, 0600);
	assert_fails(credential_read(credential, &password, &err), &err, ERROR_USAGE, "is empty");
	memset(large, 'x', sizeof(large));
	write_file(large, sizeof(large), 0600);
	assert_fails(credential_read(credential, &password, &err), &err, ERROR_USAGE,
		     "is longer than 256 bytes");
	assert_fails(credential_read("file:/nonexistent/x", &password, &err), &err, ERROR_USAGE,
		     "opening the credential '/nonexistent/x'");
	assert_null(password.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_of_the_file_is_the_password),
		cmocka_unit_test(systemd_hands_over_a_directory),
		cmocka_unit_test(none_is_an_empty_password),
		cmocka_unit_test(a_file_that_cannot_be_meant_is_refused_without_its_content),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
