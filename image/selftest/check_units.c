#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "selftest/checks.h"
#include "selftest/source.h"
#include "selftest/tap.h"

#define SYSTEMCTL "/usr/bin/systemctl"

static char text[SOURCE_SIZE];

static const char *property(const char *unit, const char *name)
{
	const char *const arguments[] = {SYSTEMCTL, "show", "--value", "-p", name, unit, NULL};

	source_program(arguments, text);
	return text;
}

static void check_masked(void)
{
	static const char *const units[] = {
		"emergency.service",   "rescue.service",	"debug-shell.service",
		"ctrl-alt-del.target", "getty@.service",	"serial-getty@.service",
		"autovt@.service",     "console-getty.service", "container-getty@.service",
	};
	char path[128], target[64], open_unit[64] = "";

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/etc/systemd/system/%s", units[i]);
		length = readlink(path, target, sizeof(target) - 1);
		target[length < 0 ? 0 : length] = '\0';
		if (strcmp(target, "/dev/null") != 0)
			snprintf(open_unit, sizeof(open_unit), "%s", units[i]);
	}
	tap_result(!open_unit[0], "no way to a console login is left", "%s is not masked",
		   open_unit);
}

static void check_failed(void)
{
	static const char *const arguments[] = {SYSTEMCTL, "--failed", "--plain", "--no-legend",
						NULL};
	bool asked = source_program(arguments, text);

	tap_result(asked && !text[0], "no unit has failed", "'%s'", text);
}

/* The value of `@field:` in the status of a process; NULL if it has none. */
static const char *status_field(const char *status, const char *field)
{
	const char *found = strstr(status, field);

	return found ? found + strlen(field) + strspn(found + strlen(field), " \t") : NULL;
}

static bool is_sandboxed(const char *status)
{
	const char *seccomp = status_field(status, "\nSeccomp:");
	const char *no_new = status_field(status, "\nNoNewPrivs:");
	const char *uid = status_field(status, "\nUid:");

	return seccomp && seccomp[0] == '2' && no_new && no_new[0] == '1' && uid && uid[0] != '0';
}

static void check_daemon(const char *unit)
{
	char name[96], path[64];
	long pid;

	snprintf(name, sizeof(name), "%s runs in its sandbox", unit);
	if (strcmp(property(unit, "LoadState"), "loaded") != 0) {
		tap_result(false, name, "its unit is '%s'", text);
		return;
	}
	pid = strtol(property(unit, "MainPID"), NULL, 10);
	if (pid == 0) {
		tap_skip(name, "the vault has no configuration yet, so it does not run");
		return;
	}
	snprintf(path, sizeof(path), "/proc/%ld/status", pid);
	tap_result(is_sandboxed(source_file(path, text)), name, "process %ld lacks a part", pid);
}

void check_units(void)
{
	check_masked();
	check_failed();
	check_daemon("binvault-keeper.service");
	check_daemon("binvault-hsm.service");
	tap_result(strcmp(property("nftables.service", "ActiveState"), "active") == 0,
		   "the packet filter is loaded", "nftables.service is '%s'", text);
}
