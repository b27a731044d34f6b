#include "unit/cmocka_prelude.h"

#include "binlog/heartbeat.h"
#include "unit/binlog/golden.h"

static struct error err;

static void decode(const char *digits, enum flavour flavour, struct heartbeat *ret_heartbeat)
{
	uint8_t event[128];
	size_t size = golden_hex(digits, event, sizeof(event));

	assert_ok(event_crc_check_whole(event, size, &err), &err);
	assert_ok(heartbeat_decode(event, size, EVENT_CRC_SIZE, flavour, ret_heartbeat, &err),
		  &err);
}

static void the_heartbeats_of_mysql_are_decoded(void **state)
{
	struct heartbeat heartbeat;

	(void)state;
	/* MySQL 9.7.4, without and with the dump flag 0x02 */
	decode("000000001b0b00000024000000a3010000000062696e6c6f672e303030303034fa06a8d5",
	       FLAVOUR_MYSQL, &heartbeat);
	assert_string_equal(heartbeat.file, "binlog.000004");
	assert_int_equal(heartbeat.position, 419);
	assert_true(heartbeat.is_modulo);
	decode("00000000290b0000002c000000a30100000000010d62696e6c6f672e303030303034"
	       "0203fca30100e3e059fd",
	       FLAVOUR_MYSQL, &heartbeat);
	assert_string_equal(heartbeat.file, "binlog.000004");
	assert_int_equal(heartbeat.position, 419);
	assert_false(heartbeat.is_modulo);
}

/* Write an event of @body, without a CRC, and decode it. */
static int decode_body(uint8_t type, uint32_t log_pos, const char *body, size_t body_size,
		       enum flavour flavour, struct heartbeat *ret_heartbeat)
{
	uint8_t event[512];
	size_t size = put_header(event, type, 0, body_size);

	put_le(event + 13, log_pos, 4);
	memcpy(event + EVENT_HEADER_SIZE, body, body_size);
	return heartbeat_decode(event, size, 0, flavour, ret_heartbeat, &err);
}

#define DECODE(type, log_pos, body, flavour)                                                       \
	decode_body(type, log_pos, body, sizeof(body) - 1, flavour, &heartbeat)

static void a_position_beyond_4_gib_stands_before_mariadbs_name(void **state)
{
	struct heartbeat heartbeat;

	(void)state;
	assert_ok(DECODE(EVENT_HEARTBEAT, 0, "\x05\0\0\0\1\0\0\0binlog.000007", FLAVOUR_MARIADB),
		  &err);
	assert_string_equal(heartbeat.file, "binlog.000007");
	assert_int_equal(heartbeat.position, (1ULL << 32) + 5);
	assert_false(heartbeat.is_modulo);
	assert_ok(DECODE(EVENT_HEARTBEAT, 5, "binlog.000007", FLAVOUR_MARIADB), &err);
	assert_int_equal(heartbeat.position, 5);
	assert_true(heartbeat.is_modulo);
	/* MySQL has no such thing: its position wraps. */
	assert_ok(DECODE(EVENT_HEARTBEAT, 0, "binlog.000007", FLAVOUR_MYSQL), &err);
	assert_string_equal(heartbeat.file, "binlog.000007");
	assert_int_equal(heartbeat.position, 0);
	assert_true(heartbeat.is_modulo);
}

static void a_field_of_a_later_version_is_skipped(void **state)
{
	struct heartbeat heartbeat;

	(void)state;
	assert_ok(DECODE(EVENT_HEARTBEAT_V2, 9,
			 "\x02\x09\xfe\x01\x02\x03\x04\x05\x06\x07\x08\x63\x02\xff\xff\x01\x01q\0",
			 FLAVOUR_MYSQL),
		  &err);
	assert_string_equal(heartbeat.file, "q");
	assert_int_equal(heartbeat.position, 0x0807060504030201);
	assert_ok(DECODE(EVENT_HEARTBEAT_V2, 9, "\x02\x04\xfd\x01\x02\x03\x01\xfc\x01\0r\0",
			 FLAVOUR_MYSQL),
		  &err);
	assert_string_equal(heartbeat.file, "r");
	assert_int_equal(heartbeat.position, 0x030201);
}

static void every_lie_has_its_sentence(void **state)
{
	struct heartbeat heartbeat;
	uint8_t event[64];

	(void)state;
#define REFUSED(type, body, flavour, sentence)                                                     \
	assert_fails(DECODE(type, 0, body, flavour), &err, ERROR_DEFECT, sentence)
	REFUSED(EVENT_XID, "f", FLAVOUR_MYSQL, "of type 16 (XID) where a heartbeat is expected");
	REFUSED(EVENT_HEARTBEAT, "", FLAVOUR_MYSQL, "HEARTBEAT names no file");
	REFUSED(EVENT_HEARTBEAT, "12345678", FLAVOUR_MARIADB, "neither kind of position");
	REFUSED(EVENT_HEARTBEAT, "../f", FLAVOUR_MYSQL, "HEARTBEAT: binlog file name holds");
	REFUSED(EVENT_HEARTBEAT, "a\0b", FLAVOUR_MYSQL, "with a NUL in its name");
	REFUSED(EVENT_HEARTBEAT_V2, "", FLAVOUR_MYSQL, "a field that is cut off");
	REFUSED(EVENT_HEARTBEAT_V2, "\x01\x01q\x02\x01\x05", FLAVOUR_MYSQL,
		"a field that is cut off");
	REFUSED(EVENT_HEARTBEAT_V2, "\x01\x05q", FLAVOUR_MYSQL, "a field that is cut off");
	REFUSED(EVENT_HEARTBEAT_V2, "\xfb\x05q", FLAVOUR_MYSQL, "a field that is cut off");
	REFUSED(EVENT_HEARTBEAT_V2, "\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff", FLAVOUR_MYSQL,
		"a field that is cut off");
	REFUSED(EVENT_HEARTBEAT_V2, "\x01\x01q\x02\x01\xff\0", FLAVOUR_MYSQL,
		"a position that is no number");
	REFUSED(EVENT_HEARTBEAT_V2, "\x01\x01q\x02\x02\x05\x05\0", FLAVOUR_MYSQL,
		"a position that is no number");
	REFUSED(EVENT_HEARTBEAT_V2, "\x01\x01q\x02\0\0", FLAVOUR_MYSQL,
		"a position that is no number");
	REFUSED(EVENT_HEARTBEAT_V2, "\x01\x01q\0", FLAVOUR_MYSQL, "lacks a file or a position");
	REFUSED(EVENT_HEARTBEAT_V2, "\x01\0\x02\x01\x05\0", FLAVOUR_MYSQL,
		"lacks a file or a position");
	REFUSED(EVENT_HEARTBEAT_V2, "\x01\x01/\x02\x01\x05\0", FLAVOUR_MYSQL,
		"HEARTBEAT_V2: binlog file name holds");
	REFUSED(EVENT_HEARTBEAT_V2, "\x01\x01q\x02\x01\x05\0\0", FLAVOUR_MYSQL,
		"1 bytes behind its end");
	put_header(event, EVENT_HEARTBEAT, 0, 3);
	assert_fails(heartbeat_decode(event, 22, 4, FLAVOUR_MYSQL, &heartbeat, &err), &err,
		     ERROR_DEFECT, "a length of 22, but has 22 bytes");
	assert_fails(heartbeat_decode(event, 21, 0, FLAVOUR_MYSQL, &heartbeat, &err), &err,
		     ERROR_DEFECT, "a length of 22, but has 21 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_heartbeats_of_mysql_are_decoded),
		cmocka_unit_test(a_position_beyond_4_gib_stands_before_mariadbs_name),
		cmocka_unit_test(a_field_of_a_later_version_is_skipped),
		cmocka_unit_test(every_lie_has_its_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
