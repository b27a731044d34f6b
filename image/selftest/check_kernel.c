#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "selftest/checks.h"
#include "selftest/source.h"
#include "selftest/tap.h"

#define SYSCTL_TABLE "/usr/lib/sysctl.d/90-binvault.conf"

static char text[SOURCE_SIZE];

static void file_is(const char *name, const char *path, const char *expected)
{
	source_file(path, text);
	tap_result(strcmp(text, expected) == 0, name, "%s holds '%s'", path, text);
}

static void check_command_line(void)
{
	static const char *const needed[] = {
		" roothash=",
		" systemd.import_credentials=no ",
		" module.sig_enforce=1 ",
		" lockdown=confidentiality ",
	};
	const char *missing = NULL;
	char line[SOURCE_SIZE + 2];

	snprintf(line, sizeof(line), " %s ", source_file("/proc/cmdline", text));
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!strstr(line, needed[i]))
			missing = needed[i];
	}
	tap_comment("command line:%s", line);
	tap_result(!missing, "the command line has the words that protect us", "without%s",
		   missing);
}

/* `key = value` of the table against /proc/sys; every line, no sample. */
static void check_sysctl(void)
{
	FILE *table = fopen(SYSCTL_TABLE, "re");
	char key[128], expected[128], path[160], differing[512] = "";
	char line[512];
	int count = 0;

	while (table && fgets(line, sizeof(line), table)) {
		if (sscanf(line, "%127[^#= \n] = %127[^\n]", key, expected) != 2)
			continue;
		for (char *dot = key; (dot = strchr(dot, '.'));)
			*dot = '/';
		snprintf(path, sizeof(path), "/proc/sys/%s", key);
		count++;
		if (strcmp(source_file(path, text), expected) != 0)
			snprintf(differing, sizeof(differing), "%s is '%.100s', not '%s'", path,
				 text, expected);
	}
	if (table)
		fclose(table);
	tap_comment("%d settings in " SYSCTL_TABLE, count);
	tap_result(count > 0 && !differing[0], "every kernel setting is as committed", "%s",
		   count > 0 ? differing : "the table is empty");
}

static void check_memory(void)
{
	int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	char byte;

	tap_result(fd < 0 || read(fd, &byte, 1) < 0, "/dev/mem cannot be read", "it can");
	if (fd >= 0)
		close(fd);
}

void check_kernel(void)
{
	check_command_line();
	source_file("/sys/kernel/security/lockdown", text);
	tap_result(strstr(text, "[confidentiality]"), "the kernel is locked down", "'%s'", text);
	file_is("modules must be signed", "/sys/module/module/parameters/sig_enforce", "Y");
	file_is("no more modules can be loaded", "/proc/sys/kernel/modules_disabled", "1");
	file_is("no memory is reserved for a crash kernel", "/sys/kernel/kexec_crash_size", "0");
	check_sysctl();
	check_memory();
}
