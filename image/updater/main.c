/*
 * binvault-update: which version of the vault runs, and which will.
 *
 *	binvault-update good	the start ended well: this version is not counted down any more
 *	binvault-update bad	it did not: start again, if there is a try or another version left
 *	binvault-update apply	look for an update on the other disks and install it
 *
 * Two processes. The first, root, mounts and opens; the second, of a user of its own that owns
 * nothing, gets the descriptors and does all else, above all everything that reads a foreign disk.
 * It cannot open the data volume or any other disk. When it says so, the first restarts the
 * machine.
 *
 * All is said on the console: UPDATE and what was done, UPDATE-REFUSED and why not.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "rollback/floor.h"
#include "updater/disk.h"
#include "updater/install.h"
#include "updater/kernels.h"

#define USER	     "binvault-update"
#define SYSTEMCTL    "/usr/bin/systemctl"
#define EXIT_RESTART 10

/* What the second process works with. */
struct work {
	struct release running;
	struct disk disk;
	int tpm; /* -1 if there is none */
	struct disk_candidate candidates[DISK_CANDIDATES_MAX];
	int candidate_count;
	struct release_keys *keys;
	struct secure_boot *secure_boot;
};

static int raise_floor(struct work *work, struct error *err)
{
	const struct floor_tpm tpm = floor_tpm_device(&work->tpm);
	uint32_t floor;

	if (work->tpm < 0) {
		printf("UPDATE without a TPM any version may run\n");
		return 0;
	}
	if (floor_raise(&tpm, &work->running, &floor, err) < 0)
		return err->code;
	printf("UPDATE no version below %u may run from now on\n", floor);
	return 0;
}

static int call_good(struct work *work, struct error *err)
{
	const struct entry *entry;
	struct kernels kernels;

	if (kernels_list(work->disk.kernels, &kernels, err) < 0)
		return err->code;
	entry = kernels_find(&kernels, work->running.version);
	if (!entry)
		return error_set(err, ERROR_NOT_FOUND,
				 "the ESP holds no kernel image of version %u",
				 work->running.version);
	if (entry->counted && kernels_call_good(work->disk.kernels, entry, err) < 0)
		return err->code;
	printf("UPDATE version %u is good\n", work->running.version);
	for (size_t i = 0; i < kernels.count; i++) {
		if (entry_is_bad(&kernels.entries[i]) && &kernels.entries[i] != entry)
			printf("UPDATE version %u was tried %u times and did not come up\n",
			       kernels.entries[i].version, kernels.entries[i].done);
	}
	return raise_floor(work, err);
}

/* Whether to start again. A version that was once good stays up, so that somebody can look. */
static int call_bad(struct work *work, struct error *err)
{
	const struct entry *entry;
	struct kernels kernels;

	if (kernels_list(work->disk.kernels, &kernels, err) < 0)
		return err->code;
	entry = kernels_find(&kernels, work->running.version);
	if (!entry || !entry->counted ||
	    (entry->left == 0 && !kernels_have_other(&kernels, entry->version))) {
		printf("UPDATE version %u is not well, and there is no other to start\n",
		       work->running.version);
		return 0;
	}
	printf("UPDATE version %u is not well; %u tries are left\n", entry->version, entry->left);
	return EXIT_RESTART;
}

static int apply(struct work *work, struct error *err)
{
	struct install install = {
		.disk = &work->disk,
		.keys = work->keys,
		.secure_boot = work->secure_boot,
		.running = work->running,
	};
	const struct floor_tpm tpm = floor_tpm_device(&work->tpm);
	enum install_result result;
	int refused = 0;

	if (work->tpm >= 0 && floor_read(&tpm, &install.floor, err) < 0)
		return err->code;
	for (int i = 0; i < work->candidate_count; i++) {
		if (install_from(&install, work->candidates[i].fd, work->candidates[i].name,
				 &result, err) < 0) {
			printf("UPDATE-REFUSED %s\n", err->message);
			refused = 1;
		} else if (result == INSTALL_DONE) {
			return EXIT_RESTART;
		}
	}
	return refused;
}

struct verb {
	const char *name;
	bool with_slot;
	int (*run)(struct work *work, struct error *err);
};

static const struct verb verbs[] = {
	{"good", false, call_good},
	{"bad", false, call_bad},
	{"apply", true, apply},
};

static int prepare(const struct verb *verb, uid_t owner, struct work *work, struct error *err)
{
	if (release_read(RELEASE_IN_ROOT, &work->running, err) < 0 ||
	    disk_open(owner, verb->with_slot, &work->disk, err) < 0)
		return err->code;
	work->tpm = open(FLOOR_TPM, O_RDWR | O_CLOEXEC);
	if (work->tpm < 0 && errno != ENOENT)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", FLOOR_TPM);
	if (!verb->with_slot)
		return 0;
	work->candidate_count = disk_candidates(work->candidates, err);
	if (work->candidate_count < 0)
		return err->code;
	if (release_keys_read(RELEASE_KEYS_FILE, &work->keys, err) < 0)
		return err->code;
	return secure_boot_read(SECURE_BOOT_FILE, &work->secure_boot, err);
}

static int become(const struct passwd *user, struct error *err)
{
	if (setgroups(0, NULL) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "becoming %s", USER);
	return 0;
}

/* The second process: its exit status. */
static int work_apart(const struct verb *verb, const struct passwd *user, struct work *work)
{
	struct error err = {0};
	int result = become(user, &err);

	if (result == 0)
		result = verb->run(work, &err);
	if (result < 0)
		printf("UPDATE-REFUSED %s\n", err.message);
	return result < 0 ? 1 : result;
}

static int run(const struct verb *verb, int *ret_status, struct error *err)
{
	const struct passwd *user = getpwnam(USER);
	struct work work = {.tpm = -1};
	pid_t child;

	if (!user)
		return error_set(err, ERROR_USAGE, "there is no user %s", USER);
	if (prepare(verb, user->pw_uid, &work, err) < 0)
		return err->code;
	child = fork();
	if (child < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "a second process");
	if (child == 0)
		_exit(work_apart(verb, user, &work));
	if (waitpid(child, ret_status, 0) != child)
		return error_set_errno(err, ERROR_FAILED, errno, "the second process");
	disk_release(&work.disk);
	return 0;
}

static int restart(void)
{
	static char program[] = SYSTEMCTL, no_block[] = "--no-block", reboot[] = "reboot";
	static char *const arguments[] = {program, no_block, reboot, NULL};

	printf("UPDATE restarting\n");
	execv(program, arguments);
	printf("UPDATE-REFUSED %s: %s\n", program, strerror(errno));
	return 1;
}

int main(int count, char *arguments[])
{
	const struct verb *verb = NULL;
	struct error err = {0};
	int status = 0;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (count == 2 && strcmp(arguments[1], verbs[i].name) == 0)
			verb = &verbs[i];
	}
	if (!verb) {
		fprintf(stderr, "usage: binvault-update good | bad | apply\n");
		return 2;
	}
	if (run(verb, &status, &err) < 0) {
		printf("UPDATE-REFUSED %s\n", err.message);
		return 1;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_RESTART)
		return restart();
	if (WIFSIGNALED(status))
		printf("UPDATE-REFUSED the second process ended by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
