#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include "base/json.h"

static void assert_canonical(const char *text)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	struct error err = {0};
	char again[500];

	assert_ok(json_parse_canonical(text, strlen(text), &object, &err), &err);
	assert_int_equal(json_text_canonical(object, again, sizeof(again), &err), strlen(text));
	assert_string_equal(again, text);
}

static void canonical_text_is_read_and_written_unchanged(void **state)
{
	(void)state;
	assert_canonical("{}");
	assert_canonical("{\"a\":1}");
	assert_canonical("{\"A\":true,\"a\":[\"x\",{\"y\":false}],\"b\":{}}");
	assert_canonical("{\"a\":9007199254740992,\"b\":-9007199254740992}");
	assert_canonical("{\"quote\":\"\\\"\\\\/\"}");
	assert_canonical("{\"\":[]}");
}

static void one_value_has_one_text(void **state)
{
	static const char *const bad[] = {
		" {}",
		"{} ",
		"{}\n",
		"{\"a\": 1}",
		"{\"b\":1,\"a\":1}",
		"{\"a\":01}",
		"{\"a\":-0}",
		"{\"a\":\"\\u0041\"}",
		"{\"a\":\"\\/\"}",
		"{\"a\":\"\\n\"}",
		"{\"a\":\"\xc3\xa4\"}",
		"{\"\xc3\xa4\":1}",
		"{\"a\":\"\x7f\"}",
		"{\"a\":null}",
		"{\"a\":1.0}",
		"{\"a\":1e2}",
		"{\"a\":9007199254740993}",
		"{\"a\":-9007199254740993}",
		"{\"a\":-9223372036854775808}",
		"{\"a\":[[[null]]]}",
	};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *object = NULL;
		int r = json_parse_canonical(bad[i], strlen(bad[i]), &object, &err);

		assert_int_equal(r, ERROR_DEFECT);
		assert_null(object);
	}
}

static void what_is_no_object_is_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"", "not JSON"},
		{"[]", "JSON, but not an object"},
		{"\"a\"", "not"},
		{"{\"a\":1,\"a\":1}", "duplicate object key"},
		{"{\"a\":18446744073709551615}", "too big integer"},
		{"{\"a\":1}x", "end of file expected"},
		{"{\"a\":\"\\u0000\"}", "\\u0000 is not allowed"},
		{"{\"a\":\"\xff\"}", "unable to decode byte"},
		{"{", "byte 1: not JSON"},
	};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *object = NULL;

		assert_fails(json_parse(bad[i].text, strlen(bad[i].text), &object, &err), &err,
			     ERROR_DEFECT, bad[i].words);
		assert_null(object);
	}
}

static void any_form_is_good_enough_for_a_request(void **state)
{
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	const char *text = " { \"b\" : 1.5 , \"a\" : null, \"c\":\"\xc3\xa4\" }\n";
	struct error err = {0};

	(void)state;
	assert_ok(json_parse(text, strlen(text), &object, &err), &err);
	assert_int_equal(json_object_size(object), 3);
}

static void bottomless_nesting_is_refused(void **state)
{
	size_t depth = 100000;
	char *text = malloc(depth);
	json_t *object = NULL;
	struct error err = {0};

	(void)state;
	memset(text, '[', depth);
	memcpy(text, "{\"a\":", 5);
	assert_fails(json_parse_canonical(text, depth, &object, &err), &err, ERROR_DEFECT,
		     "maximum parsing depth");
	free(text);
}

static json_t *parsed(const char *text)
{
	struct error err = {0};
	json_t *object;

	assert_ok(json_parse(text, strlen(text), &object, &err), &err);
	return object;
}

static void unfit_values_are_not_written(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"{\"a\":1.5}", "in 'a': null and real numbers have no place here"},
		{"{\"a\":{\"b\":null}}", "in 'a': in 'b': null"},
		{"{\"a\":\"x\\ty\"}", "byte 0x09 at 1 of a text is not printable ASCII"},
		{"{\"a\\u00e4\":1}", "byte 0xc3 at 1"},
		{"{\"a\":9007199254740993}", "a number over 2^53 must be a string"},
		{"{\"a\":-9223372036854775808}", "a number over 2^53 must be a string"},
	};
	struct error err = {0};
	char text[100];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CLEANUP(json_decrefp)
		json_t *object = parsed(bad[i].text);

		assert_fails(json_text_canonical(object, text, sizeof(text), &err), &err,
			     ERROR_USAGE, bad[i].words);
	}
}

static void a_text_fits_exactly_or_not_at_all(void **state)
{
	CLEANUP(json_decrefp)
	json_t *object = parsed("{\"a\":\"bc\"}");
	char text[16];
	struct error err = {0};

	(void)state;
	memset(text, '#', sizeof(text));
	assert_int_equal(json_text_canonical(object, text, 11, &err), 10);
	assert_string_equal(text, "{\"a\":\"bc\"}");
	assert_int_equal(text[11], '#');
	assert_fails(json_text_canonical(object, text, 10, &err), &err, ERROR_USAGE,
		     "a record of 10 bytes, the limit is 9");
	assert_fails(json_text_canonical(object, text, 1, &err), &err, ERROR_USAGE,
		     "the limit is 0");
}

static void fields_come_back_as_they_were_put(void **state)
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	struct error err = {0};
	const json_t *value;
	const char *text;
	uint8_t bytes[4];
	char copy[6];
	uint64_t number;
	bool flag;

	(void)state;
	json_put_string(object, "text", "hello");
	json_put_u64(object, "number", UINT64_MAX);
	json_put_u64(object, "zero", 0);
	json_put_bool(object, "flag", true);
	json_put_hex(object, "hex", "\x00\xff\x10\x01", 4);
	json_put(object, "array", json_array());
	json_put(object, "object", json_object());
	assert_ok(json_get_string(object, "text", &text, &err), &err);
	assert_string_equal(text, "hello");
	assert_ok(json_get_text(object, "text", copy, 6, &err), &err);
	assert_string_equal(copy, "hello");
	assert_ok(json_get_u64(object, "number", &number, &err), &err);
	assert_true(number == UINT64_MAX);
	assert_ok(json_get_u64(object, "zero", &number, &err), &err);
	assert_true(number == 0);
	assert_ok(json_get_bool(object, "flag", &flag, &err), &err);
	assert_true(flag);
	assert_ok(json_get_hex(object, "hex", bytes, 4, &err), &err);
	assert_memory_equal(bytes, "\x00\xff\x10\x01", 4);
	assert_ok(json_get_array(object, "array", &value, &err), &err);
	assert_true(json_is_array(value));
	assert_ok(json_get_object(object, "object", &value, &err), &err);
	assert_true(json_is_object(value));
}

static void a_text_that_is_not_utf8_is_made_printable(void **state)
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();

	(void)state;
	json_put_string(object, "cut", "unknown source 'K\xc3\xb6ln\xc3");
	json_put_string(object, "whole", "K\xc3\xb6ln");
	assert_string_equal(json_string_value(json_object_get(object, "cut")),
			    "unknown source 'K??ln?");
	assert_string_equal(json_string_value(json_object_get(object, "whole")), "K\xc3\xb6ln");
}

static void a_wrong_field_is_named(void **state)
{
	CLEANUP(json_decrefp)
	json_t *object = parsed("{\"n\":1,\"s\":\"x\",\"a\":[],\"h\":\"AB\",\"f\":\"1\"}");
	struct error err = {0};
	const json_t *value;
	const char *text;
	char copy[2];
	uint8_t bytes[1];
	uint64_t number;
	bool flag;

	(void)state;
	assert_fails(json_get_string(object, "none", &text, &err), &err, ERROR_DEFECT,
		     "field 'none' is missing");
	assert_fails(json_get_string(object, "n", &text, &err), &err, ERROR_DEFECT,
		     "field 'n' is not a string");
	assert_fails(json_get_text(object, "n", copy, sizeof(copy), &err), &err, ERROR_DEFECT,
		     "field 'n' is not a string");
	assert_fails(json_get_text(object, "h", copy, sizeof(copy), &err), &err, ERROR_DEFECT,
		     "field 'h' has 2 bytes, the limit is 1");
	assert_fails(json_get_u64(object, "n", &number, &err), &err, ERROR_DEFECT,
		     "field 'n' is not a string");
	assert_fails(json_get_bool(object, "f", &flag, &err), &err, ERROR_DEFECT, "field 'f'");
	assert_fails(json_get_array(object, "s", &value, &err), &err, ERROR_DEFECT,
		     "field 's' is not an array");
	assert_fails(json_get_object(object, "a", &value, &err), &err, ERROR_DEFECT,
		     "field 'a' is not an object");
	assert_fails(json_get_hex(object, "h", bytes, 1, &err), &err, ERROR_DEFECT,
		     "field 'h': 'AB' at digit 0");
}

static void numbers_in_texts_have_one_form(void **state)
{
	static const char *const bad[] = {"",
					  "01",
					  "00",
					  "+1",
					  "-1",
					  " 1",
					  "1 ",
					  "0x1",
					  "1e3",
					  "1.0",
					  "18446744073709551616"};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CLEANUP(json_decrefp)
		json_t *object = json_object();
		uint64_t number;

		json_put_string(object, "n", bad[i]);
		assert_fails(json_get_u64(object, "n", &number, &err), &err, ERROR_DEFECT,
			     "field 'n' is not a 64-bit number");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_text_is_read_and_written_unchanged),
		cmocka_unit_test(one_value_has_one_text),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(any_form_is_good_enough_for_a_request),
		cmocka_unit_test(bottomless_nesting_is_refused),
		cmocka_unit_test(unfit_values_are_not_written),
		cmocka_unit_test(a_text_fits_exactly_or_not_at_all),
		cmocka_unit_test(fields_come_back_as_they_were_put),
		cmocka_unit_test(a_text_that_is_not_utf8_is_made_printable),
		cmocka_unit_test(a_wrong_field_is_named),
		cmocka_unit_test(numbers_in_texts_have_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
