#include "unit/cmocka_prelude.h"

#include "initrd/command_line.h"

#define DIGITS "00112233445566778899aabbccddeeff00112233445566778899aabbccddee42"

static void the_signed_line_is_accepted_with_and_without_its_newline(void **state)
{
	struct error err = {0};

	(void)state;
	assert_ok(command_line_compare("ro quiet\n", "ro quiet", &err), &err);
	assert_ok(command_line_compare("ro quiet", "ro quiet\n", &err), &err);
}

static void any_other_line_is_refused(void **state)
{
	static const char *const lines[] = {"ro quiet init=/x", "ro",	     "",	"ro  quiet",
					    "ro quiet ",	" ro quiet", "Ro quiet"};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_fails(command_line_compare(lines[i], "ro quiet", &err), &err, ERROR_REFUSED,
			     "the kernel command line is not the signed one");
	assert_fails(command_line_compare("", "\n", &err), &err, ERROR_DEFECT,
		     "holds no command line");
}

static void the_root_hash_is_read_wherever_it_stands(void **state)
{
	uint8_t hash[ROOT_HASH_SIZE];
	struct error err = {0};

	(void)state;
	assert_ok(command_line_root_hash("ro roothash=" DIGITS " quiet\n", hash, &err), &err);
	assert_int_equal(hash[1], 0x11);
	assert_int_equal(hash[31], 0x42);
	assert_ok(command_line_root_hash("roothash=" DIGITS, hash, &err), &err);
}

static void a_missing_double_or_malformed_root_hash_is_refused(void **state)
{
	uint8_t hash[ROOT_HASH_SIZE];
	struct error err = {0};

	(void)state;
	assert_fails(command_line_root_hash("ro xroothash=" DIGITS, hash, &err), &err,
		     ERROR_REFUSED, "names no root hash");
	assert_fails(command_line_root_hash("", hash, &err), &err, ERROR_REFUSED,
		     "names no root hash");
	assert_fails(command_line_root_hash("roothash=12", hash, &err), &err, ERROR_REFUSED,
		     "has 2 digits, not 64");
	assert_fails(command_line_root_hash("roothash=" DIGITS "0", hash, &err), &err,
		     ERROR_REFUSED, "has 65 digits, not 64");
	assert_fails(command_line_root_hash("roothash=" DIGITS " roothash=" DIGITS, hash, &err),
		     &err, ERROR_REFUSED, "names two root hashes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_signed_line_is_accepted_with_and_without_its_newline),
		cmocka_unit_test(any_other_line_is_refused),
		cmocka_unit_test(the_root_hash_is_read_wherever_it_stands),
		cmocka_unit_test(a_missing_double_or_malformed_root_hash_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
