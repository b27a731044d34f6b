#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "selftest/checks.h"
#include "selftest/source.h"
#include "selftest/tap.h"

static char text[SOURCE_SIZE];
static char privileged_file[512], storage_module[512]; /* the first of each that is found */

static int look_at(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)walk;
	if (type == FTW_F && status->st_mode & (S_ISUID | S_ISGID) && !privileged_file[0])
		snprintf(privileged_file, sizeof(privileged_file), "%s", path);
	if (strstr(path, "/usb-storage.ko") || strstr(path, "/uas.ko"))
		snprintf(storage_module, sizeof(storage_module), "%s", path);
	return 0;
}

static void check_device(void)
{
	struct stat root = {0};
	char path[64];

	(void)stat("/", &root);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/uuid", major(root.st_dev),
		 minor(root.st_dev));
	source_file(path, text);
	tap_result(strncmp(text, "CRYPT-VERITY-", 13) == 0, "the root is a dm-verity device",
		   "its uuid is '%s'", text);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/ro", major(root.st_dev),
		 minor(root.st_dev));
	tap_result(strcmp(source_file(path, text), "1") == 0, "the root device is read-only",
		   "ro is '%s'", text);
}

static void check_writing(void)
{
	struct statvfs root = {0};
	int fd;

	(void)statvfs("/", &root);
	tap_result(root.f_flag & ST_RDONLY, "the root is mounted read-only", "it is writable");
	tap_result(mount(NULL, "/", NULL, MS_REMOUNT, NULL) < 0,
		   "the root cannot be remounted writable", "it was");
	fd = open("/usr/probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	tap_result(fd < 0 && errno == EROFS, "nothing can be written below /usr", "%s",
		   fd < 0 ? strerror(errno) : "a file was made");
	if (fd >= 0)
		close(fd);
}

static void check_absent(void)
{
	static const char *const programs[] = {
		"sh",	 "bash",   "dash", "perl", "python3", "awk",	"dpkg", "apt-get",
		"login", "agetty", "su",   "sudo", "sulogin", "passwd", "sshd", "busybox",
	};
	static const char *const folders[] = {"/usr/bin", "/usr/sbin"};
	char path[64];
	const char *found = NULL;

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		for (size_t j = 0; j < 2; j++) {
			snprintf(path, sizeof(path), "%s/%s", folders[j], programs[i]);
			if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
				found = programs[i];
		}
	}
	tap_result(!found, "no shell, interpreter, package manager or login program", "there is %s",
		   found);
}

void check_root(void)
{
	check_device();
	check_writing();
	check_absent();
	tap_result(nftw("/", look_at, 32, FTW_PHYS | FTW_MOUNT) == 0, "the whole root can be read",
		   "%s", strerror(errno));
	tap_result(!privileged_file[0], "no file is setuid or setgid", "%s is", privileged_file);
	tap_result(!storage_module[0], "no driver of USB disks", "there is %s", storage_module);
}
