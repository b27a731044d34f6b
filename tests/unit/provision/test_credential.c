#include "unit/cmocka_prelude.h"

#include "base/checked.h"
#include "provision/credential.h"

static void a_unit_gets_its_credentials_and_no_file(void **state)
{
	static const char *const values[] = {
		"systemd:password", "file:/etc/key",	     NULL, "none",
		"credential:pin",   "command:/bin/systemd:x"};
	char text[CREDENTIAL_TEXT_SIZE];

	(void)state;
	credential_drop_in(values, ARRAY_LENGTH(values), "/c/", text);
	assert_string_equal(text, "[Service]\n"
				  "LoadCredentialEncrypted=password:/c/password\n"
				  "LoadCredentialEncrypted=pin:/c/pin\n");
}

static void one_without_any_gets_nothing(void **state)
{
	static const char *const values[] = {"command:/usr/bin/password"};
	char text[CREDENTIAL_TEXT_SIZE];

	(void)state;
	credential_drop_in(values, ARRAY_LENGTH(values), "/c/", text);
	assert_string_equal(text, "[Service]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unit_gets_its_credentials_and_no_file),
		cmocka_unit_test(one_without_any_gets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
