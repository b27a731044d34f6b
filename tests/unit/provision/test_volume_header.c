#include "unit/cmocka_prelude.h"

#include "provision/volume_header.h"

/* The beginning of a LUKS2 header with this label. */
static void make_luks(uint8_t *bytes, const char *label)
{
	memset(bytes, 0, 4096);
	memcpy(bytes, "LUKS\xba\xbe\x00\x02", 8);
	bytes[14] = 0x40; /* the size of the header: 16 KiB */
	memcpy(bytes + 24, label, strlen(label));
}

static void only_what_we_have_begun_ourselves_is_made_anew(void **state)
{
	uint8_t bytes[4096] = {0};

	(void)state;
	assert_int_equal(volume_kind(bytes, sizeof(bytes)), VOLUME_BLANK);
	make_luks(bytes, VOLUME_LABEL_NEW);
	assert_int_equal(volume_kind(bytes, sizeof(bytes)), VOLUME_UNFINISHED);
	make_luks(bytes, VOLUME_LABEL_MADE);
	assert_int_equal(volume_kind(bytes, sizeof(bytes)), VOLUME_MADE);
}

static void everything_else_is_left_alone(void **state)
{
	uint8_t bytes[4096];

	(void)state;
	make_luks(bytes, "");
	assert_int_equal(volume_kind(bytes, sizeof(bytes)), VOLUME_FOREIGN);
	make_luks(bytes, VOLUME_LABEL_NEW "er");
	assert_int_equal(volume_kind(bytes, sizeof(bytes)), VOLUME_FOREIGN);
	make_luks(bytes, "binvault-ne");
	assert_int_equal(volume_kind(bytes, sizeof(bytes)), VOLUME_FOREIGN);
	make_luks(bytes, VOLUME_LABEL_NEW);
	bytes[7] = 1; /* LUKS1 has no labels */
	assert_int_equal(volume_kind(bytes, sizeof(bytes)), VOLUME_FOREIGN);
	make_luks(bytes, VOLUME_LABEL_MADE);
	assert_int_equal(volume_kind(bytes, 71), VOLUME_FOREIGN);
	memset(bytes, 0, sizeof(bytes));
	bytes[sizeof(bytes) - 1] = 1; /* any file system but one that begins late */
	assert_int_equal(volume_kind(bytes, sizeof(bytes)), VOLUME_FOREIGN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_we_have_begun_ourselves_is_made_anew),
		cmocka_unit_test(everything_else_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
