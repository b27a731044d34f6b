#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "command/applied.h"

static const struct applied_owners ours = {(uid_t)-1, (uid_t)-1, (uid_t)-1};

struct directory {
	char path[64];
};

static int setup(void **state)
{
	struct directory *directory = calloc(1, sizeof(*directory));

	assert_non_null(directory);
	snprintf(directory->path, sizeof(directory->path), "/tmp/binvault-applied-XXXXXX");
	assert_non_null(mkdtemp(directory->path));
	*state = directory;
	return 0;
}

static int teardown(void **state)
{
	struct directory *directory = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", directory->path);
	assert_int_equal(system(command), 0);
	free(directory);
	return 0;
}

/* Version @version: a configuration that names its files, and each file says its version. */
static struct bundle make(const struct directory *directory, uint64_t version)
{
	struct bundle bundle = {.vault = "v", .version = version};
	char text[1024];
	struct error err;
	int length;

	length = snprintf(text, sizeof(text),
			  "[archive]\nname = v\nvolume = /vol/a\n[hsm]\nmodule = /m.so\n"
			  "token-label = %ju\nstate = /s\npin-source = file:%s/current/pin\n"
			  "[source orders]\nservers = db1\nserver-id = 7\nuser = u\n"
			  "credential = file:%s/current/password\ntls-ca = %s/current/ca.pem\n"
			  "[siem]\nserver = s\ntls-ca = %s/current/ca.pem\n"
			  "tls-certificate = %s/current/ca.pem\ntls-key = %s/current/siem.key\n"
			  "state = /f\n",
			  (uintmax_t)version, directory->path, directory->path, directory->path,
			  directory->path, directory->path, directory->path);
	assert_ok(bundle_add(&bundle, BUNDLE_CONFIG, text, (size_t)length, &err), &err);
	length = snprintf(text, sizeof(text), "%ju", (uintmax_t)version);
	assert_ok(bundle_add(&bundle, "pin", text, (size_t)length, &err), &err);
	assert_ok(bundle_add(&bundle, "password", text, (size_t)length, &err), &err);
	assert_ok(bundle_add(&bundle, "ca.pem", text, (size_t)length, &err), &err);
	assert_ok(bundle_add(&bundle, "siem.key", text, (size_t)length, &err), &err);
	assert_ok(bundle_add(&bundle, "notes", text, (size_t)length, &err), &err);
	return bundle;
}

static int apply_as(const struct directory *directory, uint64_t version,
		    const struct applied_owners *owners, struct error *err)
{
	CLEANUP(applied_freep)
	struct applied *applied = NULL;
	CLEANUP(config_freep)
	struct config *config = NULL;
	struct bundle bundle = make(directory, version);
	struct bundle_mark mark = {.vault = "v", .version = version};
	int r = applied_open(directory->path, NULL, &applied, err);

	if (r == 0)
		r = bundle_config(&bundle, &config, err);
	if (r == 0)
		r = applied_check_named(applied, &bundle, config, err);
	if (r == 0)
		r = applied_replace(applied, &bundle, config, &mark, owners, err);
	bundle_release(&bundle);
	return r;
}

static int apply(const struct directory *directory, uint64_t version, struct error *err)
{
	return apply_as(directory, version, &ours, err);
}

static void assert_file(const struct directory *directory, const char *name, const char *text,
			mode_t mode)
{
	char path[256], found[256] = "";
	struct stat status;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "%s/current/%s", directory->path, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &status) == 0);
	size = read(fd, found, sizeof(found) - 1);
	assert_true(size >= 0);
	close(fd);
	if (text)
		assert_string_equal(found, text);
	assert_int_equal(status.st_mode & 07777, mode);
}

/* The version in force, 0: none. All of it is there, and all of it is of one version. */
static uint64_t in_force(const struct directory *directory)
{
	struct applied *applied;
	const struct bundle_mark *mark;
	char text[32];
	uint64_t version;
	struct error err;

	assert_ok(applied_open(directory->path, NULL, &applied, &err), &err);
	mark = applied_mark(applied);
	version = mark ? mark->version : 0;
	applied_free(applied);
	if (version == 0)
		return 0;
	snprintf(text, sizeof(text), "%ju", (uintmax_t)version);
	assert_file(directory, "pin", text, 0400);
	assert_file(directory, "password", text, 0400);
	assert_file(directory, "siem.key", text, 0400);
	assert_file(directory, "ca.pem", text, 0444);
	assert_file(directory, "notes", text, 0400);
	assert_file(directory, BUNDLE_CONFIG, NULL, 0444);
	assert_file(directory, BUNDLE_MARK, NULL, 0444);
	return version;
}

static size_t entry_count(const struct directory *directory)
{
	char command[128];
	FILE *list;
	unsigned count = 0;

	snprintf(command, sizeof(command), "ls -A %s | wc -l", directory->path);
	list = popen(command, "r");
	assert_non_null(list);
	assert_int_equal(fscanf(list, "%u", &count), 1);
	pclose(list);
	return count;
}

static void a_version_takes_the_place_of_the_one_before(void **state)
{
	struct directory *directory = *state;
	struct error err;

	assert_int_equal(in_force(directory), 0);
	assert_ok(apply(directory, 3, &err), &err);
	assert_int_equal(in_force(directory), 3);
	assert_ok(apply(directory, UINT64_MAX, &err), &err);
	assert_int_equal(in_force(directory), UINT64_MAX);
	/* No secret of the one before stays. */
	assert_int_equal(entry_count(directory), 2);
}

static void a_file_that_is_named_must_be_there(void **state)
{
	struct directory *directory = *state;
	struct applied *applied;
	struct bundle bundle = make(directory, 1);
	struct config *config;
	struct error err;

	assert_ok(applied_open(directory->path, NULL, &applied, &err), &err);
	assert_ok(bundle_config(&bundle, &config, &err), &err);
	assert_ok(applied_check_named(applied, &bundle, config, &err), &err);
	memcpy(bundle.files[2].name, "passwort", sizeof("passwort"));
	assert_fails(applied_check_named(applied, &bundle, config, &err), &err, ERROR_USAGE,
		     "binvault.conf names 'current/password', and there is no file 'password'");
	config_free(config);
	bundle_release(&bundle);
	applied_free(applied);
}

static void one_at_a_time_and_in_a_directory_of_ours(void **state)
{
	struct directory *directory = *state;
	struct applied *applied, *second = NULL;
	struct error err;

	assert_ok(applied_open(directory->path, NULL, &applied, &err), &err);
	assert_fails(applied_open(directory->path, NULL, &second, &err), &err, ERROR_BUSY,
		     "another `config apply` works in");
	applied_free(applied);
	assert_int_equal(chmod(directory->path, 0777), 0);
	assert_fails(applied_open(directory->path, NULL, &second, &err), &err, ERROR_USAGE,
		     "nobody else may write to it");
	assert_null(second);
}

static void what_is_damaged_in_force_is_named_and_can_be_left(void **state)
{
	struct directory *directory = *state;
	struct applied *applied = NULL;
	char path[128];
	struct error err;

	assert_ok(apply(directory, 3, &err), &err);
	snprintf(path, sizeof(path), "%s/current/" BUNDLE_MARK, directory->path);
	assert_int_equal(unlink(path), 0);
	assert_fails(applied_open(directory->path, NULL, &applied, &err), &err, ERROR_DEFECT,
		     "to begin anew with a bundle of any version, remove '");
	assert_null(applied);
	snprintf(path, sizeof(path), "%s/current", directory->path);
	assert_int_equal(unlink(path), 0);
	assert_ok(apply(directory, 3, &err), &err); /* over what is left of it */
	assert_int_equal(in_force(directory), 3);
}

static void each_secret_belongs_to_the_daemon_that_it_is_named_for(void **state)
{
	static const struct {
		const char *name;
		uid_t owner;
	} files[] = {
		{"pin", 101}, {"password", 102}, {"siem.key", 103}, {"ca.pem", 0}, {"notes", 0}};
	const struct applied_owners owners = {.hsm_uid = 101, .pull_uid = 102, .forward_uid = 103};
	struct directory *directory = *state;
	struct stat status;
	struct error err;
	char path[128];

	if (geteuid() != 0)
		skip(); /* only root gives files away */
	assert_ok(apply_as(directory, 3, &owners, &err), &err);
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
		snprintf(path, sizeof(path), "%s/current/%s", directory->path, files[i].name);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_uid, files[i].owner);
	}
}

/* --- killed anywhere -------------------------------------------------------------------------- */

/*
 * Apply @version in a child that is killed before its system call number @count begins, or after
 * it. false: it came to its end before that.
 */
static bool killed_at(const struct directory *directory, uint64_t version, unsigned count)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct error err;

		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(apply(directory, version, &err) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	/* Two stops a call: before it, and behind it. */
	for (unsigned stop = 0; stop < count; stop++) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return true;
}

static void killed_at_any_system_call_the_old_or_the_new_is_in_force(void **state)
{
	struct directory *directory = *state;
	uint64_t before = 10, now = 10;
	unsigned stop = 1, old = 0, new = 0;
	struct error err;

	assert_ok(apply(directory, before, &err), &err);
	while (killed_at(directory, before + 1, stop++)) {
		now = in_force(directory);
		assert_true(now == before || now == before + 1);
		old += now == before;
		new += now == before + 1;
		/* And the next one goes through, whatever lies about. */
		before += 2;
		assert_ok(apply(directory, before, &err), &err);
		assert_int_equal(in_force(directory), before);
		assert_int_equal(entry_count(directory), 2);
	}
	print_message("killed %u times: %u old, %u new\n", stop - 2, old, new);
	/* 8 files with open, write, chown, chmod, fsync, and twice rename: it was no empty loop. */
	assert_true(old > 50 && new > 4);
	assert_int_equal(in_force(directory), before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_version_takes_the_place_of_the_one_before, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_file_that_is_named_must_be_there, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_at_a_time_and_in_a_directory_of_ours, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_damaged_in_force_is_named_and_can_be_left,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			each_secret_belongs_to_the_daemon_that_it_is_named_for, setup, teardown),
		cmocka_unit_test_setup_teardown(
			killed_at_any_system_call_the_old_or_the_new_is_in_force, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
