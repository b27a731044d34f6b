#include "unit/cmocka_prelude.h"

#include "pull/suspect.h"

#define FILE_NAME "bin.000001"

/* Let @text come at @position, whole or in pieces. */
static enum suspect_verdict come(struct suspect *suspect, uint64_t position, const char *text,
				 bool whole)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t length = strlen(text), half = length / 2;

	suspect_begin(suspect, FILE_NAME, position);
	suspect_update(suspect, bytes, half);
	suspect_update(suspect, bytes + half, length - half);
	return suspect_judge(suspect, FILE_NAME, position, whole ? bytes : NULL, (uint32_t)length);
}

static void what_comes_twice_the_same_is_the_sources(void **state)
{
	struct suspect *suspect = suspect_new();

	(void)state;
	assert_int_equal(come(suspect, 4, "damaged", true), SUSPECT_FIRST);
	assert_int_equal(come(suspect, 4, "damaged", true), SUSPECT_SAME);
	assert_int_equal(come(suspect, 4, "damaged", true), SUSPECT_SAME);
	assert_int_equal(come(suspect, 4, "damaged", false), SUSPECT_SAME);
	suspect_free(suspect);
}

static void what_comes_in_pieces_is_compared_from_the_second_time_on(void **state)
{
	struct suspect *suspect = suspect_new();

	(void)state;
	assert_int_equal(come(suspect, 4, "damaged", false), SUSPECT_FIRST);
	assert_int_equal(come(suspect, 4, "damaged", false), SUSPECT_FIRST);
	assert_int_equal(come(suspect, 4, "damaged", false), SUSPECT_SAME);
	assert_int_equal(come(suspect, 4, "damagee", false), SUSPECT_DIFFERENT);
	assert_int_equal(come(suspect, 4, "damagee", false), SUSPECT_SAME);
	suspect_free(suspect);
}

static void other_bytes_another_length_and_another_place_are_not_the_same(void **state)
{
	struct suspect *suspect = suspect_new();

	(void)state;
	assert_int_equal(come(suspect, 4, "damaged", true), SUSPECT_FIRST);
	assert_int_equal(come(suspect, 4, "Damaged", true), SUSPECT_DIFFERENT);
	assert_int_equal(come(suspect, 4, "Damaged!", true), SUSPECT_DIFFERENT);
	assert_int_equal(come(suspect, 5, "Damaged!", true), SUSPECT_FIRST);
	suspect_begin(suspect, "bin.000002", 4);
	suspect_update(suspect, "Damaged!", 8);
	assert_int_equal(suspect_judge(suspect, "bin.000002", 4, (const uint8_t *)"Damaged!", 8),
			 SUSPECT_FIRST);
	suspect_free(suspect);
}

/* What was right in between is not remembered, and what broke off is not compared. */
static void what_was_right_or_broke_off_in_between_changes_nothing(void **state)
{
	struct suspect *suspect = suspect_new();

	(void)state;
	assert_int_equal(come(suspect, 4, "damaged", true), SUSPECT_FIRST);
	suspect_begin(suspect, FILE_NAME, 4);
	suspect_update(suspect, "dam", 3);
	suspect_begin(suspect, FILE_NAME, 11);
	suspect_update(suspect, "other", 5);
	assert_int_equal(come(suspect, 4, "damaged", true), SUSPECT_SAME);
	suspect_free(suspect);
}

static void a_few_places_are_remembered_at_a_time(void **state)
{
	struct suspect *suspect = suspect_new();

	(void)state;
	assert_int_equal(come(suspect, 4, "damaged", true), SUSPECT_FIRST);
	assert_int_equal(come(suspect, 11, "also", true), SUSPECT_FIRST);
	assert_int_equal(come(suspect, 4, "damaged", true), SUSPECT_SAME);
	assert_int_equal(come(suspect, 11, "also", true), SUSPECT_SAME);
	for (uint64_t position = 100; position < 104; position++)
		assert_int_equal(come(suspect, position, "more", true), SUSPECT_FIRST);
	assert_int_equal(come(suspect, 4, "damaged", true), SUSPECT_FIRST);
	suspect_free(suspect);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_twice_the_same_is_the_sources),
		cmocka_unit_test(what_comes_in_pieces_is_compared_from_the_second_time_on),
		cmocka_unit_test(other_bytes_another_length_and_another_place_are_not_the_same),
		cmocka_unit_test(a_few_places_are_remembered_at_a_time),
		cmocka_unit_test(what_was_right_or_broke_off_in_between_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
