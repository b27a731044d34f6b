#include "unit/cmocka_prelude.h"

#include "provision/shares.h"

static const uint8_t secret[] = "cbdefghi-jklnrtuv";

static void any_threshold_of_them_gives_the_secret_back(void **state)
{
	struct share shares[SHARES_MAX], chosen[3];
	uint8_t combined[sizeof(secret)];

	(void)state;
	shares_split(secret, sizeof(secret), 3, 5, shares);
	for (int a = 0; a < 5; a++) {
		for (int b = 0; b < 5; b++) {
			for (int c = 0; c < 5; c++) {
				if (a == b || b == c || a == c)
					continue;
				chosen[0] = shares[a];
				chosen[1] = shares[b];
				chosen[2] = shares[c];
				shares_combine(chosen, 3, sizeof(secret), combined);
				assert_memory_equal(combined, secret, sizeof(secret));
			}
		}
	}
}

static void fewer_do_not(void **state)
{
	struct share shares[SHARES_MAX];
	uint8_t combined[sizeof(secret)];

	(void)state;
	shares_split(secret, sizeof(secret), 3, 5, shares);
	shares_combine(shares, 2, sizeof(secret), combined);
	assert_memory_not_equal(combined, secret, sizeof(secret));
	assert_memory_not_equal(shares[0].bytes, secret, sizeof(secret));
}

/* So that tools/combine_shares.py, which knows nothing of this code, is held to the same field: the
 * line through (1, 0x53 + 0xca) and (2, 0x53 + 2 * 0xca) has 0x53 at 0. */
static void the_field_is_that_of_aes(void **state)
{
	const struct share shares[] = {
		{.number = 1, .bytes = {0x53 ^ 0xca}},
		{.number = 2, .bytes = {0x53 ^ 0x8f}}, /* 2 * 0xca = 0x8f */
	};
	uint8_t combined;

	(void)state;
	shares_combine(shares, 2, 1, &combined);
	assert_int_equal(combined, 0x53);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_threshold_of_them_gives_the_secret_back),
		cmocka_unit_test(fewer_do_not),
		cmocka_unit_test(the_field_is_that_of_aes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
