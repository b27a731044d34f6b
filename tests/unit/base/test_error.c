#include "unit/cmocka_prelude.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_sentence_is_set_with_its_code(void **state)
{
	struct error err = {.saved_errno = 5};

	(void)state;
	assert_int_equal(error_set(&err, ERROR_USAGE, "%d of %s", 3, "four"), ERROR_USAGE);
	assert_int_equal(err.code, ERROR_USAGE);
	assert_int_equal(err.saved_errno, 0);
	assert_string_equal(err.message, "3 of four");
}

static void the_systems_reason_stands_behind_the_sentence(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(error_set_errno(&err, ERROR_IO, ENOENT, "opening '%s'", "x"), ERROR_IO);
	assert_int_equal(err.saved_errno, ENOENT);
	assert_string_equal(err.message, "opening 'x': No such file or directory");
}

static void contexts_are_put_in_front(void **state)
{
	struct error err = {0};

	(void)state;
	error_set_errno(&err, ERROR_IO, EIO, "reading");
	assert_int_equal(error_prefix(&err, "frame at offset %d", 88213), ERROR_IO);
	assert_int_equal(error_prefix(&err, "restoring"), ERROR_IO);
	assert_string_equal(err.message,
			    "restoring: frame at offset 88213: reading: Input/output error");
	assert_int_equal(err.saved_errno, EIO);
}

static void a_sentence_that_is_too_long_is_cut_and_ends(void **state)
{
	char *text = calloc(1, 5000);
	struct error err;

	(void)state;
	memset(text, 'a', 4999);
	memset(&err, 'x', sizeof(err));
	error_set(&err, ERROR_DEFECT, "%s", text);
	assert_int_equal(strlen(err.message), ERROR_MESSAGE_SIZE - 1);
	error_prefix(&err, "in front");
	assert_int_equal(strlen(err.message), ERROR_MESSAGE_SIZE - 1);
	assert_memory_equal(err.message, "in front: aaa", 13);
	error_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.message), ERROR_MESSAGE_SIZE - 1);
	error_set_errno(&err, ERROR_IO, EIO, "%s", text);
	assert_int_equal(strlen(err.message), ERROR_MESSAGE_SIZE - 1);
	free(text);
}

static void exit_statuses_are_those_of_the_interface(void **state)
{
	(void)state;
	assert_int_equal(error_exit_status(0), 0);
	assert_int_equal(error_exit_status(ERROR_FAILED), 1);
	assert_int_equal(error_exit_status(ERROR_USAGE), 2);
	assert_int_equal(error_exit_status(ERROR_DEFECT), 3);
	assert_int_equal(error_exit_status(ERROR_REFUSED), 4);
	assert_int_equal(error_exit_status(ERROR_UNAVAILABLE), 5);
	assert_int_equal(error_exit_status(ERROR_BUSY), 5);
	assert_int_equal(error_exit_status(ERROR_NO_SPACE), 5);
	assert_int_equal(error_exit_status(ERROR_IO), 1);
	assert_int_equal(error_exit_status(-1000), 1);
}

static void a_failed_assertion_aborts_and_says_where(void **state)
{
	int fds[2];
	char text[300] = {0};
	pid_t child;
	int status;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		struct rlimit none = {0};

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		dup2(fds[1], STDERR_FILENO);
		ASSERT(1 + 1 == 3);
		_exit(0);
	}
	close(fds[1]);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "test_error.c:"));
	assert_non_null(strstr(text, "1 + 1 == 3 does not hold"));
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sentence_is_set_with_its_code),
		cmocka_unit_test(the_systems_reason_stands_behind_the_sentence),
		cmocka_unit_test(contexts_are_put_in_front),
		cmocka_unit_test(a_sentence_that_is_too_long_is_cut_and_ends),
		cmocka_unit_test(exit_statuses_are_those_of_the_interface),
		cmocka_unit_test(a_failed_assertion_aborts_and_says_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
