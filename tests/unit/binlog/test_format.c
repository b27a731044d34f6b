#include "unit/cmocka_prelude.h"

#include "binlog/format.h"
#include "unit/binlog/golden.h"

#define SERVER_VERSION 21
#define HEADER_LENGTH  75
#define POST_HEADERS   76

static struct error err;

/* A fresh copy of a real event, for one defect. */
static uint8_t *load(struct golden *golden, const char *path)
{
	golden_load(golden, path);
	return golden->bytes + BINLOG_MAGIC_SIZE;
}

static void a_real_event_is_decoded(void **state)
{
	static struct golden golden;
	struct format format;

	(void)state;
	assert_ok(format_decode(load(&golden, GOLDEN), GOLDEN_FORMAT_SIZE, &format, &err), &err);
	assert_string_equal(format.server_version, "10.11.19-MariaDB-0+deb12u1-log");
	assert_int_equal(format.flavour, FLAVOUR_MARIADB);
	assert_int_equal(format.checksum, FORMAT_CHECKSUM_CRC32);
	assert_int_equal(format_crc_size(&format), 4);
	assert_false(format.in_use);
	assert_int_equal(format.post_header_count, 171);
	assert_int_equal(format.post_header_length[EVENT_QUERY], 13);
	assert_int_equal(format.post_header_length[EVENT_ROTATE], 8);
	assert_int_equal(format.post_header_length[EVENT_MARIADB_GTID], 19);
	assert_int_equal(format.post_header_length[EVENT_MARIADB_GTID_LIST], 4);
	assert_int_equal(format.post_header_length[172], 0);
}

static void without_checksums_the_event_still_has_a_valid_crc(void **state)
{
	static struct golden golden;
	uint8_t *event = load(&golden, GOLDEN_NO_CHECKSUM);
	struct format format;

	(void)state;
	assert_ok(format_decode(event, GOLDEN_FORMAT_SIZE, &format, &err), &err);
	assert_int_equal(format.checksum, FORMAT_CHECKSUM_NONE);
	assert_int_equal(format_crc_size(&format), 0);
	assert_ok(event_crc_check_whole(event, GOLDEN_FORMAT_SIZE, &err), &err);
}

static void normalising_gives_an_open_file_the_bytes_of_a_closed_one(void **state)
{
	static struct golden open, closed;
	uint8_t *event = load(&open, GOLDEN_IN_USE);
	struct format format;

	(void)state;
	load(&closed, GOLDEN_STOPPED);
	assert_ok(format_decode(event, GOLDEN_FORMAT_SIZE, &format, &err), &err);
	assert_true(format.in_use);
	assert_fails(event_crc_check_whole(event, GOLDEN_FORMAT_SIZE, &err), &err, ERROR_DEFECT,
		     "CRC");
	assert_ok(format_normalise(event, GOLDEN_FORMAT_SIZE, &err), &err);
	assert_ok(event_crc_check_whole(event, GOLDEN_FORMAT_SIZE, &err), &err);
	assert_memory_equal(event, closed.bytes + BINLOG_MAGIC_SIZE, GOLDEN_FORMAT_SIZE);
	assert_ok(format_normalise(event, GOLDEN_FORMAT_SIZE, &err), &err);
	assert_memory_equal(event, closed.bytes + BINLOG_MAGIC_SIZE, GOLDEN_FORMAT_SIZE);
}

static void normalising_clears_no_other_flag(void **state)
{
	static struct golden golden;
	uint8_t *event = load(&golden, GOLDEN);

	(void)state;
	event[17] = 0xff;
	event[18] = 0xff;
	assert_ok(format_normalise(event, GOLDEN_FORMAT_SIZE, &err), &err);
	assert_int_equal(event[17], 0xfe);
	assert_int_equal(event[18], 0xff);
	event[4] = EVENT_ROTATE;
	assert_fails(format_normalise(event, GOLDEN_FORMAT_SIZE, &err), &err, ERROR_DEFECT,
		     "of type 4 (ROTATE) where FORMAT_DESCRIPTION is expected");
}

static void a_mysql_version_is_told_apart(void **state)
{
	static struct golden golden;
	uint8_t *event = load(&golden, GOLDEN);
	struct format format;

	(void)state;
	memset(event + SERVER_VERSION, 0, 50);
	memcpy(event + SERVER_VERSION, "8.4.3", 5);
	assert_ok(format_decode(event, GOLDEN_FORMAT_SIZE, &format, &err), &err);
	assert_int_equal(format.flavour, FLAVOUR_MYSQL);
	memset(event + SERVER_VERSION, '9', 50);
	assert_ok(format_decode(event, GOLDEN_FORMAT_SIZE, &format, &err), &err);
	assert_int_equal(strlen(format.server_version), 50);
}

static void a_server_without_checksums_is_refused(void **state)
{
	static const struct {
		const char *version;
		bool refused;
	} row[] = {
		{"5.6.0", true},	  {"5.6.1", false},	    {"5.1.73-log", true},
		{"5.2.14-MariaDB", true}, {"5.3.0-MariaDB", false}, {"5.5.5-10.0.1-MariaDB", false},
		{"nonsense", true},	  {"5.7", false},	    {"99999999999.1.1", false},
	};
	static struct golden golden;
	uint8_t *event = load(&golden, GOLDEN);
	struct format format;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		memset(event + SERVER_VERSION, 0, 50);
		memcpy(event + SERVER_VERSION, row[i].version, strlen(row[i].version));
		if (row[i].refused)
			assert_fails(format_decode(event, GOLDEN_FORMAT_SIZE, &format, &err), &err,
				     ERROR_REFUSED, "is too old: it knows no event checksums");
		else
			assert_ok(format_decode(event, GOLDEN_FORMAT_SIZE, &format, &err), &err);
	}
}

static void each_defect_has_its_sentence(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		int code;
		const char *words;
	} row[] = {
		{4, EVENT_QUERY, ERROR_DEFECT, "of type 2 (QUERY) where FORMAT_DESCRIPTION"},
		{9, 251, ERROR_DEFECT, "a length of 251, but has 252 bytes"},
		{9, 18, ERROR_DEFECT, "a length of 18"},
		{19, 3, ERROR_REFUSED, "version 3: only 4 is known"},
		{SERVER_VERSION, 0, ERROR_DEFECT, "names no server version"},
		{SERVER_VERSION + 2, 0x1b, ERROR_DEFECT, "byte 2 of the server's version"},
		{SERVER_VERSION + 3, 0xff, ERROR_DEFECT, "byte 3 of the server's version"},
		{HEADER_LENGTH, 13, ERROR_DEFECT, "a header of 13 bytes"},
		{POST_HEADERS + EVENT_QUERY - 1, 11, ERROR_DEFECT, "QUERY a post-header of 11"},
		{POST_HEADERS + EVENT_ROTATE - 1, 0, ERROR_DEFECT, "ROTATE a post-header of 0"},
		{GOLDEN_FORMAT_SIZE - 5, 2, ERROR_REFUSED, "checksum algorithm 2"},
		{GOLDEN_FORMAT_SIZE - 5, 255, ERROR_REFUSED, "checksum algorithm 255"},
	};
	static struct golden golden;
	struct format format;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint8_t *event = load(&golden, GOLDEN);

		event[row[i].offset] = row[i].value;
		assert_fails(format_decode(event, GOLDEN_FORMAT_SIZE, &format, &err), &err,
			     row[i].code, row[i].words);
	}
}

static void no_other_length_is_taken(void **state)
{
	static struct golden golden;
	uint8_t *event = load(&golden, GOLDEN);
	struct format format;

	(void)state;
	for (size_t size = EVENT_HEADER_SIZE; size < POST_HEADERS + 27 + 5; size++) {
		put_le(event + 9, size, 4);
		event[size - 5] = 1;
		assert_int_equal(format_decode(event, size, &format, &err), ERROR_DEFECT);
		load(&golden, GOLDEN);
	}
	put_le(event + 9, 2000, 4);
	assert_fails(format_decode(event, 2000, &format, &err), &err, ERROR_DEFECT,
		     "2000 bytes is too long");
	put_le(event + 9, POST_HEADERS + 256 + 5, 4);
	assert_fails(format_decode(event, POST_HEADERS + 256 + 5, &format, &err), &err,
		     ERROR_DEFECT, "describes 256 event types");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_event_is_decoded),
		cmocka_unit_test(without_checksums_the_event_still_has_a_valid_crc),
		cmocka_unit_test(normalising_gives_an_open_file_the_bytes_of_a_closed_one),
		cmocka_unit_test(normalising_clears_no_other_flag),
		cmocka_unit_test(a_mysql_version_is_told_apart),
		cmocka_unit_test(a_server_without_checksums_is_refused),
		cmocka_unit_test(each_defect_has_its_sentence),
		cmocka_unit_test(no_other_length_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
