#include "command/programs.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "command/child.h"

int programs_find(char ret_directory[static PATH_MAX], struct error *err)
{
	char self[PATH_MAX];
	char path[PATH_MAX + 64];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	static const char *const places[] = {"", "/../libexec/binvault"};
	char *slash;

	if (length < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "/proc/self/exe");
	self[length] = '\0';
	slash = strrchr(self, '/');
	ASSERT(slash);
	*slash = '\0';
	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		snprintf(path, sizeof(path), "%s%s/binvault-keeper", self, places[i]);
		if (access(path, X_OK) < 0)
			continue;
		*strrchr(path, '/') = '\0';
		if (!realpath(path, ret_directory))
			return error_set_errno(err, ERROR_FAILED, errno, "'%s'", path);
		return 0;
	}
	return error_set(err, ERROR_FAILED,
			 "binvault-keeper lies neither in '%s' nor in '%s/../libexec/binvault': "
			 "install the programs together",
			 self, self);
}

static int check_user(enum child_role role, struct error *err)
{
	const char *user = child_user(role);

	if (getpwnam(user))
		return 0;
	return error_set(err, ERROR_USAGE,
			 "there is no user '%s', which a vault that root starts needs: make the "
			 "users with tools/create_users or systemd-sysusers",
			 user);
}

int programs_switch_users(bool *ret_switch, struct error *err)
{
	*ret_switch = geteuid() == 0;
	if (!*ret_switch)
		return 0;
	for (int role = CHILD_PULL; role <= CHILD_HSM; role++) {
		if (check_user((enum child_role)role, err) < 0)
			return err->code;
	}
	return 0;
}

int programs_check_forwarder(const struct config *config, struct error *err)
{
	return config->siem.host && geteuid() == 0 ? check_user(CHILD_FORWARD, err) : 0;
}

int programs_error(int status)
{
	static const int codes[] = {ERROR_FAILED, ERROR_FAILED,	 ERROR_USAGE,
				    ERROR_DEFECT, ERROR_REFUSED, ERROR_UNAVAILABLE};

	if (!WIFEXITED(status) || (size_t)WEXITSTATUS(status) >= ARRAY_LENGTH(codes))
		return ERROR_FAILED;
	return codes[WEXITSTATUS(status)];
}
