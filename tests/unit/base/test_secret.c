#include "unit/cmocka_prelude.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"

/* The VmFlags line of the mapping that starts at @address, from /proc/self/smaps. */
static void vm_flags_of(const void *address, char flags[static 256])
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[512];
	int found = 0;

	assert_non_null(file);
	flags[0] = '\0';
	while (!flags[0] && fgets(line, sizeof(line), file)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			found = (uintptr_t)address >= start && (uintptr_t)address < end;
		else if (found && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, 256, "%.255s", line + 8);
	}
	fclose(file);
}

static void a_secret_is_locked_and_not_dumped(void **state)
{
	struct secret secret = {0};
	struct error err = {0};
	char flags[256];

	(void)state;
	assert_ok(secret_init(&secret, 32, &err), &err);
	assert_int_equal(secret.size, 32);
	for (int i = 0; i < 32; i++)
		assert_int_equal(secret.bytes[i], 0);
	memset(secret.bytes, 0xa5, 32);
	vm_flags_of(secret.bytes, flags);
	assert_non_null(strstr(flags, " dd"));
#ifndef BINVAULT_SANITIZED
	/* the sanitizers make mlock() do nothing */
	assert_non_null(strstr(flags, " lo"));
#endif
	secret_release(&secret);
	assert_null(secret.bytes);
	assert_int_equal(secret.size, 0);
	secret_release(&secret);
}

static void a_released_secret_is_unmapped(void **state)
{
	struct secret secret = {0};
	struct error err = {0};
	unsigned char resident;
	void *page;

	(void)state;
	assert_ok(secret_init(&secret, SECRET_SIZE_MAX, &err), &err);
	page = secret.bytes;
	assert_int_equal(mincore(page, 1, &resident), 0);
	secret_release(&secret);
	assert_int_equal(mincore(page, 1, &resident), -1);
}

static void wiped_bytes_are_zero(void **state)
{
	uint8_t bytes[100];

	(void)state;
	memset(bytes, 7, sizeof(bytes));
	secret_wipe(bytes + 1, 98);
	assert_int_equal(bytes[0], 7);
	assert_int_equal(bytes[99], 7);
	for (int i = 1; i < 99; i++)
		assert_int_equal(bytes[i], 0);
}

static void memory_that_cannot_be_locked_is_no_secret(void **state)
{
	pid_t child;
	int status;

	(void)state;
#ifdef BINVAULT_SANITIZED
	skip();
#endif
	child = fork();
	if (child == 0) {
		struct rlimit none = {0};
		struct secret secret = {0};
		struct error err = {0};

		/* root is above the limit */
		if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (geteuid() == 0 && setuid(65534) < 0))
			_exit(1);
		_exit(secret_init(&secret, 32, &err) == ERROR_FAILED &&
				      strstr(err.message, "raise RLIMIT_MEMLOCK") && !secret.bytes
			      ? 0
			      : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_locked_and_not_dumped),
		cmocka_unit_test(a_released_secret_is_unmapped),
		cmocka_unit_test(wiped_bytes_are_zero),
		cmocka_unit_test(memory_that_cannot_be_locked_is_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
