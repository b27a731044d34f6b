#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "selftest/checks.h"
#include "selftest/source.h"
#include "selftest/tap.h"

#define SYSTEMCTL  "/usr/bin/systemctl"
#define WAIT_USEC  100000
#define WAIT_COUNT 100 /* 10 s, on a machine with other work */

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

/* No new powers, and a filter of system calls. */
static bool is_confined(const char *status)
{
	const char *seccomp = status_field(status, "\nSeccomp:");
	const char *no_new = status_field(status, "\nNoNewPrivs:");

	return seccomp && seccomp[0] == '2' && no_new && no_new[0] == '1';
}

static bool is_roots(const char *status)
{
	const char *uid = status_field(status, "\nUid:");

	return !uid || uid[0] == '0';
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
	source_file(path, text);
	tap_result(is_confined(text) && !is_roots(text), name, "process %ld lacks a part", pid);
}

/* A kernel's thread has no memory of its own, and one that has ended none any more. */
static bool is_loose(const char *path)
{
	source_file(path, text);
	return status_field(text, "\nVmSize:") && !is_confined(text);
}

/* systemd confines a service between its start and its program: one that is met there gets time. */
static bool stays_loose(const char *path)
{
	for (int i = 0; i < WAIT_COUNT; i++) {
		if (!is_loose(path))
			return false;
		usleep(WAIT_USEC);
	}
	return true;
}

/* Every process but the first, whoever its unit comes from: a list of them would grow old. */
static void check_processes(void)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	char path[64], loose[96] = "";
	int count = 0;

	while (processes && (entry = readdir(processes))) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid <= 1)
			continue;
		snprintf(path, sizeof(path), "/proc/%ld/status", pid);
		if (stays_loose(path))
			snprintf(loose, sizeof(loose), "%ld, %.60s", pid,
				 text + strcspn(text, "\t") + 1);
		count += status_field(text, "\nVmSize:") != NULL;
	}
	if (processes)
		closedir(processes);
	loose[strcspn(loose, "\n")] = '\0';
	tap_comment("%d processes beside systemd", count);
	tap_result(count > 0 && !loose[0], "each process but systemd itself is confined",
		   "not process %s", count > 0 ? loose : "of any: /proc shows none");
}

void check_units(void)
{
	check_masked();
	check_failed();
	check_daemon("binvault-keeper.service");
	check_daemon("binvault-hsm.service");
	check_processes();
	tap_result(strcmp(property("nftables.service", "ActiveState"), "active") == 0,
		   "the packet filter is loaded", "nftables.service is '%s'", text);
}
