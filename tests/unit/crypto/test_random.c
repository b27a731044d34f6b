#include "unit/cmocka_prelude.h"

#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/random.h"

static void every_byte_is_written_and_nothing_repeats(void **state)
{
	void (*const generators[])(void *, size_t) = {random_bytes, random_secret_bytes};

	(void)state;
	for (int g = 0; g < 2; g++) {
		uint8_t ever[64] = {0};
		uint8_t last[64] = {0};
		uint8_t now[64];

		for (int i = 0; i < 20; i++) {
			generators[g](now, sizeof(now));
			assert_memory_not_equal(now, last, sizeof(now));
			memcpy(last, now, sizeof(now));
			for (size_t j = 0; j < sizeof(now); j++)
				ever[j] |= now[j];
		}
		for (size_t j = 0; j < sizeof(ever); j++)
			assert_int_not_equal(ever[j], 0);
		generators[g](now, 0);
		assert_memory_equal(now, last, sizeof(now));
	}
}

static void a_forked_process_has_its_own_stream(void **state)
{
	uint8_t ours[32];
	uint8_t theirs[32];
	int fds[2];
	pid_t child;

	(void)state;
	random_bytes(ours, sizeof(ours));
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		random_bytes(ours, sizeof(ours));
		_exit(write(fds[1], ours, sizeof(ours)) == sizeof(ours) ? 0 : 1);
	}
	random_bytes(ours, sizeof(ours));
	assert_int_equal(read(fds[0], theirs, sizeof(theirs)), sizeof(theirs));
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_memory_not_equal(ours, theirs, sizeof(ours));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_is_written_and_nothing_repeats),
		cmocka_unit_test(a_forked_process_has_its_own_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
