#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "selftest/checks.h"
#include "selftest/source.h"
#include "selftest/tap.h"

#define VOLUME "/var/lib/binvault"

static char text[SOURCE_SIZE];

void check_volume(void)
{
	const unsigned long flags = ST_NODEV | ST_NOSUID | ST_NOEXEC;
	struct statvfs mounted = {0};
	struct stat volume = {0};
	char path[64];

	(void)stat(VOLUME, &volume);
	(void)statvfs(VOLUME, &mounted);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/uuid", major(volume.st_dev),
		 minor(volume.st_dev));
	source_file(path, text);
	tap_result(strncmp(text, "CRYPT-LUKS2-", 12) == 0, "the data volume is open and encrypted",
		   "the device's uuid is '%s'", text);
	tap_result((mounted.f_flag & flags) == flags, "nothing on the data volume can be started",
		   "its flags are %#lx", mounted.f_flag);
}
