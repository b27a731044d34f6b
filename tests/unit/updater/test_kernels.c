/* In a folder of this machine: names and order are the same on FAT. */
#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "updater/kernels.h"

struct folder {
	char path[64];
	int fd;
};

static int make_folder(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	snprintf(folder->path, sizeof(folder->path), "/tmp/binvault-kernels-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder->fd >= 0);
	*state = folder;
	return 0;
}

static int remove_folder(void **state)
{
	struct folder *folder = *state;
	char command[96];

	close(folder->fd);
	snprintf(command, sizeof(command), "rm -r %s", folder->path);
	assert_int_equal(system(command), 0);
	free(folder);
	return 0;
}

static void touch(const struct folder *folder, const char *name)
{
	int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static bool exists(const struct folder *folder, const char *name)
{
	return faccessat(folder->fd, name, F_OK, 0) == 0;
}

static void a_version_that_is_called_good_loses_its_counter(void **state)
{
	const struct folder *folder = *state;
	struct kernels kernels;
	struct error err = {0};

	touch(folder, "vault_1+2-1.efi");
	touch(folder, "something.efi");
	assert_ok(kernels_list(folder->fd, &kernels, &err), &err);
	assert_int_equal(kernels.count, 1);
	assert_ok(kernels_call_good(folder->fd, kernels_find(&kernels, 1), &err), &err);
	assert_true(exists(folder, "vault_1.efi"));
	assert_false(exists(folder, "vault_1+2-1.efi"));
	assert_null(kernels_find(&kernels, 2));
}

static void only_another_version_that_is_not_bad_can_be_fallen_back_to(void **state)
{
	const struct folder *folder = *state;
	struct kernels kernels;
	struct error err = {0};

	touch(folder, "vault_1+0-3.efi");
	touch(folder, "vault_2+0-3.efi");
	assert_ok(kernels_list(folder->fd, &kernels, &err), &err);
	assert_false(kernels_have_other(&kernels, 2));
	touch(folder, "vault_3.efi");
	assert_ok(kernels_list(folder->fd, &kernels, &err), &err);
	assert_true(kernels_have_other(&kernels, 2));
	assert_false(kernels_have_other(&kernels, 3));
}

static void a_new_version_comes_with_its_tries_and_replaces_the_others(void **state)
{
	const struct folder *folder = *state;
	struct error err = {0};
	struct stat status;

	touch(folder, "vault_1.efi");
	touch(folder, "vault_2.efi");
	touch(folder, "update.partial");
	touch(folder, "something.efi");
	assert_ok(kernels_remove_others(folder->fd, 2, &err), &err);
	assert_false(exists(folder, "vault_1.efi"));
	assert_false(exists(folder, "update.partial"));
	assert_true(exists(folder, "vault_2.efi"));
	assert_true(exists(folder, "something.efi"));
	assert_ok(kernels_place(folder->fd, 3, "kernel", 6, &err), &err);
	assert_int_equal(fstatat(folder->fd, "vault_3+3.efi", &status, 0), 0);
	assert_int_equal(status.st_size, 6);
	assert_false(exists(folder, "update.partial"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_version_that_is_called_good_loses_its_counter,
						make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			only_another_version_that_is_not_bad_can_be_fallen_back_to, make_folder,
			remove_folder),
		cmocka_unit_test_setup_teardown(
			a_new_version_comes_with_its_tries_and_replaces_the_others, make_folder,
			remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
