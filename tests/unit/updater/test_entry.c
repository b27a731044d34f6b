#include "unit/cmocka_prelude.h"

#include "updater/entry.h"

static void a_name_is_read_and_written_alike(void **state)
{
	static const char *const names[] = {"vault_1.efi", "vault_2+3.efi", "vault_2+2-1.efi",
					    "vault_2+0-3.efi", "vault_999999+3-10.efi"};
	char name[ENTRY_NAME_SIZE];
	struct entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(entry_parse(names[i], &entry));
		entry_name(&entry, name);
		assert_string_equal(name, names[i]);
	}
}

static void case_means_nothing_to_a_fat(void **state)
{
	struct entry entry;

	(void)state;
	assert_true(entry_parse("VAULT_1.EFI", &entry));
	assert_int_equal(entry.version, 1);
	assert_false(entry.counted);
}

static void a_version_without_tries_is_bad(void **state)
{
	struct entry entry;

	(void)state;
	assert_true(entry_parse("vault_2+0-3.efi", &entry));
	assert_int_equal(entry.version, 2);
	assert_int_equal(entry.done, 3);
	assert_true(entry_is_bad(&entry));
	assert_true(entry_parse("vault_2+1-2.efi", &entry));
	assert_false(entry_is_bad(&entry));
	assert_true(entry_parse("vault_2.efi", &entry));
	assert_false(entry_is_bad(&entry));
}

static void other_names_are_not_ours(void **state)
{
	static const char *const names[] = {"",
					    "vault_.efi",
					    "vault_0.efi",
					    "vault_01.efi",
					    "vault_1",
					    "vault_1.efi.bak",
					    "vault_1+.efi",
					    "vault_1+3-.efi",
					    "vault_1-1.efi",
					    "vault_1+3+1.efi",
					    "vault_x.efi",
					    "vault_-1.efi",
					    "update.partial",
					    "vault_1000000.efi",
					    "vault_1+ 3.efi",
					    "vault_99999999999999999999.efi"};
	struct entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_false(entry_parse(names[i], &entry));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_read_and_written_alike),
		cmocka_unit_test(case_means_nothing_to_a_fat),
		cmocka_unit_test(a_version_without_tries_is_bad),
		cmocka_unit_test(other_names_are_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
