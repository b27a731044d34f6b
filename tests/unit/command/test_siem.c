#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/units.h"
#include "command/siem.h"
#include "forward/progress.h"
#include "io/clock.h"

struct fixture {
	char path[64];
	struct config config;
	json_t *status;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->path, sizeof(f->path), "/tmp/siem-test-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->config.siem = (struct config_siem){
		.host = strdup("siem.bank.example"), .port = 6514, .state = f->path};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/" PROGRESS_FILE, f->path);
	unlink(path);
	rmdir(f->path);
	free(f->config.siem.host);
	json_decref(f->status);
	free(f);
	return 0;
}

/* What all is well looks like. */
static struct progress good(void)
{
	struct progress progress;

	memset(&progress, 0, sizeof(progress));
	snprintf(progress.place.origin, sizeof(progress.place.origin), "binvault/x");
	progress.place.next_index = 90;
	progress.leaf_count = 100;
	progress.connected = true;
	progress.until_usec = progress.written_usec = clock_realtime_usec();
	return progress;
}

/* The object that a status gets; that one is normal before. */
static const json_t *added(struct fixture *f, const struct progress *progress)
{
	struct error err;
	int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (progress)
		assert_ok(progress_write(fd, progress, &err), &err);
	close(fd);
	json_decref(f->status);
	f->status = json_object();
	json_put_bool(f->status, "normal", true);
	siem_add(&f->config, f->status);
	return json_object_get(f->status, "siem");
}

static void expect_attention(struct fixture *f, const struct progress *progress, const char *words)
{
	const json_t *siem = added(f, progress);
	const char *sentence;
	struct error err;

	assert_true(json_is_false(json_object_get(siem, "normal")));
	assert_true(json_is_false(json_object_get(f->status, "normal")));
	assert_ok(json_get_string(siem, "sentence", &sentence, &err), &err);
	if (!strstr(sentence, words))
		fail_msg("'%s' does not contain '%s'", sentence, words);
}

static void what_is_forwarded_in_time_is_normal(void **state)
{
	struct progress progress = good();
	const json_t *siem = added(*state, &progress);
	struct error err;
	uint64_t behind;

	assert_true(json_is_true(json_object_get(siem, "normal")));
	assert_true(json_is_true(json_object_get(siem, "connected")));
	assert_ok(json_get_u64(siem, "behind", &behind, &err), &err);
	assert_int_equal(behind, 10);
	/* a short while without a connection is no matter */
	progress.connected = false;
	progress.until_usec -= 200 * USEC_PER_SEC;
	assert_true(json_is_true(json_object_get(added(*state, &progress), "normal")));
}

static void what_is_late_silent_rewound_or_never_was_needs_attention(void **state)
{
	struct progress progress = good();

	expect_attention(*state, NULL, "nothing has been forwarded yet");
	progress.until_usec -= 301 * USEC_PER_SEC;
	snprintf(progress.sentence, sizeof(progress.sentence), "refused");
	expect_attention(*state, &progress, "refused");
	progress = good();
	progress.written_usec -= 181 * USEC_PER_SEC;
	expect_attention(*state, &progress, "does it run?");
	assert_true(json_is_false(json_object_get(
		json_object_get(((struct fixture *)*state)->status, "siem"), "connected")));
	progress = good();
	progress.rewound = true;
	snprintf(progress.sentence, sizeof(progress.sentence), "put back");
	expect_attention(*state, &progress, "put back");
}

static void without_a_siem_nothing_is_said(void **state)
{
	struct fixture *f = *state;

	free(f->config.siem.host);
	f->config.siem.host = NULL;
	assert_null(added(f, NULL));
	assert_true(json_is_true(json_object_get(f->status, "normal")));
}

int main(void)
{
#define SIEM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		SIEM_TEST(what_is_forwarded_in_time_is_normal),
		SIEM_TEST(what_is_late_silent_rewound_or_never_was_needs_attention),
		SIEM_TEST(without_a_siem_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
