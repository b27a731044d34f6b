/* binvault-forward: send the audit trail to the SIEM. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forward/forwarder.h"
#include "io/file.h"
#include "io/watchdog.h"
#include "program/program.h"

/* Its own to write, anybody's to read: `binvault status` looks into it. As root we can make it for
 * the user that we become. */
static int make_state(const struct program *program, const char *path, struct error *err)
{
	const struct passwd *user = program->user ? getpwnam(program->user) : NULL;

	struct stat status;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_USAGE, errno,
				       "making the directory '%s' ([siem] state)", path);
	/* Another's is left alone; what we made, and were cut off in, is not. */
	if (stat(path, &status) < 0 || status.st_uid != geteuid())
		return 0;
	if (chmod(path, 0755) < 0 || /* whatever the umask */
	    (user && chown(path, user->pw_uid, user->pw_gid) < 0))
		return error_set_errno(err, ERROR_FAILED, errno, "'%s'", path);
	return 0;
}

static int open_state(const char *path, struct error *err)
{
	int fd = directory_open(AT_FDCWD, path, err);

	if (fd < 0)
		return error_prefix(err, "[siem] state");
	if (faccessat(fd, ".", W_OK, AT_EACCESS) < 0) {
		error_set_errno(err, ERROR_USAGE, errno,
				"[siem] state '%s' must be a directory that the user of "
				"binvault-forward may write to",
				path);
		close(fd);
		return err->code;
	}
	return fd;
}

static int run(struct program *program, struct error *err)
{
	const char *state = program->config->siem.state;
	struct forwarder_options options = {
		.config = program->config,
		.stopping = program_stopping,
		.stop_fd = program_stop_fd(),
	};
	int r;

	if (!state)
		return error_set(err, ERROR_USAGE, "%s has no section [siem]",
				 program->config->path);
	program_bound_name_service();
	if (make_state(program, state, err) < 0 || program_drop_privileges(program, err) < 0)
		return err->code;
	options.state_fd = open_state(state, err);
	if (options.state_fd < 0)
		return err->code;
	r = sandbox_seal(SANDBOX_FORWARD, err);
	if (r == 0) {
		watchdog_ready();
		r = forwarder_run(&options, err);
	}
	close(options.state_fd);
	return r;
}

int main(int argc, char **argv)
{
	static const struct program_kind kind = {
		.name = "binvault-forward",
		.role = SANDBOX_FORWARD,
		.run = run,
	};

	return program_main(&kind, argc, argv);
}
