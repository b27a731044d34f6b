/*
 * init of the initrd: from the signed kernel to the verified root, or not at all.
 *
 * It has no shell, takes no input and knows one root: the one whose hash is in the signed command
 * line. Every failure is one line `INITRD-REFUSED …` on the console, then a reboot.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "initrd/command_line.h"
#include "initrd/device_mapper.h"
#include "initrd/disks.h"
#include "initrd/verity.h"
#include "rollback/floor.h"

#define SIGNED_COMMAND_LINE "/cmdline"
#define MODULE_LIST	    "/modules.load"
#define ROOT_DEVICE	    "/dev/mapper/root"
#define NEW_ROOT	    "/sysroot"
#define SYSTEMD		    "/usr/lib/systemd/systemd"
#define PCR_SIGNATURE	    "/.extra/tpm2-pcr-signature.json" /* systemd-stub has put it there */
#define SIGNATURE_SIZE_MAX  65536
#define DISK_WAIT_USEC	    100000
#define DISK_WAIT_COUNT	    150 /* 15 s: disks appear when their driver has looked for them */

static int read_line(const char *path, char line[COMMAND_LINE_SIZE_MAX], struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, line, COMMAND_LINE_SIZE_MAX - 1);

	if (length < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", path);
	if (length == COMMAND_LINE_SIZE_MAX - 1)
		return error_set(err, ERROR_REFUSED, "%s is too long", path);
	line[length] = '\0';
	return 0;
}

static int mount_kernel(struct error *err)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755") < 0 ||
	    mount("proc", "/proc", "proc", flags, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", flags, NULL) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "mounting /dev, /proc and /sys");
	return 0;
}

static int open_console(struct error *err)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
	    dup2(fd, STDERR_FILENO) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "/dev/console");
	if (fd > STDERR_FILENO)
		close(fd);
	return 0;
}

/* A driver whose hardware is absent refuses to load: that is no failure, a missing root is. */
static int load_modules(struct error *err)
{
	FILE *list = fopen(MODULE_LIST, "re");
	char path[256];

	if (!list)
		return error_set_errno(err, ERROR_FAILED, errno, MODULE_LIST);
	while (fgets(path, sizeof(path), list)) {
		int fd;

		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
			printf("INITRD-MODULE %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	fclose(list);
	return 0;
}

static int find_partitions(const uint8_t root_hash[ROOT_HASH_SIZE],
			   char data_device[DISK_PATH_SIZE], char hash_device[DISK_PATH_SIZE],
			   struct error *err)
{
	for (int i = 0; i < DISK_WAIT_COUNT; i++) {
		if (disks_find(root_hash, data_device, hash_device, err) == 0)
			return 0;
		usleep(DISK_WAIT_USEC);
	}
	return error_prefix(err, "no disk holds the signed root");
}

/* Without a TPM there is no floor, and nothing that opens the data volume either. */
static int check_floor(struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(FLOOR_TPM_INITRD, O_RDWR | O_CLOEXEC);
	const struct floor_tpm tpm = floor_tpm_device(&fd);
	struct release release;
	uint32_t floor;

	if (fd < 0 && errno != ENOENT)
		return error_set_errno(err, ERROR_FAILED, errno, FLOOR_TPM_INITRD);
	if (release_read(RELEASE_IN_INITRD, &release, err) < 0)
		return err->code;
	if (fd < 0) {
		printf("INITRD-VERSION %u; there is no TPM that knows the oldest that may run\n",
		       release.version);
		return 0;
	}
	if (floor_enter(&tpm, &release, &floor, err) < 0)
		return err->code;
	printf("INITRD-VERSION %u; the oldest that may run is %u\n", release.version, floor);
	return 0;
}

static int read_verity(const char *hash_device, struct verity *ret_verity, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(hash_device, O_RDONLY | O_CLOEXEC);
	uint8_t superblock[VERITY_SUPERBLOCK_SIZE];

	if (fd < 0 || pread(fd, superblock, sizeof(superblock), 0) != sizeof(superblock))
		return error_set_errno(err, ERROR_IO, errno, "%s", hash_device);
	return verity_decode(superblock, ret_verity, err);
}

static int start_verity(const uint8_t root_hash[ROOT_HASH_SIZE], struct verity *ret_verity,
			struct error *err)
{
	char data_device[DISK_PATH_SIZE];
	char hash_device[DISK_PATH_SIZE];
	char line[VERITY_TABLE_SIZE];
	dev_t device = 0;

	if (find_partitions(root_hash, data_device, hash_device, err) < 0 ||
	    read_verity(hash_device, ret_verity, err) < 0 ||
	    verity_table(ret_verity, data_device, hash_device, root_hash, line, err) < 0 ||
	    device_mapper_create("root", "CRYPT-VERITY-root",
				 ret_verity->block_count * (VERITY_BLOCK_SIZE / 512), "verity",
				 line, &device, err) < 0)
		return err->code;
	if (mknod(ROOT_DEVICE, S_IFBLK | 0600, device) < 0 && errno != EEXIST)
		return error_set_errno(err, ERROR_FAILED, errno, ROOT_DEVICE);
	return 0;
}

/* dm-verity looks at a block when it is read; so all are read now, before anything is started. */
static int scan_root(const struct verity *verity, struct error *err)
{
	static uint8_t buffer[1 << 20];
	CLEANUP(close_fdp)
	int fd = open(ROOT_DEVICE, O_RDONLY | O_CLOEXEC);
	uint64_t size = 0;
	ssize_t count;

	if (fd < 0)
		return error_set_errno(err, ERROR_IO, errno, ROOT_DEVICE);
	while ((count = read(fd, buffer, sizeof(buffer))) > 0)
		size += (uint64_t)count;
	if (count < 0)
		return error_set_errno(err, ERROR_DEFECT, errno,
				       "the root is not what was signed, at byte %llu",
				       (unsigned long long)size);
	if (size != verity->block_count * VERITY_BLOCK_SIZE)
		return error_set(err, ERROR_DEFECT, "the root is shorter than was signed");
	printf("INITRD-SCANNED %llu bytes of the root are as signed\n", (unsigned long long)size);
	return 0;
}

/* The builder's signature on the value of PCR 11 goes where systemd looks for it. It is no secret,
 * and an image without one starts too: then the TPM does not open the data volume. */
static int hand_over_signature(struct error *err)
{
	static uint8_t bytes[SIGNATURE_SIZE_MAX];
	CLEANUP(close_fdp)
	int from = open(PCR_SIGNATURE, O_RDONLY | O_CLOEXEC);
	CLEANUP(close_fdp)
	int to = -1;
	ssize_t size = from < 0 ? 0 : read(from, bytes, sizeof(bytes));

	if (mount("tmpfs", NEW_ROOT "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "mounting /run");
	if (from < 0)
		return 0;
	if (mkdir(NEW_ROOT "/run/systemd", 0755) == 0)
		to = open(NEW_ROOT "/run/systemd/tpm2-pcr-signature.json",
			  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (to < 0 || size < 0 || write(to, bytes, (size_t)size) != size)
		return error_set_errno(err, ERROR_FAILED, errno, PCR_SIGNATURE);
	return 0;
}

static int switch_root(struct error *err)
{
	if (mount(ROOT_DEVICE, NEW_ROOT, "erofs", MS_RDONLY, NULL) < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "mounting the root");
	if (hand_over_signature(err) < 0)
		return err->code;
	if (mount("/dev", NEW_ROOT "/dev", NULL, MS_MOVE, NULL) < 0 ||
	    mount("/proc", NEW_ROOT "/proc", NULL, MS_MOVE, NULL) < 0 ||
	    mount("/sys", NEW_ROOT "/sys", NULL, MS_MOVE, NULL) < 0 || chdir(NEW_ROOT) < 0 ||
	    mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "switching to the root");
	return 0;
}

static int start(struct error *err)
{
	static char running[COMMAND_LINE_SIZE_MAX], signed_line[COMMAND_LINE_SIZE_MAX];
	uint8_t root_hash[ROOT_HASH_SIZE];
	struct verity verity;

	if (mount_kernel(err) < 0 || open_console(err) < 0 ||
	    read_line("/proc/cmdline", running, err) < 0 ||
	    read_line(SIGNED_COMMAND_LINE, signed_line, err) < 0 ||
	    command_line_compare(running, signed_line, err) < 0 ||
	    command_line_root_hash(signed_line, root_hash, err) < 0 || check_floor(err) < 0 ||
	    load_modules(err) < 0 || start_verity(root_hash, &verity, err) < 0 ||
	    scan_root(&verity, err) < 0 || switch_root(err) < 0)
		return err->code;
	return 0;
}

int main(void)
{
	static char program[] = SYSTEMD, path[] = "PATH=/usr/sbin:/usr/bin",
		    terminal[] = "TERM=dumb";
	static char *const arguments[] = {program, NULL};
	static char *const environment[] = {path, terminal, NULL};
	struct error err = {0};

	setvbuf(stdout, NULL, _IONBF, 0);
	if (start(&err) == 0) {
		execve(SYSTEMD, arguments, environment);
		error_set_errno(&err, ERROR_FAILED, errno, SYSTEMD);
	}
	printf("INITRD-REFUSED %s\n", err.message);
	sync();
	usleep(500000); /* the serial line is slow */
	reboot(LINUX_REBOOT_CMD_RESTART);
	return 1; /* pid 1 ends: the kernel panics */
}
