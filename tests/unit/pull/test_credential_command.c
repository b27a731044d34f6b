/* Real programs, run by a real runner, as the puller does it. */
#include "unit/cmocka_prelude.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "io/clock.h"
#include "pull/credential_runner.h"

static char directory[] = "/tmp/binvault-command-XXXXXX";
static char path[64];

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/command", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static void write_program(const char *text, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static char output[CREDENTIAL_OUTPUT_MAX + 1], words[CREDENTIAL_WORDS_MAX + 1];

static int run(const char *script, uint64_t timeout_usec, struct error *err)
{
	const struct credential_command command = {
		.path = path, .source = "orders", .timeout_usec = timeout_usec, .cancel_fd = -1};
	int r;

	if (script)
		write_program(script, 0700);
	memset(output, 0, sizeof(output));
	r = credential_command_run(&command, (uint8_t *)output, words, err);
	return r;
}

static void what_it_prints_is_taken_whole(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(
		run("#!/bin/sh\necho '{\"password\":\"x\"}'\necho words >&2\n", 9000000, &err), 17);
	assert_string_equal(output, "{\"password\":\"x\"}\n");
	assert_int_equal(run("#!/bin/sh\nhead -c 2560 /dev/zero\n", 9000000, &err), 2560);
	assert_int_equal(run("#!/bin/sh\n", 9000000, &err), 0);
}

static void its_surroundings_are_clean(void **state)
{
	struct error err;
	int kept = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */

	(void)state;
	setenv("SECRET_OF_OURS", "x", 1);
	setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", 1);
	assert_true(run("#!/bin/sh\n/usr/bin/env | sort | grep -vE '^(_|PWD|OLDPWD|SHLVL)='\n"
			"pwd\necho \"$#\"\nls -l /proc/self/fd | wc -l\ncat\numask\n"
			"ps -o sid= -p $$ | tr -d ' ' | grep -c \"^$$\\$\"\n"
			"grep SigIgn /proc/self/status\n",
			9000000, &err) > 0);
	/* The lines of ls: total, 0, 1, 2 and the directory that it reads. */
	assert_string_equal(output, "BINVAULT_SOURCE=orders\n"
				    "CREDENTIALS_DIRECTORY=/run/credentials/x\n"
				    "LANG=C.UTF-8\nPATH=/usr/local/bin:/usr/bin:/bin\n"
				    "/\n0\n5\n0077\n1\nSigIgn:\t0000000000000000\n");
	unsetenv("SECRET_OF_OURS");
	unsetenv("CREDENTIALS_DIRECTORY");
	close(kept);
}

struct failing {
	const char *script, *sentence, *words;
};

static void each_way_to_fail_is_a_sentence_and_leaves_no_output(void **state)
{
	static const struct failing all[] = {
		{"#!/bin/sh\necho x\necho 'vault is sealed' >&2\necho more >&2\nexit 3\n",
		 "command': it ended with status 3", "vault is sealed"},
		{"#!/bin/sh\nkill -9 $$\n", "command': it was ended by signal 9", ""},
		{"#!/bin/sh\nhead -c 2561 /dev/zero\n", "printed more than 2560 bytes", ""},
		{"#!/bin/sh\ncat /dev/zero\n", "printed more than 2560 bytes", ""},
		{"#!/bin/sh\necho begun\nsleep 60\n", "did not end within 1 s", ""},
		{"#!/bin/sh\nwhile :; do echo x >&2; done\n", "did not end within 1 s", "x"},
		{"#!/nonexistent/interpreter\n", "ended with status 126",
		 "it cannot be executed (ENOENT)"},
		{"neither a script nor a program\n", "ended with status 126",
		 "it cannot be executed (ENOEXEC)"},
		{"#!/bin/sh\necho '{\"password\":\"hunter2\"}'\necho 'got hunter2' >&2\nexit 1\n",
		 "ended with status 1", "(what it said holds the password)"},
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		assert_fails(run(all[i].script, 1000000, &err), &err, ERROR_UNAVAILABLE,
			     all[i].sentence);
		assert_string_equal(words, all[i].words);
		for (size_t at = 0; at < sizeof(output); at++)
			assert_int_equal(output[at], 0);
	}
}

static void what_it_leaves_behind_is_killed_and_not_waited_for(void **state)
{
	uint64_t begin = clock_monotonic_usec();
	struct error err;
	pid_t pid;

	(void)state;
	assert_true(run("#!/bin/sh\nsleep 1000 &\necho $!\n", 9000000, &err) > 0);
	assert_true(clock_monotonic_usec() < begin + 5000000);
	pid = (pid_t)strtol(output, NULL, 10);
	assert_true(pid > 1);
	/* It is somebody else's to reap. */
	for (int i = 0; i < 100 && kill(pid, 0) == 0; i++) {
		char name[64];
		FILE *stat_file;
		char state_letter = '?';

		snprintf(name, sizeof(name), "/proc/%d/stat", (int)pid);
		stat_file = fopen(name, "re");
		if (stat_file && fscanf(stat_file, "%*d %*s %c", &state_letter) == 1 &&
		    state_letter == 'Z')
			i = 100;
		if (stat_file)
			fclose(stat_file);
		if (i == 99)
			fail_msg("the sleep still runs");
		usleep(20000);
	}
}

static void who_could_replace_it_must_not_be_able_to(void **state)
{
	struct error err;

	(void)state;
	write_program("#!/bin/sh\n", 0720);
	assert_fails(run(NULL, 9000000, &err), &err, ERROR_USAGE,
		     "command': others may write to '/tmp/binvault-command-");
	write_program("#!/bin/sh\n", 0702);
	assert_fails(run(NULL, 9000000, &err), &err, ERROR_USAGE, "do: chmod go-w");
	write_program("#!/bin/sh\n", 0700);
	assert_int_equal(chmod(directory, 0770), 0);
	assert_fails(run(NULL, 9000000, &err), &err, ERROR_USAGE, "others may write to");
	assert_int_equal(chmod(directory, 0700), 0);
	assert_ok(credential_command_check(path, &err), &err);
	write_program("#!/bin/sh\n", 0600);
	assert_fails(run(NULL, 9000000, &err), &err, ERROR_USAGE, "is not a program that");
	unlink(path);
	assert_fails(run(NULL, 9000000, &err), &err, ERROR_USAGE, "No such file");
	assert_fails(credential_command_check("relative", &err), &err, ERROR_USAGE,
		     "is not an absolute path");
	assert_fails(credential_command_check("/tmp", &err), &err, ERROR_USAGE,
		     "is not a program that");
	if (geteuid() == 0) {
		write_program("#!/bin/sh\n", 0755);
		assert_int_equal(chown(path, 12345, 0), 0);
		assert_fails(run(NULL, 9000000, &err), &err, ERROR_USAGE,
			     "belongs to user 12345, who could replace it; do: chown root");
	}
}

static void words_are_fit_for_a_log_only_without_the_password(void **state)
{
	char text[CREDENTIAL_WORDS_MAX + 1];

	(void)state;
	snprintf(text, sizeof(text), "caf\xc3\xa9\x1b[2J");
	credential_command_tame(text, sizeof(text), NULL);
	assert_string_equal(text, "caf???[2J");
	/* Also where the cut would go through it. */
	memset(text, 'x', sizeof(text));
	snprintf(text + 195, sizeof(text) - 195, "hunter2");
	credential_command_tame(text, sizeof(text), "hunter2");
	assert_string_equal(text, "(what it said holds the password)");
	memset(text, 'x', CREDENTIAL_WORDS_MAX);
	text[CREDENTIAL_WORDS_MAX] = '\0';
	credential_command_tame(text, sizeof(text), "hunter2");
	assert_int_equal(strlen(text), 200);
}

/* --- the runner ------------------------------------------------------------------------------ */

static int confine(struct error *err)
{
	(void)err;
	return 0;
}

static int start_runner(void)
{
	const struct credential_runner_options options = {
		.command = path, .source = "orders", .confine = confine};
	struct error err;
	int fd;

	assert_ok(credential_runner_start(&options, &fd, &err), &err);
	return fd;
}

static int wait_answer(int fd, struct secret *page, struct error *err)
{
	struct pollfd fds = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&fds, 1, 30000), 1);
	return credential_runner_answer(fd, page, words, err);
}

static void the_runner_runs_it_as_often_as_it_is_asked(void **state)
{
	struct secret page = {0};
	struct error err;
	int fd;

	(void)state;
	write_program("#!/bin/sh\necho out\n", 0700);
	fd = start_runner();
	assert_ok(secret_init(&page, SECRET_SIZE_MAX, &err), &err);
	assert_fails(credential_runner_answer(fd, &page, words, &err), &err, ERROR_BUSY, "");
	for (int i = 0; i < 3; i++) {
		assert_ok(credential_runner_ask(fd, &err), &err);
		assert_int_equal(wait_answer(fd, &page, &err), 4);
		assert_memory_equal(page.bytes, "out\n", 4);
	}
	write_program("#!/bin/sh\necho no >&2\nexit 7\n", 0700);
	assert_ok(credential_runner_ask(fd, &err), &err);
	assert_fails(wait_answer(fd, &page, &err), &err, ERROR_UNAVAILABLE, "ended with status 7");
	assert_string_equal(words, "no");
	secret_release(&page);
	close(fd);
}

/* The first process that pgrep finds, or 0. SIGCHLD is ignored: who is started is not waited for.
 */
static pid_t find(const char *what)
{
	char line[128];
	pid_t pid = 0;
	FILE *found;

	snprintf(line, sizeof(line), "pgrep %s", what);
	found = popen(line, "re");
	if (found && fscanf(found, "%d", &pid) != 1)
		pid = 0;
	if (found)
		pclose(found);
	return pid;
}

static pid_t find_runner(void)
{
	char what[64];

	snprintf(what, sizeof(what), "-x pull-credential -P %d", (int)getpid());
	return find(what);
}

static void a_runner_that_was_killed_is_found_out_and_leaves_no_zombie(void **state)
{
	struct secret page = {0};
	struct error err;
	pid_t pid = 0;
	int fd;

	(void)state;
	write_program("#!/bin/sh\nsleep 60\n", 0700);
	fd = start_runner();
	assert_ok(secret_init(&page, SECRET_SIZE_MAX, &err), &err);
	assert_ok(credential_runner_ask(fd, &err), &err);
	for (int i = 0; i < 100 && pid == 0; i++) {
		usleep(20000);
		pid = find_runner();
	}
	assert_true(pid > 0);
	kill(pid, SIGTERM); /* that is for the puller */
	usleep(100000);
	assert_int_equal(kill(pid, 0), 0);
	kill(pid, SIGKILL);
	assert_fails(wait_answer(fd, &page, &err), &err, ERROR_CLOSED,
		     "the process that runs the credential command has ended");
	assert_fails(credential_runner_ask(fd, &err), &err, ERROR_CLOSED, "has ended");
	for (int i = 0; i < 100 && kill(pid, 0) == 0; i++)
		usleep(20000);
	assert_int_equal(kill(pid, 0), -1);
	secret_release(&page);
	close(fd);
}

static void the_runner_and_its_command_end_with_the_puller(void **state)
{
	struct error err;
	int fd;

	(void)state;
	write_program("#!/bin/sh\nsleep 61\n", 0700);
	fd = start_runner();
	assert_ok(credential_runner_ask(fd, &err), &err);
	for (int i = 0; i < 100 && !find("-f '^sleep 61'"); i++)
		usleep(20000);
	assert_true(find("-f '^sleep 61'") > 0);
	close(fd);
	for (int i = 0; i < 100 && (find_runner() || find("-f '^sleep 61'")); i++)
		usleep(20000);
	assert_int_equal(find_runner(), 0);
	assert_int_equal(find("-f '^sleep 61'"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_prints_is_taken_whole),
		cmocka_unit_test(its_surroundings_are_clean),
		cmocka_unit_test(each_way_to_fail_is_a_sentence_and_leaves_no_output),
		cmocka_unit_test(what_it_leaves_behind_is_killed_and_not_waited_for),
		cmocka_unit_test(who_could_replace_it_must_not_be_able_to),
		cmocka_unit_test(words_are_fit_for_a_log_only_without_the_password),
		cmocka_unit_test(the_runner_runs_it_as_often_as_it_is_asked),
		cmocka_unit_test(a_runner_that_was_killed_is_found_out_and_leaves_no_zombie),
		cmocka_unit_test(the_runner_and_its_command_end_with_the_puller),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
