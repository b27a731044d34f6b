#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signer/login_record.h"

#define SERIAL "0123456789abcdef"

struct place {
	char path[64];
	int fd;
	struct secret pin, other;
};

static void fill(struct secret *secret, const char *text)
{
	struct error err;

	assert_ok(secret_init(secret, strlen(text), &err), &err);
	memcpy(secret->bytes, text, strlen(text));
}

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	snprintf(place->path, sizeof(place->path), "/tmp/binvault-login-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fill(&place->pin, "4711");
	fill(&place->other, "4712");
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlinkat(place->fd, LOGIN_RECORD_FILE, 0);
	close(place->fd);
	assert_int_equal(rmdir(place->path), 0);
	secret_release(&place->pin);
	secret_release(&place->other);
	free(place);
	return 0;
}

static int begin(const struct place *place, const struct secret *pin, enum token_pin_state token,
		 struct error *err)
{
	return login_record_begin(place->fd, place->path, pin, SERIAL, token, err);
}

static bool exists(const struct place *place)
{
	return faccessat(place->fd, LOGIN_RECORD_FILE, F_OK, 0) == 0;
}

static void a_login_that_works_leaves_nothing(void **state)
{
	struct place *place = *state;
	struct error err;

	for (int i = 0; i < 5; i++) {
		assert_ok(begin(place, &place->pin, TOKEN_PIN_CLEAR, &err), &err);
		assert_true(exists(place));
		assert_ok(login_record_end(place->fd, 0, &err), &err);
		assert_false(exists(place));
	}
}

static void a_token_that_is_away_is_no_try(void **state)
{
	struct place *place = *state;
	struct error err;

	for (int i = 0; i < 5; i++) {
		assert_ok(begin(place, &place->pin, TOKEN_PIN_CLEAR, &err), &err);
		assert_ok(login_record_end(place->fd, ERROR_UNAVAILABLE, &err), &err);
	}
	assert_false(exists(place));
}

static void a_refused_pin_is_not_tried_again(void **state)
{
	struct place *place = *state;
	struct error err;

	assert_ok(begin(place, &place->pin, TOKEN_PIN_CLEAR, &err), &err);
	assert_ok(login_record_end(place->fd, ERROR_REFUSED, &err), &err);
	for (int i = 0; i < 3; i++) {
		assert_fails(begin(place, &place->pin, TOKEN_PIN_CLEAR, &err), &err, ERROR_REFUSED,
			     "has refused this PIN before: it is not tried again");
		assert_non_null(strstr(err.message, place->path));
		assert_null(strstr(err.message, "4711"));
	}
}

static void a_changed_pin_or_token_is_tried(void **state)
{
	struct place *place = *state;
	struct error err;

	assert_ok(login_record_refused(place->fd, &place->pin, SERIAL, &err), &err);
	assert_fails(begin(place, &place->pin, TOKEN_PIN_CLEAR, &err), &err, ERROR_REFUSED, "");
	assert_ok(login_record_begin(place->fd, place->path, &place->pin, "other", TOKEN_PIN_CLEAR,
				     &err),
		  &err);
	assert_ok(login_record_refused(place->fd, &place->pin, SERIAL, &err), &err);
	assert_ok(begin(place, &place->other, TOKEN_PIN_COUNT_LOW, &err), &err);
}

static void what_a_crash_left_is_tried_again_three_times_in_all(void **state)
{
	struct place *place = *state;
	struct error err;

	for (int i = 0; i < LOGIN_TRIES_MAX; i++)
		assert_ok(begin(place, &place->pin, TOKEN_PIN_CLEAR, &err), &err);
	for (int i = 0; i < 2; i++)
		assert_fails(begin(place, &place->pin, TOKEN_PIN_CLEAR, &err), &err, ERROR_REFUSED,
			     "3 logins with this PIN were cut off");
	assert_ok(begin(place, &place->other, TOKEN_PIN_CLEAR, &err), &err);
}

static void what_a_crash_left_counts_as_refused_where_the_token_counted_it(void **state)
{
	static const enum token_pin_state states[] = {TOKEN_PIN_COUNT_LOW, TOKEN_PIN_FINAL_TRY,
						      TOKEN_PIN_LOCKED};
	struct place *place = *state;
	struct error err;

	for (size_t i = 0; i < 3; i++) {
		assert_ok(begin(place, &place->pin, TOKEN_PIN_CLEAR, &err), &err);
		assert_fails(begin(place, &place->pin, states[i], &err), &err, ERROR_REFUSED,
			     "not tried again");
		/* Also once the counter is clear again. */
		assert_fails(begin(place, &place->pin, TOKEN_PIN_CLEAR, &err), &err, ERROR_REFUSED,
			     "has refused this PIN before");
		assert_int_equal(unlinkat(place->fd, LOGIN_RECORD_FILE, 0), 0);
	}
}

static void the_record_shows_no_pin_and_is_nobody_elses(void **state)
{
	struct place *place = *state;
	struct error err;
	struct stat status;
	char text[1024];
	ssize_t size;
	int fd;

	assert_ok(login_record_refused(place->fd, &place->pin, SERIAL, &err), &err);
	fd = openat(place->fd, LOGIN_RECORD_FILE, O_RDONLY);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(size > 0);
	text[size] = '\0';
	assert_null(strstr(text, "4711"));
	assert_null(strstr(text, "34373131")); /* in hexadecimal */
}

static void a_damaged_record_is_no_permission(void **state)
{
	struct place *place = *state;
	struct error err;
	int fd;

	assert_ok(login_record_refused(place->fd, &place->pin, SERIAL, &err), &err);
	fd = openat(place->fd, LOGIN_RECORD_FILE, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 10), 1);
	close(fd);
	assert_fails(begin(place, &place->pin, TOKEN_PIN_CLEAR, &err), &err, ERROR_DEFECT,
		     "'login' is damaged");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_login_that_works_leaves_nothing),
		TEST(a_token_that_is_away_is_no_try),
		TEST(a_refused_pin_is_not_tried_again),
		TEST(a_changed_pin_or_token_is_tried),
		TEST(what_a_crash_left_is_tried_again_three_times_in_all),
		TEST(what_a_crash_left_counts_as_refused_where_the_token_counted_it),
		TEST(the_record_shows_no_pin_and_is_nobody_elses),
		TEST(a_damaged_record_is_no_permission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
