#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include "binlog/event.h"
#include "unit/binlog/golden.h"

static struct error err;

static void a_header_is_decoded(void **state)
{
	uint8_t event[EVENT_HEADER_SIZE];
	struct event_header header;

	(void)state;
	put_header(event, EVENT_QUERY, EVENT_FLAG_ARTIFICIAL | 0x8000, 0xab);
	assert_ok(event_header_decode(event, sizeof(event), &header, &err), &err);
	assert_int_equal(header.timestamp, 1700000000);
	assert_int_equal(header.type, EVENT_QUERY);
	assert_int_equal(header.server_id, 11);
	assert_int_equal(header.length, EVENT_HEADER_SIZE + 0xab);
	assert_int_equal(header.log_pos, 4711);
	assert_int_equal(header.flags, 0x8020);
}

static void a_header_needs_its_bytes_and_a_sane_length(void **state)
{
	uint8_t event[EVENT_HEADER_SIZE];
	struct event_header header;

	(void)state;
	put_header(event, EVENT_XID, 0, 0);
	assert_fails(event_header_decode(event, 18, &header, &err), &err, ERROR_DEFECT,
		     "event of 18 bytes is shorter than its header");
	assert_ok(event_header_decode(event, 19, &header, &err), &err);
	put_le(event + 9, 18, 4);
	assert_fails(event_header_decode(event, 19, &header, &err), &err, ERROR_DEFECT,
		     "a length of 18, less than the header itself");
	put_le(event + 9, EVENT_LENGTH_MAX, 4);
	assert_ok(event_header_decode(event, 19, &header, &err), &err);
	put_le(event + 9, EVENT_LENGTH_MAX + 1ULL, 4);
	assert_fails(event_header_decode(event, 19, &header, &err), &err, ERROR_DEFECT,
		     "a length of 1074790401, more than");
	put_le(event + 9, UINT32_MAX, 4);
	assert_fails(event_header_decode(event, 19, &header, &err), &err, ERROR_DEFECT,
		     "a length of 4294967295, more than");
}

static void every_byte_has_a_type_name(void **state)
{
	(void)state;
	for (int type = 0; type < 256; type++)
		assert_non_null(event_type_name((uint8_t)type));
	assert_string_equal(event_type_name(EVENT_ROTATE), "ROTATE");
	assert_string_equal(event_type_name(EVENT_MARIADB_GTID), "MARIADB_GTID");
	assert_string_equal(event_type_name(100), "unknown");
}

static void what_is_sent_beside_the_file_is_not_stored(void **state)
{
	static const struct {
		struct event_header header;
		bool resumed, stored;
	} row[] = {
		{{.type = EVENT_ROTATE, .flags = EVENT_FLAG_ARTIFICIAL}, false, false},
		{{.type = EVENT_ROTATE, .log_pos = 99}, false, true},
		{{.type = EVENT_HEARTBEAT, .log_pos = 99}, false, false},
		{{.type = EVENT_HEARTBEAT_V2, .log_pos = 99}, false, false},
		{{.type = EVENT_MARIADB_GTID_LIST, .flags = EVENT_FLAG_ARTIFICIAL, .log_pos = 99},
		 false,
		 false},
		{{.type = EVENT_MARIADB_GTID_LIST, .log_pos = 99}, false, true},
		{{.type = EVENT_FORMAT_DESCRIPTION, .log_pos = 0}, true, false},
		{{.type = EVENT_FORMAT_DESCRIPTION, .log_pos = 256}, true, true},
		{{.type = EVENT_FORMAT_DESCRIPTION, .log_pos = 0}, false, true},
		{{.type = EVENT_MARIADB_START_ENCRYPTION, .flags = 0x80}, true, false},
		{{.type = EVENT_MARIADB_START_ENCRYPTION, .flags = 0x80}, false, true},
		/* MariaDB 11.4: end_log_pos 0 in the file. */
		{{.type = EVENT_WRITE_ROWS_V1, .log_pos = 0}, true, true},
		{{.type = EVENT_STOP}, false, true},
		{{.type = 100}, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (event_is_stored(&row[i].header, row[i].resumed) != row[i].stored)
			fail_msg("row %zu", i);
}

static void each_crc_of_a_real_file_is_right_in_chunks_of_any_size(void **state)
{
	static struct golden golden;
	size_t at = BINLOG_MAGIC_SIZE;
	int events = 0;

	(void)state;
	srandom(20231);
	golden_load(&golden, GOLDEN);
	while (at < golden.size) {
		const uint8_t *event = golden.bytes + at;
		struct event_header header;
		struct event_crc crc;

		assert_ok(event_header_decode(event, golden.size - at, &header, &err), &err);
		assert_true(header.length <= golden.size - at);
		assert_ok(event_crc_check_whole(event, header.length, &err), &err);
		for (int round = 0; round < 20; round++) {
			size_t chunk_max = round == 0 ? 1 : 1 + (size_t)random() % 64;

			assert_ok(event_crc_init(&crc, header.length, &err), &err);
			for (size_t fed = 0; fed < header.length;) {
				size_t chunk = (size_t)random() % (chunk_max + 1);

				if (chunk > header.length - fed)
					chunk = header.length - fed;
				event_crc_update(&crc, event + fed, chunk);
				fed += chunk;
			}
			assert_ok(event_crc_check(&crc, &err), &err);
			assert_memory_equal(crc.stored, event + header.length - 4, 4);
		}
		at += header.length;
		assert_int_equal(header.log_pos, at);
		events++;
	}
	assert_int_equal(at, golden.size);
	assert_int_equal(events, 195);
}

static void one_flipped_bit_anywhere_is_found(void **state)
{
	static struct golden golden;
	uint8_t *event;
	size_t size = GOLDEN_FORMAT_SIZE;

	(void)state;
	golden_load(&golden, GOLDEN);
	event = golden.bytes + BINLOG_MAGIC_SIZE;
	for (size_t bit = 0; bit < 8 * size; bit++) {
		event[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_fails(event_crc_check_whole(event, size, &err), &err, ERROR_DEFECT,
			     "event says CRC ");
		event[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_ok(event_crc_check_whole(event, size, &err), &err);
}

static void a_crc_needs_room(void **state)
{
	struct event_crc crc;

	(void)state;
	assert_fails(event_crc_init(&crc, 22, &err), &err, ERROR_DEFECT,
		     "event of 22 bytes has no room for its CRC");
	assert_ok(event_crc_init(&crc, 23, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_decoded),
		cmocka_unit_test(a_header_needs_its_bytes_and_a_sane_length),
		cmocka_unit_test(every_byte_has_a_type_name),
		cmocka_unit_test(what_is_sent_beside_the_file_is_not_stored),
		cmocka_unit_test(each_crc_of_a_real_file_is_right_in_chunks_of_any_size),
		cmocka_unit_test(one_flipped_bit_anywhere_is_found),
		cmocka_unit_test(a_crc_needs_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
