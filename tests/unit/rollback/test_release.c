#include "unit/cmocka_prelude.h"

#include "rollback/release.h"

static void a_release_is_its_version_and_its_floor(void **state)
{
	struct release release;
	struct error err = {0};

	(void)state;
	assert_ok(release_parse("version 12\nfloor 7\n", &release, &err), &err);
	assert_int_equal(release.version, 12);
	assert_int_equal(release.floor, 7);
	assert_ok(release_parse("version 999999\nfloor 999999\n", &release, &err), &err);
}

static void every_other_text_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    "version 1\n",
					    "floor 1\nversion 1\n",
					    "version 1\nfloor 1",
					    "version 1\nfloor 1\n\n",
					    "version 01\nfloor 1\n",
					    "version 0\nfloor 0\n",
					    "version 1\nfloor 0\n",
					    "version -1\nfloor 1\n",
					    "version 1000000\nfloor 1\n",
					    "version 99999999999999999999\nfloor 1\n",
					    "version  1\nfloor 1\n"};
	struct release release;
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_fails(release_parse(texts[i], &release, &err), &err, ERROR_DEFECT,
			     "no text of a version and a floor");
	assert_fails(release_parse("version 2\nfloor 3\n", &release, &err), &err, ERROR_DEFECT,
		     "version 2 sets the floor 3 above itself");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_release_is_its_version_and_its_floor),
		cmocka_unit_test(every_other_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
