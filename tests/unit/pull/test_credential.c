#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "pull/credential.h"
#include "pull/credential_answer.h"
#include "pull/credential_runner.h"

static char directory[] = "/tmp/binvault-credential-XXXXXX";
static char path[64], place[80], command[80], command_place[96];
static struct config_source source;

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/password", directory);
	snprintf(place, sizeof(place), "file:%s", path);
	snprintf(command, sizeof(command), "%s/command", directory);
	snprintf(command_place, sizeof(command_place), "command:%s", command);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(command);
	return rmdir(directory);
}

static int begin(void **state)
{
	(void)state;
	source = (struct config_source){
		.name = "orders",
		.user = (char *)"binvault",
		.credential = place,
		.server_count = 2,
	};
	return 0;
}

static void write_file(const char *file, const char *text, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static struct credential *make(void)
{
	const struct credential_runner_options options = {.command = command, .source = "orders"};
	struct error err;
	int fd = -1;

	if (credential_command_path(&source))
		assert_ok(credential_runner_start(&options, &fd, &err), &err);
	return credential_new(&source, fd);
}

static void expect_login(struct credential *credential, size_t server_index, const char *user,
			 const char *password, struct login *ret_login)
{
	struct error err = {0};

	assert_ok(credential_login(credential, server_index, ret_login, &err), &err);
	assert_string_equal(ret_login->user, user);
	assert_string_equal(ret_login->password, password);
}

static void expect_none(struct credential *credential, size_t server_index)
{
	struct login login;
	struct error err;

	assert_fails(credential_login(credential, server_index, &login, &err), &err, ERROR_REFUSED,
		     "db refused it; it is not tried there again until the credential changes");
}

static void refuse(struct credential *credential, size_t server_index, const struct login *login)
{
	struct error err;

	error_set(&err, ERROR_REFUSED, "db refused it");
	assert_int_equal(credential_refused(credential, server_index, login, &err), ERROR_REFUSED);
}

static void expect_password(const char *password)
{
	CLEANUP(credential_freep)
	struct credential *credential = make();
	struct login login;
	struct error err;

	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "binvault", password, &login);
}

static void the_first_line_of_the_file_is_the_password(void **state)
{
	(void)state;
	write_file(path, "s3cret", 0600);
	expect_password("s3cret");
	write_file(path, "s3cret\n", 0640);
	expect_password("s3cret");
	write_file(path, " with blanks \r\nnotes\n", 0600);
	expect_password(" with blanks ");
}

static void systemd_hands_over_a_directory(void **state)
{
	CLEANUP(credential_freep)
	struct credential *credential = NULL;
	struct error err;

	(void)state;
	source.credential = (char *)"systemd:password";
	write_file(path, "s3cret\n", 0400);
	unsetenv("CREDENTIALS_DIRECTORY");
	credential = make();
	assert_fails(credential_want(credential, &err), &err, ERROR_USAGE,
		     "$CREDENTIALS_DIRECTORY is not set");
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	expect_password("s3cret");
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void none_is_an_empty_password(void **state)
{
	char date[CREDENTIAL_DATE_SIZE];
	CLEANUP(credential_freep)
	struct credential *credential = NULL;
	struct login login;
	struct error err;

	(void)state;
	source.credential = (char *)"none";
	expect_password("");
	credential = make();
	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "binvault", "", &login);
	credential_date(&login, date);
	assert_string_equal(date, "");
}

static void a_file_that_cannot_be_meant_is_refused_without_its_content(void **state)
{
	char large[CREDENTIAL_PASSWORD_MAX + 2];
	CLEANUP(credential_freep)
	struct credential *credential = make();
	struct error err;

	(void)state;
	write_file(path, "s3cret\n", 0644);
	assert_fails(credential_want(credential, &err), &err, ERROR_USAGE,
		     "can be read by everybody; do: chmod 0640");
	assert_null(strstr(err.message, "s3cret"));
	write_file(path, "s3cret\n", 0620);
	assert_fails(credential_want(credential, &err), &err, ERROR_USAGE,
		     "can be written by others than its owner");
	write_file(path, "\n", 0600);
	assert_fails(credential_want(credential, &err), &err, ERROR_USAGE, "is empty");
	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	write_file(path, large, 0600);
	assert_fails(credential_want(credential, &err), &err, ERROR_USAGE,
		     "is longer than 256 bytes");
	unlink(path);
	assert_fails(credential_want(credential, &err), &err, ERROR_USAGE,
		     "opening the credential '/tmp/");
}

static void a_refused_version_is_not_tried_again_there_but_elsewhere(void **state)
{
	CLEANUP(credential_freep)
	struct credential *credential = make();
	struct login login;
	struct error err;

	(void)state;
	write_file(path, "one", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "binvault", "one", &login);
	refuse(credential, 0, &login);
	expect_none(credential, 0);
	expect_login(credential, 1, "binvault", "one", &login);
	/* The same again is no other version; another one is. */
	write_file(path, "one\n", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_none(credential, 0);
	credential_forgive(credential);
	expect_login(credential, 0, "binvault", "one", &login);
}

/* The second connection tries in a thread of its own; what became of it is told later. */
static void a_refusal_counts_for_the_version_that_was_tried_whatever_has_come_since(void **state)
{
	CLEANUP(credential_freep)
	struct credential *credential = make();
	struct login login, tried;
	struct error err;

	(void)state;
	write_file(path, "one", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "binvault", "one", &tried);
	credential_accepted(credential, 0, &tried);
	write_file(path, "two", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	refuse(credential, 0, &tried);
	expect_login(credential, 0, "binvault", "two", &login);
	write_file(path, "one", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_none(credential, 0);
}

static void a_rotation_half_way_goes_back_to_the_version_that_worked(void **state)
{
	CLEANUP(credential_freep)
	struct credential *credential = make();
	struct login login;
	struct error err;

	(void)state;
	write_file(path, "one", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "binvault", "one", &login);
	credential_accepted(credential, 0, &login);
	write_file(path, "two", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "binvault", "two", &login);
	refuse(credential, 0, &login);
	expect_login(credential, 0, "binvault", "one", &login);
	credential_accepted(credential, 0, &login);
	/* Then the server learns the new one. */
	expect_login(credential, 0, "binvault", "one", &login);
	refuse(credential, 0, &login);
	expect_login(credential, 0, "binvault", "two", &login);
	credential_accepted(credential, 0, &login);
	/* One that never worked is not gone back to. */
	write_file(path, "three", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	write_file(path, "four", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "binvault", "four", &login);
	refuse(credential, 0, &login);
	expect_login(credential, 0, "binvault", "two", &login);
}

static void a_file_that_is_just_being_replaced_leaves_what_worked(void **state)
{
	CLEANUP(credential_freep)
	struct credential *credential = make();
	struct login login;
	struct error err;

	(void)state;
	write_file(path, "one", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "binvault", "one", &login);
	credential_accepted(credential, 0, &login);
	unlink(path);
	assert_int_equal(credential_want(credential, &err), 1);
	write_file(path, "", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "binvault", "one", &login);
	write_file(path, "one", 0644);
	assert_fails(credential_want(credential, &err), &err, ERROR_USAGE, "by everybody");
}

static void another_certificate_makes_another_version(void **state)
{
	CLEANUP(credential_freep)
	struct credential *credential = make();
	struct login login;
	struct error err;

	(void)state;
	source.tls_certificate = command; /* any file */
	write_file(command, "certificate one", 0600);
	write_file(path, "one", 0600);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "binvault", "one", &login);
	credential_accepted(credential, 0, &login);
	refuse(credential, 0, &login);
	expect_none(credential, 0);
	write_file(command, "certificate two", 0600);
	expect_login(credential, 0, "binvault", "one", &login);
	write_file(command, "certificate one", 0600);
	expect_none(credential, 0);
}

static void a_command_gives_user_and_password(void **state)
{
	CLEANUP(credential_freep)
	struct credential *credential = NULL;
	struct login login;
	struct error err;

	(void)state;
	source.credential = command_place;
	unlink(command);
	write_file(command, "#!/bin/sh\necho '{\"user\":\"v-1\",\"password\":\"one\"}'\n", 0700);
	credential = make();
	assert_ok(credential_wait(credential, &err), &err);
	expect_login(credential, 0, "v-1", "one", &login);
	credential_accepted(credential, 0, &login);
	/* What it gave is good for a minute. */
	write_file(command, "#!/bin/sh\necho '{\"password\":\"two\"}'\n", 0700);
	assert_int_equal(credential_want(credential, &err), 1);
	expect_login(credential, 0, "v-1", "one", &login);
	/* But not when it is refused: then it is run at once. */
	refuse(credential, 0, &login);
	assert_ok(credential_wait(credential, &err), &err);
	expect_login(credential, 0, "binvault", "two", &login);
}

static void a_command_that_fails_leaves_what_it_gave_before(void **state)
{
	CLEANUP(credential_freep)
	struct credential *credential = NULL;
	struct login login;
	struct error err;

	(void)state;
	source.credential = command_place;
	write_file(command, "#!/bin/sh\necho 'no route' >&2\nexit 1\n", 0700);
	credential = make();
	assert_fails(credential_wait(credential, &err), &err, ERROR_UNAVAILABLE,
		     "ended with status 1: no route");
	credential_forgive(credential);
	write_file(command, "#!/bin/sh\necho rubbish\n", 0700);
	assert_fails(credential_wait(credential, &err), &err, ERROR_DEFECT,
		     "command': the '{' of a JSON object is missing at byte 1");
	credential_forgive(credential);
	write_file(command,
		   "#!/bin/sh\necho '{\"password\":\"x\",\"expires\":\"2020-01-01T00:00:00Z\"}'\n",
		   0700);
	assert_fails(credential_wait(credential, &err), &err, ERROR_UNAVAILABLE,
		     "had expired already");
	credential_forgive(credential);
	write_file(command, "#!/bin/sh\necho '{\"password\":\"one\"}'\n", 0700);
	assert_ok(credential_wait(credential, &err), &err);
	expect_login(credential, 0, "binvault", "one", &login);
	credential_forgive(credential);
	write_file(command, "#!/bin/sh\necho 'it was one' >&2\nexit 1\n", 0700);
	assert_ok(credential_wait(credential, &err), &err);
	expect_login(credential, 0, "binvault", "one", &login);
}

static void a_command_is_run_again_before_what_it_gave_expires(void **state)
{
	char expires[TIME_TEXT_SIZE], text[200];
	CLEANUP(credential_freep)
	struct credential *credential = NULL;
	struct timespec now;
	struct login login;
	struct error err;

	(void)state;
	source.credential = command_place;
	clock_gettime(CLOCK_REALTIME, &now);
	time_format(((uint64_t)now.tv_sec + 4) * USEC_PER_SEC, expires);
	snprintf(text, sizeof(text),
		 "#!/bin/sh\necho '{\"password\":\"one\",\"expires\":\"%s\"}'\n", expires);
	write_file(command, text, 0700);
	credential = make();
	assert_ok(credential_wait(credential, &err), &err);
	expect_login(credential, 0, "binvault", "one", &login);
	assert_true(credential_deadline(credential) != UINT64_MAX);
	write_file(command, "#!/bin/sh\necho '{\"password\":\"two\"}'\n", 0700);
	for (int i = 0; i < 100; i++) {
		usleep(50000);
		credential_step(credential);
		assert_ok(credential_login(credential, 0, &login, &err), &err);
		if (strcmp(login.password, "two") == 0)
			return;
	}
	fail_msg("it was not run again");
}

static void without_its_runner_a_command_is_good_for_what_it_gave(void **state)
{
	CLEANUP(credential_freep)
	struct credential *credential = NULL;
	struct error err;
	char line[80];

	(void)state;
	source.credential = command_place;
	write_file(command, "#!/bin/sh\necho '{\"password\":\"one\"}'\n", 0700);
	credential = make();
	assert_ok(credential_wait(credential, &err), &err);
	snprintf(line, sizeof(line), "pkill -KILL -x pull-credential -P %d", (int)getpid());
	assert_int_equal(system(line) == -1, 1); /* nobody is left for system() to wait for */
	usleep(200000);
	assert_int_equal(credential_want(credential, &err), 1);
	credential_forgive(credential);
	assert_fails(credential_wait(credential, &err), &err, ERROR_CLOSED, "has ended");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_line_of_the_file_is_the_password, begin),
		cmocka_unit_test_setup(systemd_hands_over_a_directory, begin),
		cmocka_unit_test_setup(none_is_an_empty_password, begin),
		cmocka_unit_test_setup(a_file_that_cannot_be_meant_is_refused_without_its_content,
				       begin),
		cmocka_unit_test_setup(a_refused_version_is_not_tried_again_there_but_elsewhere,
				       begin),
		cmocka_unit_test_setup(
			a_refusal_counts_for_the_version_that_was_tried_whatever_has_come_since,
			begin),
		cmocka_unit_test_setup(a_rotation_half_way_goes_back_to_the_version_that_worked,
				       begin),
		cmocka_unit_test_setup(a_file_that_is_just_being_replaced_leaves_what_worked,
				       begin),
		cmocka_unit_test_setup(another_certificate_makes_another_version, begin),
		cmocka_unit_test_setup(a_command_gives_user_and_password, begin),
		cmocka_unit_test_setup(a_command_that_fails_leaves_what_it_gave_before, begin),
		cmocka_unit_test_setup(a_command_is_run_again_before_what_it_gave_expires, begin),
		cmocka_unit_test_setup(without_its_runner_a_command_is_good_for_what_it_gave,
				       begin),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
