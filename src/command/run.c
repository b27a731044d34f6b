#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/units.h"
#include "command/child.h"
#include "command/commands.h"
#include "command/programs.h"
#include "io/channel.h"

/*
 * The supervisor. Children: one puller a source, keeper, hsm, with [siem] the forwarder, and at
 * most EXPORTS_MAX exporters, each for one connection of the keeper (who never forks). More
 * connections wait in the queue.
 */
#define EXPORTS_MAX  4
#define CHILDREN_MAX (CONFIG_SOURCES_MAX + EXPORTS_MAX + 3)
#define STOP_USEC    (30 * USEC_PER_SEC) /* for each role, then SIGKILL */
#define RUNTIME_MODE 0755

struct supervisor {
	const struct config *config;
	struct child_setting setting;
	char directory[PATH_MAX]; /* of the programs */
	struct child children[CHILDREN_MAX];
	size_t child_count;
	int signal_fd;
	int export_fd; /* listens */
	bool stopping;
	struct error *err; /* why, if it is not a signal */
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * USEC_PER_SEC + (uint64_t)time.tv_nsec / NSEC_PER_USEC;
}

static uint32_t random_number(void)
{
	uint32_t number = 0;

	/* Jitter only: without it the delays are merely alike. */
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		return 0;
	return number;
}

/* The sockets' directory is ours alone to change: who can rename in it can pose as a daemon. */
static int make_runtime(const char *path, struct error *err)
{
	struct stat info;

	if (mkdir(path, RUNTIME_MODE) == 0) {
		if (chmod(path, RUNTIME_MODE) < 0) /* whatever the umask */
			return error_set_errno(err, ERROR_FAILED, errno, "runtime '%s'", path);
		return 0;
	}
	if (errno != EEXIST)
		return error_set_errno(err, ERROR_FAILED, errno,
				       "making the runtime directory '%s'", path);
	if (lstat(path, &info) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "runtime '%s'", path);
	if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 0022) != 0)
		return error_set(err, ERROR_USAGE,
				 "runtime '%s' must be a directory that belongs to the user who "
				 "starts the vault and that nobody else may write to",
				 path);
	return 0;
}

static int listen_for_exports(struct supervisor *supervisor, struct error *err)
{
	const struct passwd *keeper;
	uid_t owner = (uid_t)-1;
	gid_t group = (gid_t)-1;
	char path[CONFIG_SOCKET_PATH_SIZE];

	if (supervisor->setting.switch_users) {
		keeper = getpwnam(child_user(CHILD_KEEPER));
		if (!keeper)
			return error_set(err, ERROR_USAGE, "there is no user '%s'",
					 child_user(CHILD_KEEPER));
		owner = keeper->pw_uid;
		group = keeper->pw_gid;
	}
	if (config_socket(supervisor->config, "export", path, err) < 0)
		return err->code;
	supervisor->export_fd = channel_listen(path, 0600, owner, group, err);
	return supervisor->export_fd < 0 ? err->code : 0;
}

static int take_signals(struct supervisor *supervisor, struct error *err)
{
	sigset_t taken;

	sigemptyset(&taken);
	sigaddset(&taken, SIGCHLD);
	sigaddset(&taken, SIGTERM);
	sigaddset(&taken, SIGINT);
	sigaddset(&taken, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &taken, NULL) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "signals");
	supervisor->signal_fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervisor->signal_fd < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "signalfd");
	return 0;
}

static void add_child(struct supervisor *supervisor, enum child_role role, const char *source)
{
	ASSERT(supervisor->child_count < CHILDREN_MAX);
	supervisor->children[supervisor->child_count++] =
		(struct child){.role = role, .source = source, .reason_fd = -1};
}

static void add_children(struct supervisor *supervisor)
{
	const struct config *config = supervisor->config;

	add_child(supervisor, CHILD_HSM, NULL);
	add_child(supervisor, CHILD_KEEPER, NULL);
	for (size_t i = 0; i < config->source_count; i++)
		add_child(supervisor, CHILD_PULL, config->sources[i].name);
	for (size_t i = 0; i < EXPORTS_MAX; i++)
		add_child(supervisor, CHILD_EXPORT, NULL);
	if (config->siem.host)
		add_child(supervisor, CHILD_FORWARD, NULL);
}

/* An exporter's place that is free, or NULL. */
static struct child *free_exporter(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->child_count; i++) {
		struct child *child = &supervisor->children[i];

		if (child->role == CHILD_EXPORT && child->pid == 0)
			return child;
	}
	return NULL;
}

static void accept_export(struct supervisor *supervisor)
{
	struct child *child = free_exporter(supervisor);
	CLEANUP(close_fdp)
	int connection = -1;
	struct error err = {0};

	if (!child)
		return;
	connection = channel_accept(supervisor->export_fd, &err);
	if (connection < 0) {
		if (err.code != ERROR_BUSY)
			log_warning("export.refused", "reason", LOG_TEXT(err.message), LOG_END);
		return;
	}
	/* The exporter speaks in turns and waits for its peer. */
	if (fcntl(connection, F_SETFL, 0) < 0 ||
	    child_start(child, &supervisor->setting, connection, now(), &err) < 0)
		log_error("export.failed", "reason", LOG_TEXT(err.message), LOG_END);
}

/* Start what is due; returns the time of the next start, UINT64_MAX if none is planned. */
static uint64_t start_due(struct supervisor *supervisor)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < supervisor->child_count; i++) {
		struct child *child = &supervisor->children[i];
		struct error err = {0};

		if (child->role == CHILD_EXPORT || child->pid != 0)
			continue;
		if (child->next_start_usec <= now() &&
		    child_start(child, &supervisor->setting, -1, now(), &err) < 0) {
			log_error("child.failed", "reason", LOG_TEXT(err.message), LOG_END);
			child->next_start_usec = now() + CHILD_BACKOFF_MAX_USEC;
		}
		if (child->pid == 0)
			next = MIN(next, child->next_start_usec);
	}
	return next;
}

static void reap(struct supervisor *supervisor)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < supervisor->child_count; i++) {
			struct child *child = &supervisor->children[i];
			struct error err = {0};

			if (child->pid != pid)
				continue;
			if (child_ended(child, status, now(), random_number(), &err) ==
				    CHILD_ENDS_RUN &&
			    !supervisor->stopping) {
				*supervisor->err = err;
				supervisor->stopping = true;
			}
		}
	}
}

static void read_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			reap(supervisor);
		} else if (!supervisor->stopping) {
			log_info("run.stopping", "signal", LOG_NUMBER(info.ssi_signo), LOG_END);
			supervisor->stopping = true;
		}
	}
}

/* Wait until @until_usec at the latest, and do what there is to be done. */
static void wait_for_events(struct supervisor *supervisor, uint64_t until_usec)
{
	bool accepts = !supervisor->stopping && free_exporter(supervisor);
	struct pollfd fds[] = {
		{.fd = supervisor->signal_fd, .events = POLLIN},
		{.fd = accepts ? supervisor->export_fd : -1, .events = POLLIN},
	};
	uint64_t time = now();
	uint64_t wait_usec = until_usec > time ? until_usec - time : 0;
	/* Rounded up, so that a moment that is not there yet is not asked for in a loop. */
	int wait_msec = (int)MIN(wait_usec / USEC_PER_MSEC + 1, (uint64_t)3600 * 1000);

	if (poll(fds, ARRAY_LENGTH(fds), wait_msec) <= 0)
		return;
	if (fds[0].revents)
		read_signals(supervisor);
	if (fds[1].revents && !supervisor->stopping)
		accept_export(supervisor);
}

static size_t running_count(const struct supervisor *supervisor, enum child_role role)
{
	size_t count = 0;

	for (size_t i = 0; i < supervisor->child_count; i++)
		count += supervisor->children[i].role == role && supervisor->children[i].pid != 0;
	return count;
}

static void signal_role(struct supervisor *supervisor, enum child_role role, int number)
{
	for (size_t i = 0; i < supervisor->child_count; i++) {
		if (supervisor->children[i].role == role)
			child_signal(&supervisor->children[i], number);
	}
}

/* Pullers first, so that they write END while the keeper is still there to seal it. */
static void stop_all(struct supervisor *supervisor)
{
	supervisor->stopping = true;
	for (int i = CHILD_PULL; i <= CHILD_FORWARD; i++) {
		enum child_role role = (enum child_role)i;
		uint64_t until = now() + STOP_USEC;

		signal_role(supervisor, role, SIGTERM);
		while (running_count(supervisor, role) > 0 && now() < until)
			wait_for_events(supervisor, until);
		if (running_count(supervisor, role) > 0)
			log_warning("child.killed", "child", LOG_TEXT(child_program(role)),
				    LOG_END);
		signal_role(supervisor, role, SIGKILL);
		/* What is killed ends, unless the kernel holds it: then nobody can wait it out. */
		until = now() + STOP_USEC;
		while (running_count(supervisor, role) > 0 && now() < until)
			wait_for_events(supervisor, until);
	}
}

static int supervise(struct supervisor *supervisor, struct error *err)
{
	struct error reason = {0};
	char path[CONFIG_SOCKET_PATH_SIZE];

	supervisor->err = &reason;
	supervisor->setting.directory = supervisor->directory;
	if (programs_find(supervisor->directory, err) < 0 ||
	    programs_switch_users(&supervisor->setting.switch_users, err) < 0 ||
	    programs_check_forwarder(supervisor->config, err) < 0 ||
	    make_runtime(supervisor->config->runtime, err) < 0 ||
	    take_signals(supervisor, err) < 0 || listen_for_exports(supervisor, err) < 0)
		return err->code;
	add_children(supervisor);
	log_info("run.started", "config", LOG_TEXT(supervisor->config->path), "isolation",
		 LOG_TEXT(supervisor->setting.switch_users ? "users" : "seccomp"), LOG_END);
	while (!supervisor->stopping)
		wait_for_events(supervisor, start_due(supervisor));
	stop_all(supervisor);
	if (config_socket(supervisor->config, "export", path, err) == 0)
		unlink(path);
	log_info("run.ended", LOG_END);
	if (reason.code == 0)
		return 0;
	*err = reason;
	return err->code;
}

static void supervisor_free(struct supervisor *supervisor)
{
	if (!supervisor)
		return;
	close_fdp(&supervisor->signal_fd);
	close_fdp(&supervisor->export_fd);
	free(supervisor);
}
DEFINE_CLEANUP(supervisor_free, struct supervisor *);

static int run(struct command_context *context, struct error *err)
{
	CLEANUP(supervisor_freep)
	struct supervisor *supervisor = calloc(1, sizeof(*supervisor));

	ASSERT(supervisor);
	supervisor->signal_fd = -1;
	supervisor->export_fd = -1;
	log_init("run", LOG_LEVEL_INFO);
	if (command_config(context, &supervisor->config, err) < 0)
		return err->code;
	supervisor->setting.config_path = context->config_path;
	return supervise(supervisor, err);
}

const struct command command_run = {
	.verb = "run",
	.arguments = "",
	.summary = "start the vault in the foreground: keeper, hsm and one puller for each source",
	.description =
		"With [siem] also the forwarder. Restarts what ends unexpectedly. SIGTERM or "
		"Ctrl-C stops all in good order: "
		"pullers first, then exports, keeper, hsm and forwarder. Started by root, each "
		"program "
		"runs as a user of its own; otherwise all run as the caller. The log goes to "
		"standard error.",
	.run = run,
};
