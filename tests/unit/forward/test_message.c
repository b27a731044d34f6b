#include "unit/cmocka_prelude.h"

#include <stdio.h>
#include <stdlib.h>

#include "forward/message.h"

#define LINE                                                                                       \
	"{\"boot\":\"6f1c1fd2-6f5e-4b0e-9f8e-00000000b007\",\"index\":\"4711\",\"time\":"          \
	"\"2026-08-23T03:21:06.918123Z\",\"type\":\"segment-sealed\",\"uptime\":\"1\"}"
#define CHECKPOINT                                                                                 \
	"binvault/8d0c1fd2-6f5e-4b0e-9f8e-0000000000aa\n2\n"                                       \
	"bc0fb3cc1d5ab6b71564813b594b36197db937721c2\n\n\xe2\x80\x94 name c2ln\n"

static char buffer[MESSAGE_SIZE_MAX + 1];

static void a_leaf_is_one_frame_with_its_line_byte_for_byte(void **state)
{
	const char *expected = " <110>1 2026-08-23T03:21:06.918123Z vault01 binvault 4711 "
			       "segment-sealed - " LINE;
	struct leaf leaf;
	struct error err;
	size_t size;
	char *end;

	(void)state;
	assert_ok(leaf_decode(LINE, strlen(LINE), &leaf, &err), &err);
	size = message_leaf(&leaf, "vault01", buffer);
	leaf_release(&leaf);
	buffer[size] = '\0';
	/* RFC 5425: MSG-LEN counts what stands behind it and its blank */
	assert_int_equal(strtoul(buffer, &end, 10), strlen(expected) - 1);
	assert_string_equal(end, expected);
}

static void the_largest_leaf_and_the_longest_words_fit(void **state)
{
	char vault[64], type[LEAF_TYPE_MAX + 1], *line = malloc(LEAF_SIZE_MAX);
	struct leaf leaf = {.index = UINT64_MAX, .type = type, .line = line};

	(void)state;
	memset(vault, 'v', sizeof(vault) - 1);
	memset(type, 't', sizeof(type) - 1);
	memset(line, 'x', LEAF_SIZE_MAX);
	vault[sizeof(vault) - 1] = type[sizeof(type) - 1] = '\0';
	leaf.length = LEAF_SIZE_MAX - 1;
	leaf.stamp.time_usec = UINT64_C(253402300799999999); /* the end of the year 9999 */
	assert_true(message_leaf(&leaf, vault, buffer) < MESSAGE_SIZE_MAX);
	free(line);
}

static void a_checkpoint_carries_its_note_in_ascii(void **state)
{
	struct checkpoint_item item = {.kind = CHECKPOINT_NOTE, .checkpoint = {.size = 2}};
	CLEANUP(json_decrefp)
	json_t *object = NULL;
	struct error err;
	const char *note, *text;
	size_t size;

	(void)state;
	snprintf(item.note, sizeof(item.note), "%s", CHECKPOINT);
	size = message_checkpoint(&item, UINT64_C(1787484066918123), "vault01", buffer);
	buffer[size] = '\0';
	for (size_t i = 0; i < size; i++)
		assert_true(buffer[i] >= 0x20 && buffer[i] < 0x7f);
	assert_non_null(strstr(buffer, " vault01 binvault - checkpoint - {"));
	text = strchr(buffer, '{');
	assert_ok(json_parse(text, strlen(text), &object, &err), &err);
	assert_ok(json_get_string(object, "note", &note, &err), &err);
	assert_string_equal(note, CHECKPOINT);
}

static void a_report_is_json_whatever_its_words_are(void **state)
{
	CLEANUP(json_decrefp)
	json_t *fields = json_object();
	size_t size;

	(void)state;
	json_put_string(fields, "problem", "line\nand \"\xc3\xa9\"");
	size = message_report("ledger-rewound", MESSAGE_ALERT, fields, 0, "v", buffer);
	buffer[size] = '\0';
	assert_string_equal(
		buffer, "123 <105>1 1970-01-01T00:00:00.000000Z v binvault - ledger-rewound - "
			"{\"problem\":\"line\\nand \\\"\\u00E9\\\"\",\"type\":\"ledger-rewound\"}");
}

static void severities_are_by_the_type(void **state)
{
	(void)state;
	assert_int_equal(message_severity("export-failed"), MESSAGE_WARNING);
	assert_int_equal(message_severity("covered"), MESSAGE_INFO);
	assert_int_equal(message_severity("request"), MESSAGE_NOTICE);
	assert_int_equal(message_severity("of-a-later-version"), MESSAGE_NOTICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leaf_is_one_frame_with_its_line_byte_for_byte),
		cmocka_unit_test(the_largest_leaf_and_the_longest_words_fit),
		cmocka_unit_test(a_checkpoint_carries_its_note_in_ascii),
		cmocka_unit_test(a_report_is_json_whatever_its_words_are),
		cmocka_unit_test(severities_are_by_the_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
