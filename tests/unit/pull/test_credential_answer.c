#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <string.h>

#include "pull/credential_answer.h"

static int decode(const char *text, struct credential_answer *answer, struct error *err)
{
	return credential_answer_decode(text, strlen(text), answer, err);
}

static void an_object_of_the_three_keys_is_understood(void **state)
{
	struct credential_answer answer;
	struct error err;

	(void)state;
	assert_ok(decode("{\"user\":\"v-1\",\"password\":\"s3cret\","
			 "\"expires\":\"2026-11-26T17:00:00Z\"}\n",
			 &answer, &err),
		  &err);
	assert_string_equal(answer.user, "v-1");
	assert_string_equal(answer.password, "s3cret");
	assert_int_equal(answer.expires_usec, UINT64_C(1795712400000000));
	assert_ok(decode(" {\n \"password\" :\t\"x\" } \r\n", &answer, &err), &err);
	assert_string_equal(answer.user, "");
	assert_string_equal(answer.password, "x");
	assert_int_equal(answer.expires_usec, 0);
}

static void escapes_are_bytes_of_utf_8(void **state)
{
	struct credential_answer answer;
	struct error err;

	(void)state;
	assert_ok(decode("{\"password\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC"
			 "\\ud83d\\ude00z\"}",
			 &answer, &err),
		  &err);
	assert_string_equal(answer.password,
			    "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
}

struct wrong {
	const char *text, *sentence;
};

static void what_cannot_be_meant_is_refused_by_its_place_alone(void **state)
{
	static const struct wrong wrongs[] = {
		{"", "the '{' of a JSON object is missing at byte 1"},
		{"hunter2\n", "the '{' of a JSON object is missing at byte 1"},
		{"{}", "a text in quotes is missing at byte 2"},
		{"{\"user\":\"u\"}", "its output has no \"password\""},
		{"{\"password\":\"\"}", "its output has no \"password\""},
		{"{\"password\":hunter2}", "a text in quotes is missing at byte 13"},
		{"{\"password\":\"hunter2}", "a text has no end at byte 22"},
		{"{\"password\":\"hunter2\"", "a ',' or the '}' of the object is missing"},
		{"{\"password\" \"hunter2\"}", "a ':' is missing"},
		{"{\"password\":\"hunter2\"} x", "more stands behind the object,"},
		{"{\"password\":\"hunter2\"}{", "more stands behind the object,"},
		{"{\"password\":\"hunter2\",}", "a text in quotes is missing"},
		{"{\"password\":\"hunter2\",\"password\":\"x\"}", "or one of them again"},
		{"{\"password\":\"hunter2\",\"expire\":\"x\"}", "a key other than user,"},
		{"{\"password\":\"hunter2\",\"a_rather_long_key\":\"x\"}", "a text is too long"},
		{"{\"password\":\"hunter2\",\"expires\":\"hunter2\"}", "no time such as"},
		{"{\"password\":\"hunter2\",\"expires\":\"2026-11-26T17:00:00+01:00\"}",
		 "no time such as"},
		{"{\"password\":\"hunter2\\x\"}", "an escape that cannot be meant"},
		{"{\"password\":\"hunter2\\u00\"}", "an escape that cannot be meant"},
		{"{\"password\":\"hunter2\\u0000\"}", "an escape that cannot be meant"},
		{"{\"password\":\"hunter2\\ud83d\"}", "an escape that cannot be meant"},
		{"{\"password\":\"hunter2\\ud83d\\u0041\"}", "an escape that cannot be meant"},
		{"{\"password\":\"hunter2\\ude00\"}", "an escape that cannot be meant"},
		{"{\"password\":\"hunter2\n\"}", "a control character stands at byte 22"},
	};
	struct credential_answer answer, empty = {.expires_usec = 0};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		assert_fails(decode(wrongs[i].text, &answer, &err), &err, ERROR_DEFECT,
			     wrongs[i].sentence);
		assert_null(strstr(err.message, "hunter2"));
		assert_memory_equal(&answer, &empty, sizeof(answer));
	}
}

static void a_text_fits_its_limit_and_no_more(void **state)
{
	char text[CREDENTIAL_PASSWORD_MAX + 32];
	char password[CREDENTIAL_PASSWORD_MAX + 2];
	struct credential_answer answer;
	struct error err;

	(void)state;
	memset(password, 'p', sizeof(password));
	password[CREDENTIAL_PASSWORD_MAX] = '\0';
	snprintf(text, sizeof(text), "{\"password\":\"%s\"}", password);
	assert_ok(decode(text, &answer, &err), &err);
	assert_string_equal(answer.password, password);
	password[CREDENTIAL_PASSWORD_MAX] = 'p';
	password[CREDENTIAL_PASSWORD_MAX + 1] = '\0';
	snprintf(text, sizeof(text), "{\"password\":\"%s\"}", password);
	assert_fails(decode(text, &answer, &err), &err, ERROR_DEFECT, "a text is too long");
	/* Not NUL-terminated, and a NUL within. */
	assert_fails(credential_answer_decode("{\"password\":\"x\"}", 15, &answer, &err), &err,
		     ERROR_DEFECT, "'}' of the object is missing");
	assert_fails(credential_answer_decode("{\0\"password\":\"x\"}", 17, &answer, &err), &err,
		     ERROR_DEFECT, "a text in quotes is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_of_the_three_keys_is_understood),
		cmocka_unit_test(escapes_are_bytes_of_utf_8),
		cmocka_unit_test(what_cannot_be_meant_is_refused_by_its_place_alone),
		cmocka_unit_test(a_text_fits_its_limit_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
