#include "program/program.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "config/bundle.h"
#include "crypto/hash.h"
#include "io/watchdog.h"

/* The signal flag, and the descriptor that wakes a poll or a ring. */
static volatile sig_atomic_t stopping;
static int stop_fd = -1;

static void handle_stop(int number)
{
	static const uint64_t one = 1;
	int saved_errno = errno;

	(void)number;
	stopping = 1;
	/* A counter that is full is readable as well. */
	if (write(stop_fd, &one, sizeof(one)) < 0)
		errno = saved_errno;
	errno = saved_errno;
}

bool program_stopping(void)
{
	return stopping != 0;
}

int program_stop_fd(void)
{
	return stop_fd;
}

static int prepare_signals(struct error *err)
{
	/* No SA_RESTART: a blocking call ends, and the flag is looked at. */
	struct sigaction stop = {.sa_handler = handle_stop};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t none;

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "eventfd");
	sigemptyset(&none);
	if (sigaction(SIGTERM, &stop, NULL) < 0 || sigaction(SIGINT, &stop, NULL) < 0 ||
	    sigaction(SIGPIPE, &ignore, NULL) < 0 || sigaction(SIGHUP, &ignore, NULL) < 0 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "signal handlers");
	return 0;
}

/* Descriptors 0 to 2 exist, so that no file of ours becomes somebody's standard error. */
static int prepare_descriptors(struct error *err)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return error_set_errno(err, ERROR_FAILED, errno, "/dev/null");
	}
	return 0;
}

struct arguments {
	const char *config_path, *source;
	int reason_fd;
	bool version;
};

static int parse_descriptor(const char *text, int *ret_fd, struct error *err)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || *end != '\0' || end == text || fd < 0 || fd > 1 << 20 ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return error_set(err, ERROR_USAGE, "'%s' is not an open descriptor", text);
	*ret_fd = (int)fd;
	return 0;
}

static int usage(const struct program_kind *kind, struct error *err)
{
	return error_set(err, ERROR_USAGE, "usage: %s --config FILE [--user NAME]%s%s%s",
			 kind->name, kind->takes_provision ? " [--provision]" : "",
			 kind->takes_connection ? " [--connection FD]"
			 : kind->takes_task	? " [--task TASK [--server HOST:PORT]]"
						: "",
			 kind->takes_source ? " SOURCE" : "");
}

static int parse_arguments(const struct program_kind *kind, int argc, char **argv,
			   struct program *program, struct arguments *arguments, struct error *err)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"user", required_argument, NULL, 'u'},
		{"connection", required_argument, NULL, 'f'},
		{"provision", no_argument, NULL, 'p'},
		{"task", required_argument, NULL, 't'},
		{"server", required_argument, NULL, 's'},
		{"reason-fd", required_argument, NULL, 'r'}, /* of `binvault run` */
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	int option;
	int result = 0;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0 && result == 0) {
		if (option == 'c')
			arguments->config_path = optarg;
		else if (option == 'u')
			program->user = optarg;
		else if (option == 'f' && kind->takes_connection)
			result = parse_descriptor(optarg, &program->connection, err);
		else if (option == 'p' && kind->takes_provision)
			program->provision = true;
		else if (option == 't' && kind->takes_task)
			program->task = optarg;
		else if (option == 's' && kind->takes_task)
			program->server = optarg;
		else if (option == 'r')
			result = parse_descriptor(optarg, &arguments->reason_fd, err);
		else if (option == 'v')
			arguments->version = true;
		else
			result = usage(kind, err);
	}
	if (result < 0 || arguments->version)
		return result;
	if (kind->takes_source && optind < argc)
		arguments->source = argv[optind++];
	if (optind != argc || (kind->takes_source && !arguments->source))
		return usage(kind, err);
	return 0;
}

static int load_config(struct program *program, const struct arguments *arguments,
		       struct error *err)
{
	CLEANUP(freep)
	char *text = NULL;
	struct hash hash;
	size_t size;

	if (config_read(arguments->config_path, &text, &size, err) < 0 ||
	    config_parse(arguments->config_path, text, size, &program->config, err) < 0)
		return err->code;
	hash_bytes(text, size, &hash);
	if (bundle_identify(program->config, hash.bytes, err) < 0)
		return err->code;
	if (!arguments->source)
		return 0;
	program->source = config_find_source(program->config, arguments->source);
	if (!program->source)
		return error_set(err, ERROR_USAGE, "%s has no section [source %s]",
				 arguments->config_path, arguments->source);
	return 0;
}

static int start(const struct program_kind *kind, struct program *program,
		 const struct arguments *arguments, struct error *err)
{
	static char name[sizeof("pull ") + SOURCE_NAME_MAX]; /* the log borrows it for ever */

	watchdog_start();
	if (load_config(program, arguments, err) < 0 || prepare_signals(err) < 0)
		return err->code;
	if (program->source) {
		snprintf(name, sizeof(name), "pull %s", program->source->name);
		log_init(name, program->task ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO);
	}
	log_info("program.started", "version", LOG_TEXT(BINVAULT_VERSION), "pid",
		 LOG_NUMBER(getpid()), LOG_END);
	return kind->run(program, err);
}

int program_main(const struct program_kind *kind, int argc, char **argv)
{
	struct arguments arguments = {.config_path = CONFIG_PATH_DEFAULT, .reason_fd = -1};
	struct program program = {.connection = -1, .role = kind->role};
	struct error err = {0};
	int result;

	umask(0027);
	log_init(kind->name + strlen("binvault-"), LOG_LEVEL_INFO);
	result = prepare_descriptors(&err);
	if (result == 0)
		result = parse_arguments(kind, argc, argv, &program, &arguments, &err);
	if (result == 0 && arguments.version) {
		printf("%s %s\n", kind->name, BINVAULT_VERSION);
		return 0;
	}
	if (result == 0)
		result = start(kind, &program, &arguments, &err);
	if (result < 0) {
		log_error("program.failed", "reason", LOG_TEXT(err.message), LOG_END);
		if (arguments.reason_fd >= 0 &&
		    write(arguments.reason_fd, err.message, strlen(err.message)) < 0)
			log_debug("reason.lost", LOG_END);
	} else {
		log_info("program.ended", LOG_END);
	}
	config_free(program.config);
	return result < 0 ? error_exit_status(result) : 0;
}

int program_drop_privileges(const struct program *program, struct error *err)
{
	const struct sandbox_options options = {
		.role = program->role,
		.user = program->user,
		.keep_immutable = program->role == SANDBOX_KEEPER,
	};

	return sandbox_drop_privileges(&options, err);
}

void program_bound_name_service(void)
{
	(void)setenv("RES_OPTIONS", "timeout:1 attempts:1", false);
}

/* Started as the user that only this role has: by a unit, since nobody is logged in as that. */
static bool has_own_user(const struct program *program)
{
	static const char *const users[] = {
		[SANDBOX_PULL] = PROGRAM_USER_PULL,	  [SANDBOX_KEEPER] = PROGRAM_USER_KEEPER,
		[SANDBOX_HSM] = PROGRAM_USER_HSM,	  [SANDBOX_EXPORT] = PROGRAM_USER_EXPORT,
		[SANDBOX_FORWARD] = PROGRAM_USER_FORWARD,
	};
	const struct passwd *entry = getpwuid(geteuid());

	return entry && strcmp(entry->pw_name, users[program->role]) == 0;
}

int program_peer(const struct program *program, const char *user, uid_t *ret_uid, gid_t *ret_gid,
		 struct error *err)
{
	const struct passwd *entry;

	*ret_uid = (uid_t)-1;
	*ret_gid = (gid_t)-1;
	if (!program->user && !has_own_user(program))
		return 0;
	entry = getpwnam(user);
	if (!entry)
		return error_set(err, ERROR_USAGE,
				 "there is no user '%s'; make the users with tools/create_users or "
				 "systemd-sysusers",
				 user);
	*ret_uid = entry->pw_uid;
	*ret_gid = entry->pw_gid;
	return 0;
}
