#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "command/child.h"

#define SECOND	     UINT64_C(1000000)
#define STATUS(code) ((code) << 8) /* as waitpid() gives it */

/* A child that was started at @started and left @reason. */
static struct child running(enum child_role role, uint64_t started, const char *reason)
{
	struct child child = {.role = role, .pid = 12345, .started_usec = started};
	int pipe_fds[2];

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(write(pipe_fds[1], reason, strlen(reason)), strlen(reason));
	close(pipe_fds[1]);
	child.reason_fd = pipe_fds[0];
	return child;
}

static void restart(struct child *child, uint64_t started)
{
	unsigned failures = child->failures;

	*child = running(child->role, started, "");
	child->failures = failures;
}

static void the_delay_doubles_up_to_a_minute(void **state)
{
	static const uint64_t delays[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
	struct child child = running(CHILD_PULL, 0, "");
	struct error err = {0};
	uint64_t now = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(delays); i++) {
		uint64_t delay = delays[i] * SECOND;

		now += SECOND;
		assert_int_equal(child_ended(&child, STATUS(1), now, (uint32_t)(delay / 10), &err),
				 CHILD_RESTARTS);
		assert_int_equal(child.pid, 0);
		assert_int_equal(child.next_start_usec, now + delay);
		now = child.next_start_usec;
		restart(&child, now);
	}
	close(child.reason_fd);
}

static void jitter_is_a_tenth_at_most(void **state)
{
	(void)state;
	for (uint32_t random = 0; random < 4000000000u; random += 99999989u) {
		struct child child = running(CHILD_HSM, 0, "");
		struct error err = {0};

		assert_int_equal(child_ended(&child, STATUS(1), 0, random, &err), CHILD_RESTARTS);
		assert_in_range(child.next_start_usec, SECOND * 9 / 10, SECOND * 11 / 10);
	}
}

static void a_minute_of_life_forgives_what_was(void **state)
{
	struct child child = running(CHILD_PULL, 0, "");
	struct error err = {0};

	(void)state;
	child.failures = 5;
	assert_int_equal(child_ended(&child, STATUS(1), 60 * SECOND, 100000, &err), CHILD_RESTARTS);
	assert_int_equal(child.failures, 1);
	assert_int_equal(child.next_start_usec, 61 * SECOND);
}

static void who_needs_a_person_is_tried_once_a_minute(void **state)
{
	static const int codes[] = {2, 4};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
		struct child child = running(CHILD_HSM, 0, "the PIN was refused");
		struct error err = {0};

		assert_int_equal(child_ended(&child, STATUS(codes[i]), 0, 6000000, &err),
				 CHILD_RESTARTS);
		assert_int_equal(child.next_start_usec, 60 * SECOND);
	}
}

static void the_keeper_ends_the_run_with_its_sentence(void **state)
{
	struct child child = running(CHILD_KEEPER, 0, "f:3: bad\x1b");
	struct error err = {0};

	(void)state;
	assert_int_equal(child_ended(&child, STATUS(2), 0, 0, &err), CHILD_ENDS_RUN);
	assert_int_equal(err.code, ERROR_USAGE);
	assert_string_equal(err.message, "binvault-keeper: f:3: bad?");
	child = running(CHILD_KEEPER, 0, "");
	assert_int_equal(child_ended(&child, STATUS(4), 0, 0, &err), CHILD_ENDS_RUN);
	assert_int_equal(err.code, ERROR_REFUSED);
	assert_string_equal(err.message, "binvault-keeper: ended with status 4");
	child = running(CHILD_KEEPER, 0, "");
	assert_int_equal(child_ended(&child, STATUS(1), 0, 0, &err), CHILD_RESTARTS);
	child = running(CHILD_KEEPER, 0, "");
	child.stopping = true;
	assert_int_equal(child_ended(&child, STATUS(2), 0, 0, &err), CHILD_DONE);
}

static void an_export_is_not_started_again(void **state)
{
	struct child child = running(CHILD_EXPORT, 0, "");
	struct error err = {0};

	(void)state;
	assert_int_equal(child_ended(&child, SIGSYS, 0, 0, &err), CHILD_DONE);
	assert_int_equal(child.pid, 0);
}

/* A folder with one program, a shell script. */
static void make_program(char directory[static 64], const char *script)
{
	char path[128];
	FILE *out;

	snprintf(directory, 64, "/tmp/binvault-child-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/binvault-pull", directory);
	out = fopen(path, "we");
	assert_non_null(out);
	fprintf(out, "#!/bin/sh\n%s\n", script);
	fclose(out);
	assert_int_equal(chmod(path, 0700), 0);
}

static void remove_program(const char *directory)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/binvault-pull", directory);
	unlink(path);
	assert_int_equal(rmdir(directory), 0);
}

static void a_child_gets_its_command_line_and_hands_back_its_reason(void **state)
{
	char directory[64];
	struct child child = {.role = CHILD_PULL, .source = "orders"};
	struct child_setting setting = {.directory = directory, .config_path = "/c"};
	struct error err = {0};
	char reason[256] = "";
	int carried[2];
	int status;

	(void)state;
	/* --config /c --reason-fd R --connection C orders; the connection is open in it. */
	make_program(directory, "echo \"$1 $2 $3 $5 $7\" >&$6\necho last words >&$4\nexit 5");
	assert_int_equal(pipe2(carried, O_CLOEXEC), 0);
	assert_true(carried[1] < 10); /* sh knows one digit */
	assert_ok(child_start(&child, &setting, carried[1], 7, &err), &err);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	assert_int_equal(WEXITSTATUS(status), 5);
	close(carried[1]);
	assert_true(read(carried[0], reason, sizeof(reason) - 1) > 0);
	assert_string_equal(reason, "--config /c --reason-fd --connection orders\n");
	memset(reason, 0, sizeof(reason));
	assert_true(read(child.reason_fd, reason, sizeof(reason) - 1) > 0);
	assert_string_equal(reason, "last words\n");
	assert_int_equal(child_ended(&child, status, 8, 0, &err), CHILD_RESTARTS);
	close(carried[0]);
	remove_program(directory);
}

static void a_program_that_is_missing_is_told(void **state)
{
	struct child child = {.role = CHILD_PULL};
	struct child_setting setting = {.directory = "/nonexistent", .config_path = "/c"};
	struct error err = {0};
	char reason[64] = "";
	int status;

	(void)state;
	assert_ok(child_start(&child, &setting, -1, 0, &err), &err);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	assert_true(read(child.reason_fd, reason, sizeof(reason) - 1) > 0);
	assert_string_equal(reason, "the program cannot be executed");
	child_ended(&child, status, 0, 0, &err);
}

static void a_child_that_is_told_to_end_ends(void **state)
{
	char directory[64];
	struct child child = {.role = CHILD_PULL};
	struct child_setting setting = {.directory = directory, .config_path = "/c"};
	struct error err = {0};
	int status;

	(void)state;
	make_program(directory, "exec sleep 60");
	assert_ok(child_start(&child, &setting, -1, 0, &err), &err);
	child_signal(&child, SIGTERM);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(child_ended(&child, status, 0, 0, &err), CHILD_DONE);
	child_signal(&child, SIGTERM); /* it is gone: nothing */
	remove_program(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_delay_doubles_up_to_a_minute),
		cmocka_unit_test(jitter_is_a_tenth_at_most),
		cmocka_unit_test(a_minute_of_life_forgives_what_was),
		cmocka_unit_test(who_needs_a_person_is_tried_once_a_minute),
		cmocka_unit_test(the_keeper_ends_the_run_with_its_sentence),
		cmocka_unit_test(an_export_is_not_started_again),
		cmocka_unit_test(a_child_gets_its_command_line_and_hands_back_its_reason),
		cmocka_unit_test(a_program_that_is_missing_is_told),
		cmocka_unit_test(a_child_that_is_told_to_end_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
