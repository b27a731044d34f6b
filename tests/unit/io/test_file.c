#include "unit/cmocka_prelude.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "io/file.h"

#define BLOCK BLOCK_SIZE_MIN

struct fixture {
	char path[64];
	int dir_fd;
	struct error err;
};

/* The folder is always removable afterwards: flags are cleared before, innermost first. */
static void remove_below(int dir_fd)
{
	DIR *dir = fdopendir(dup(dir_fd));
	struct error err;
	struct dirent *entry;

	assert_non_null(dir);
	rewinddir(dir);
	while ((entry = readdir(dir))) {
		int fd;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		fd = openat(dir_fd, entry->d_name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
		if (fd >= 0) {
			int r = file_protect(fd, FILE_PROTECTION_NONE, &err);

			(void)r;
			if (entry->d_type == DT_DIR)
				remove_below(fd);
			close(fd);
		}
		unlinkat(dir_fd, entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	}
	closedir(dir);
}

/* In the build folder, not in /tmp: that may be a tmpfs without direct I/O and flags. */
static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	snprintf(fixture->path, sizeof(fixture->path), "build/test-file-XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	fixture->dir_fd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture->dir_fd >= 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct error err;
	int r;

	umask(022);
	r = file_protect(fixture->dir_fd, FILE_PROTECTION_NONE, &err);
	(void)r;
	remove_below(fixture->dir_fd);
	close(fixture->dir_fd);
	r = rmdir(fixture->path);
	free(fixture);
	return r;
}

static bool may_protect(void)
{
	return prctl(PR_CAPBSET_READ, CAP_LINUX_IMMUTABLE) == 1 && geteuid() == 0;
}

static mode_t mode_of(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_mode & 07777;
}

static void what_was_appended_is_read_back(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	uint8_t *out = file_buffer_new(2 * BLOCK);
	CLEANUP(freep)
	uint8_t *in = file_buffer_new(4 * BLOCK);
	uint64_t size;
	int fd = file_create(f->dir_fd, "a", 0640, &f->err);

	assert_ok(fd, &f->err);
	for (int i = 0; i < 4; i++) {
		memset(out, 'a' + i, BLOCK);
		assert_ok(file_append_durable(fd, out, BLOCK, &f->err), &f->err);
	}
	assert_ok(file_size(fd, &size, &f->err), &f->err);
	assert_int_equal(size, 4 * BLOCK);
	close(fd);
	fd = file_open_append(f->dir_fd, "a", &f->err);
	assert_ok(fd, &f->err);
	assert_int_equal(fcntl(fd, F_GETFL) & (O_APPEND | O_DIRECT | O_NONBLOCK),
			 O_APPEND | O_DIRECT);
	assert_ok(file_append_durable(fd, out, 2 * BLOCK, &f->err), &f->err);
	close(fd);
	fd = file_open_direct(f->dir_fd, "a", &f->err);
	assert_ok(fd, &f->err);
	assert_ok(file_read_exact(fd, in, 4 * BLOCK, BLOCK, &f->err), &f->err);
	assert_int_equal(in[0], 'b');
	assert_int_equal(in[BLOCK], 'c');
	assert_int_equal(in[2 * BLOCK], 'd');
	assert_int_equal(in[3 * BLOCK], 'd');
	close(fd);
}

static void a_read_tells_where_the_file_ends(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	uint8_t *buffer = file_buffer_new(4 * BLOCK);
	int fd;

	assert_ok(file_replace(f->dir_fd, "odd", buffer, BLOCK + 100, 0600, &f->err), &f->err);
	for (int direct = 0; direct < 2; direct++) {
		fd = direct ? file_open_direct(f->dir_fd, "odd", &f->err)
			    : file_open_read(f->dir_fd, "odd", &f->err);
		assert_ok(fd, &f->err);
		assert_int_equal(file_read(fd, buffer, 4 * BLOCK, 0, &f->err), BLOCK + 100);
		assert_int_equal(file_read(fd, buffer, BLOCK, 4 * BLOCK, &f->err), 0);
		assert_fails(file_read_exact(fd, buffer, 2 * BLOCK, 0, &f->err), &f->err,
			     ERROR_DEFECT, "the file ends at 4196, 3996 bytes too early");
		assert_fails(file_read(fd, buffer, BLOCK, INT64_MAX - 10, &f->err), &f->err,
			     ERROR_DEFECT, "beyond every file");
		close(fd);
	}
}

static void a_file_is_never_created_twice(void **state)
{
	struct fixture *f = *state;
	int fd = file_create(f->dir_fd, "once", 0640, &f->err);

	assert_ok(fd, &f->err);
	close(fd);
	assert_fails(file_create(f->dir_fd, "once", 0640, &f->err), &f->err, ERROR_EXISTS,
		     "opening 'once': File exists");
	assert_fails(file_open_read(f->dir_fd, "never", &f->err), &f->err, ERROR_NOT_FOUND,
		     "opening 'never'");
}

static void the_umask_cuts_no_mode(void **state)
{
	struct fixture *f = *state;
	int fd;

	umask(077);
	fd = file_create(f->dir_fd, "a", 0664, &f->err);
	assert_ok(fd, &f->err);
	assert_int_equal(mode_of(fd), 0664);
	close(fd);
	fd = directory_make(f->dir_fd, "d", 02750, &f->err);
	assert_ok(fd, &f->err);
	assert_int_equal(mode_of(fd), 02750);
	close(fd);
	/* setgid is inherited, and an existing directory is left as it is */
	fd = directory_make(f->dir_fd, "d/below", 0770, &f->err);
	assert_ok(fd, &f->err);
	assert_int_equal(mode_of(fd), 02770);
	close(fd);
	fd = directory_make(f->dir_fd, "d/below", 0700, &f->err);
	assert_ok(fd, &f->err);
	assert_int_equal(mode_of(fd), 02770);
	close(fd);
}

static void only_regular_files_and_no_links_are_opened(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkfifoat(f->dir_fd, "fifo", 0600), 0);
	assert_int_equal(symlinkat("fifo", f->dir_fd, "link"), 0);
	assert_int_equal(symlinkat(".", f->dir_fd, "dirlink"), 0);
	/* and none of it blocks */
	assert_fails(file_open_read(f->dir_fd, "fifo", &f->err), &f->err, ERROR_USAGE,
		     "not a regular file");
	assert_fails(file_open_read(f->dir_fd, "link", &f->err), &f->err, ERROR_USAGE,
		     "opening 'link'");
	assert_fails(file_open_read(f->dir_fd, ".", &f->err), &f->err, ERROR_USAGE,
		     "not a regular file");
	assert_fails(directory_open(f->dir_fd, "fifo", &f->err), &f->err, ERROR_USAGE,
		     "opening directory 'fifo'");
	assert_fails(directory_open(f->dir_fd, "dirlink", &f->err), &f->err, ERROR_USAGE,
		     "opening directory 'dirlink'");
	assert_fails(directory_make(f->dir_fd, "no/where", 0700, &f->err), &f->err, ERROR_NOT_FOUND,
		     "making directory 'no/where'");
}

static void a_replaced_file_has_the_new_bytes_and_the_mode(void **state)
{
	struct fixture *f = *state;
	char text[16] = {0};
	int fd;

	assert_ok(file_replace(f->dir_fd, "state", "first, long", 11, 0600, &f->err), &f->err);
	/* what a crash left */
	fd = openat(f->dir_fd, ".state.new", O_CREAT | O_WRONLY, 0666);
	assert_true(fd >= 0);
	close(fd);
	assert_ok(file_replace(f->dir_fd, "state", "second", 6, 0600, &f->err), &f->err);
	fd = file_open_read(f->dir_fd, "state", &f->err);
	assert_ok(fd, &f->err);
	assert_int_equal(file_read(fd, text, sizeof(text), 0, &f->err), 6);
	assert_string_equal(text, "second");
	assert_int_equal(mode_of(fd), 0600);
	close(fd);
	assert_ok(file_replace(f->dir_fd, "state", "third", 5, 0644, &f->err), &f->err);
	fd = file_open_read(f->dir_fd, "state", &f->err);
	assert_int_equal(mode_of(fd), 0644);
	assert_int_equal(faccessat(f->dir_fd, ".state.new", F_OK, 0), -1);
	close(fd);
}

/* In a child: the limit cannot be raised again by everybody. */
static void child_appends_over_its_limit(struct fixture *f, rlim_t limit)
{
	struct rlimit limits = {.rlim_cur = limit, .rlim_max = limit};
	uint8_t *bytes = file_buffer_new(8 * BLOCK);
	int fd = file_create(f->dir_fd, "limited", 0640, &f->err);
	int r;

	signal(SIGXFSZ, SIG_IGN);
	if (fd < 0 || setrlimit(RLIMIT_FSIZE, &limits) < 0)
		_exit(100);
	r = file_append_durable(fd, bytes, 8 * BLOCK, &f->err);
	if (r != ERROR_IO)
		_exit(101);
	_exit(strstr(f->err.message, "appending 32768 bytes, of which 8192 are written: File too "
				     "large")
		      ? 0
		      : 102);
}

static void a_short_write_goes_on_until_the_kernel_says_why(void **state)
{
	struct fixture *f = *state;
	struct stat status;
	pid_t child = fork();
	int exit_status;

	if (child == 0)
		child_appends_over_its_limit(f, 2 * BLOCK);
	assert_int_equal(waitpid(child, &exit_status, 0), child);
	assert_int_equal(exit_status, 0);
	assert_int_equal(fstatat(f->dir_fd, "limited", &status, 0), 0);
	assert_int_equal(status.st_size, 2 * BLOCK);
}

/* In a child with mounts of its own: 16 KiB of memory that pretend to be a disk. */
static void child_fills_its_disk(struct fixture *f)
{
	uint8_t *bytes = file_buffer_new(8 * BLOCK);
	int dir_fd;
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", f->path, "tmpfs", 0, "size=16k") < 0)
		_exit(77);
	dir_fd = directory_open(AT_FDCWD, f->path, &f->err);
	fd = file_create(dir_fd, "a", 0640, &f->err);
	if (fd < 0)
		_exit(77);
	/* a part fits: final */
	if (file_append_durable(fd, bytes, 8 * BLOCK, &f->err) != ERROR_IO ||
	    !strstr(f->err.message, "appending 32768 bytes, of which 16384 are written"))
		_exit(1);
	/* nothing fits: the file is as it was, and the call may be repeated */
	if (file_append_durable(fd, bytes, BLOCK, &f->err) != ERROR_NO_SPACE ||
	    f->err.saved_errno != ENOSPC)
		_exit(2);
	_exit(0);
}

static void a_full_disk_is_no_space_only_if_nothing_was_written(void **state)
{
	struct fixture *f = *state;
	pid_t child = fork();
	int exit_status;

	if (child == 0)
		child_fills_its_disk(f);
	assert_int_equal(waitpid(child, &exit_status, 0), child);
	if (WIFEXITED(exit_status) && WEXITSTATUS(exit_status) == 77)
		skip();
	assert_int_equal(exit_status, 0);
}

static void an_append_that_the_system_refuses_is_final(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	uint8_t *bytes = file_buffer_new(BLOCK);

	assert_fails(file_append_durable(f->dir_fd, bytes, BLOCK, &f->err), &f->err, ERROR_IO,
		     "of which 0 are written: Bad file descriptor");
}

static void a_torn_file_is_filled_to_a_whole_block(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	uint8_t *bytes = file_buffer_new(2 * BLOCK);
	int fd;

	memset(bytes, 'x', BLOCK + 100);
	assert_ok(file_replace(f->dir_fd, "torn", bytes, BLOCK + 100, 0600, &f->err), &f->err);
	/* twice is once: a whole block needs nothing */
	for (int i = 0; i < 2; i++)
		assert_ok(file_append_filler(f->dir_fd, "torn", '\n', BLOCK, &f->err), &f->err);
	fd = file_open_read(f->dir_fd, "torn", &f->err);
	assert_ok(fd, &f->err);
	assert_int_equal(file_read(fd, bytes, 2 * BLOCK, 0, &f->err), 2 * BLOCK);
	assert_int_equal(bytes[BLOCK + 99], 'x');
	for (size_t i = BLOCK + 100; i < 2 * BLOCK; i++)
		assert_int_equal(bytes[i], '\n');
	assert_int_equal(file_read(fd, bytes, BLOCK, 2 * BLOCK, &f->err), 0);
	close(fd);
	assert_fails(file_append_filler(f->dir_fd, "none", ' ', BLOCK, &f->err), &f->err,
		     ERROR_NOT_FOUND, "opening 'none'");
}

static void the_block_size_is_a_power_of_two_in_bounds(void **state)
{
	struct fixture *f = *state;
	uint32_t block = 0;
	uint64_t space = 0;
	int fd = file_create(f->dir_fd, "a", 0600, &f->err);

	assert_ok(fd, &f->err);
	assert_ok(file_block_size(fd, &block, &f->err), &f->err);
	assert_in_range(block, BLOCK_SIZE_MIN, BLOCK_SIZE_MAX);
	assert_int_equal(block & (block - 1), 0);
	assert_ok(file_free_space(fd, &space, &f->err), &f->err);
	assert_true(space > 0 && space < UINT64_MAX);
	close(fd);
}

static void buffers_are_aligned_and_zeroed(void **state)
{
	(void)state;
	for (size_t size = 0; size < 3 * BLOCK; size += 1000) {
		CLEANUP(freep)
		uint8_t *buffer = file_buffer_new(size);
		size_t whole = size == 0 ? BLOCK : (size + BLOCK - 1) / BLOCK * BLOCK;

		assert_int_equal((uintptr_t)buffer % BLOCK_SIZE_MAX, 0);
		for (size_t i = 0; i < whole; i++)
			assert_int_equal(buffer[i], 0);
	}
}

static void append_only_files_take_appends_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep)
	uint8_t *bytes = file_buffer_new(BLOCK);
	enum file_protection protection;
	int fd;

	if (!may_protect())
		skip();
	fd = file_create(f->dir_fd, "a", 0640, &f->err);
	assert_ok(fd, &f->err);
	assert_ok(file_protection(fd, &protection, &f->err), &f->err);
	assert_int_equal(protection, FILE_PROTECTION_NONE);
	assert_ok(file_protect(fd, FILE_PROTECTION_APPEND, &f->err), &f->err);
	assert_ok(file_protect(fd, FILE_PROTECTION_APPEND, &f->err), &f->err);
	assert_ok(file_protection(fd, &protection, &f->err), &f->err);
	assert_int_equal(protection, FILE_PROTECTION_APPEND);
	assert_ok(file_append_durable(fd, bytes, BLOCK, &f->err), &f->err);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(unlinkat(f->dir_fd, "a", 0), -1);
	close(fd);
	fd = file_open_append(f->dir_fd, "a", &f->err);
	assert_ok(fd, &f->err);
	close(fd);
	fd = file_open_read(f->dir_fd, "a", &f->err);
	assert_ok(fd, &f->err);
	assert_ok(file_protect(fd, FILE_PROTECTION_IMMUTABLE, &f->err), &f->err);
	assert_ok(file_protection(fd, &protection, &f->err), &f->err);
	assert_int_equal(protection, FILE_PROTECTION_IMMUTABLE);
	assert_fails(file_open_append(f->dir_fd, "a", &f->err), &f->err, ERROR_REFUSED,
		     "opening 'a': Operation not permitted");
	assert_ok(file_protect(fd, FILE_PROTECTION_NONE, &f->err), &f->err);
	assert_int_equal(unlinkat(f->dir_fd, "a", 0), 0);
	close(fd);
}

static void setting_a_flag_keeps_the_others(void **state)
{
	struct fixture *f = *state;
	int before = 0;
	int after = 0;
	int fd;

	if (!may_protect())
		skip();
	fd = file_create(f->dir_fd, "a", 0640, &f->err);
	assert_ok(fd, &f->err);
	/* FS_IOC_GETFLAGS and FS_APPEND_FL, by number: <linux/fs.h> redefines much */
	assert_int_equal(ioctl(fd, _IOR('f', 1, long), &before), 0);
	assert_ok(file_protect(fd, FILE_PROTECTION_APPEND, &f->err), &f->err);
	assert_int_equal(ioctl(fd, _IOR('f', 1, long), &after), 0);
	assert_int_equal(after, before | 0x20);
	close(fd);
}

static void without_flags_or_the_right_to_them_a_sentence_says_so(void **state)
{
	struct fixture *f = *state;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	enum file_protection protection;
	pid_t child;
	int exit_status;

	assert_fails(file_protection(fd, &protection, &f->err), &f->err, ERROR_USAGE,
		     "no append-only and immutable flags");
	close(fd);
	if (geteuid() != 0)
		skip();
	child = fork();
	if (child == 0) {
		int r;

		if (fchmod(f->dir_fd, 0777) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
			_exit(100);
		fd = file_create(f->dir_fd, "mine", 0640, &f->err);
		r = file_protect(fd, FILE_PROTECTION_APPEND, &f->err);
		_exit(r == ERROR_REFUSED && strstr(f->err.message, "CAP_LINUX_IMMUTABLE") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &exit_status, 0), child);
	assert_int_equal(exit_status, 0);
}

static void a_lease_proves_that_no_writer_is_left(void **state)
{
	struct fixture *f = *state;
	int writer = file_create(f->dir_fd, "a", 0640, &f->err);
	int reader;

	assert_ok(writer, &f->err);
	reader = file_open_read(f->dir_fd, "a", &f->err);
	assert_ok(reader, &f->err);
	assert_fails(file_lease(reader, &f->err), &f->err, ERROR_BUSY, "still open for writing");
	assert_false(file_quiet(reader));
	close(writer);
	assert_ok(file_lease(reader, &f->err), &f->err);
	assert_true(file_quiet(reader));
	/* a new writer does not wait, does not get in, and the signal does not kill us */
	assert_fails(file_open_append(f->dir_fd, "a", &f->err), &f->err, ERROR_BUSY, "opening 'a'");
	assert_false(file_quiet(reader));
	close(reader);
	writer = file_open_append(f->dir_fd, "a", &f->err);
	assert_ok(writer, &f->err);
	close(writer);
}

int main(void)
{
#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		FILE_TEST(what_was_appended_is_read_back),
		FILE_TEST(a_read_tells_where_the_file_ends),
		FILE_TEST(a_file_is_never_created_twice),
		FILE_TEST(the_umask_cuts_no_mode),
		FILE_TEST(only_regular_files_and_no_links_are_opened),
		FILE_TEST(a_replaced_file_has_the_new_bytes_and_the_mode),
		FILE_TEST(a_short_write_goes_on_until_the_kernel_says_why),
		FILE_TEST(a_full_disk_is_no_space_only_if_nothing_was_written),
		FILE_TEST(an_append_that_the_system_refuses_is_final),
		FILE_TEST(a_torn_file_is_filled_to_a_whole_block),
		FILE_TEST(the_block_size_is_a_power_of_two_in_bounds),
		FILE_TEST(buffers_are_aligned_and_zeroed),
		FILE_TEST(append_only_files_take_appends_and_nothing_else),
		FILE_TEST(setting_a_flag_keeps_the_others),
		FILE_TEST(without_flags_or_the_right_to_them_a_sentence_says_so),
		FILE_TEST(a_lease_proves_that_no_writer_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
