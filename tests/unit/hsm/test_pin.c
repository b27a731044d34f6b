#include "unit/cmocka_prelude.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hsm/pin.h"

#define PIN "4711-0815-PIN"

struct place {
	char directory[64];
	char path[128];
	char source[160];
};

static int place_setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	snprintf(place->directory, sizeof(place->directory), "/tmp/binvault-pin-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	snprintf(place->path, sizeof(place->path), "%s/hsm-pin", place->directory);
	snprintf(place->source, sizeof(place->source), "file:%s", place->path);
	*state = place;
	return 0;
}

static int place_teardown(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	rmdir(place->directory);
	unsetenv("CREDENTIALS_DIRECTORY");
	free(place);
	return 0;
}

static void write_file(const struct place *place, const void *bytes, size_t size, mode_t mode)
{
	int fd = open(place->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void refused(const struct place *place, int code, const char *words)
{
	struct secret pin = {0};
	struct error err = {0};

	assert_fails(pin_read(place->source, &pin, &err), &err, code, words);
	assert_null(pin.bytes);
	assert_null(strstr(err.message, PIN));
}

static void the_whole_file_is_the_pin(void **state)
{
	const struct place *place = *state;
	struct secret pin = {0};
	struct error err = {0};

	write_file(place, PIN, strlen(PIN), 0400);
	assert_ok(pin_read(place->source, &pin, &err), &err);
	assert_int_equal(pin.size, strlen(PIN));
	assert_memory_equal(pin.bytes, PIN, strlen(PIN));
	secret_release(&pin);
	write_file(place, PIN, strlen(PIN), 0640);
	assert_ok(pin_read(place->source, &pin, &err), &err);
	secret_release(&pin);
}

static void thirty_two_bytes_are_the_longest_pin(void **state)
{
	const struct place *place = *state;
	struct secret pin = {0};
	struct error err = {0};
	char bytes[4096];

	memset(bytes, '7', sizeof(bytes));
	write_file(place, bytes, 32, 0400);
	assert_ok(pin_read(place->source, &pin, &err), &err);
	assert_int_equal(pin.size, 32);
	secret_release(&pin);
	write_file(place, bytes, 33, 0400);
	refused(place, ERROR_USAGE, "is longer than 32 bytes");
	write_file(place, bytes, sizeof(bytes), 0400);
	refused(place, ERROR_USAGE, "is longer than 32 bytes");
}

static void a_newline_is_refused_with_the_way_to_write_it(void **state)
{
	const struct place *place = *state;
	char longest[34];

	write_file(place, PIN "\n", strlen(PIN) + 1, 0400);
	refused(place, ERROR_USAGE, "`printf %s`");
	write_file(place, PIN "\r\n", strlen(PIN) + 2, 0400);
	refused(place, ERROR_USAGE, "contains a newline");
	memset(longest, '7', sizeof(longest));
	longest[32] = '\r';
	longest[33] = '\n';
	write_file(place, longest, sizeof(longest), 0400);
	refused(place, ERROR_USAGE, "contains a newline");
}

static void an_empty_file_is_refused(void **state)
{
	write_file(*state, "", 0, 0400);
	refused(*state, ERROR_USAGE, "is empty");
}

static void a_nul_byte_is_refused(void **state)
{
	write_file(*state,
		   "47\0"
		   "11",
		   5, 0400);
	refused(*state, ERROR_USAGE, "contains a NUL byte");
}

static void a_file_open_to_every_user_is_refused(void **state)
{
	write_file(*state, PIN, strlen(PIN), 0644);
	refused(*state, ERROR_USAGE, "is open to every user (mode 0644)");
	write_file(*state, PIN, strlen(PIN), 0602);
	refused(*state, ERROR_USAGE, "is open to every user");
	write_file(*state, PIN, strlen(PIN), 0660);
	refused(*state, ERROR_USAGE, "can be changed by its group");
}

static void what_is_not_a_file_is_refused_without_waiting(void **state)
{
	const struct place *place = *state;

	refused(place, ERROR_NOT_FOUND, "No such file");
	assert_int_equal(mkfifo(place->path, 0600), 0);
	refused(place, ERROR_USAGE, "is not a regular file");
}

static void a_credential_is_read_from_its_directory(void **state)
{
	const struct place *place = *state;
	struct secret pin = {0};
	struct error err = {0};

	write_file(place, PIN, strlen(PIN), 0400);
	assert_fails(pin_read("credential:hsm-pin", &pin, &err), &err, ERROR_USAGE,
		     "LoadCredential=hsm-pin:");
	setenv("CREDENTIALS_DIRECTORY", place->directory, 1);
	assert_ok(pin_read("credential:hsm-pin", &pin, &err), &err);
	assert_memory_equal(pin.bytes, PIN, strlen(PIN));
	secret_release(&pin);
	assert_fails(pin_read("credential:other", &pin, &err), &err, ERROR_NOT_FOUND, "No such");
	assert_fails(pin_read("credential:../hsm-pin", &pin, &err), &err, ERROR_USAGE,
		     "does not name a credential");
	assert_fails(pin_read("credential:", &pin, &err), &err, ERROR_USAGE,
		     "does not name a credential");
}

static void a_source_of_no_kind_is_not_repeated(void **state)
{
	struct secret pin = {0};
	struct error err = {0};

	(void)state;
	assert_fails(pin_read(PIN, &pin, &err), &err, ERROR_USAGE, "'credential:NAME'");
	assert_null(strstr(err.message, PIN));
	assert_fails(pin_read("file:pin", &pin, &err), &err, ERROR_USAGE, "absolute path");
}

#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)

static void a_hash_tells_pins_and_salts_apart(void **state)
{
	uint8_t first[PIN_HASH_SIZE], second[PIN_HASH_SIZE];
	uint8_t bytes[] = "47110";
	struct secret pin = {.bytes = bytes, .size = 4};
	struct error err;

	(void)state;
	assert_ok(pin_hash(&pin, "salt", 4, first, &err), &err);
	assert_ok(pin_hash(&pin, "salt", 4, second, &err), &err);
	assert_memory_equal(first, second, sizeof(first));
	assert_ok(pin_hash(&pin, "sale", 4, second, &err), &err);
	assert_memory_not_equal(first, second, sizeof(first));
	pin.size = 5;
	assert_ok(pin_hash(&pin, "salt", 4, second, &err), &err);
	assert_memory_not_equal(first, second, sizeof(first));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(the_whole_file_is_the_pin),
		PLACE_TEST(thirty_two_bytes_are_the_longest_pin),
		PLACE_TEST(a_newline_is_refused_with_the_way_to_write_it),
		PLACE_TEST(an_empty_file_is_refused),
		PLACE_TEST(a_nul_byte_is_refused),
		PLACE_TEST(a_file_open_to_every_user_is_refused),
		PLACE_TEST(what_is_not_a_file_is_refused_without_waiting),
		PLACE_TEST(a_credential_is_read_from_its_directory),
		cmocka_unit_test(a_source_of_no_kind_is_not_repeated),
		cmocka_unit_test(a_hash_tells_pins_and_salts_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
