#include "unit/cmocka_prelude.h"

#include "pull/acknowledger.h"

#include <stdio.h>
#include <string.h>

#include "base/checked.h"

/* What tls_stream_write() writes to: takes @room bytes more, at most @chunk in a call. */
struct tls_stream {
	uint8_t bytes[4096];
	size_t size, room, chunk;
	bool closed;
	enum tls_want want;
	const void *refused; /* what a call could not write must come again */
	size_t refused_size;
	uint8_t refused_first;
};

ssize_t tls_stream_write(struct tls_stream *stream, const void *buffer, size_t size,
			 enum tls_want *ret_want, struct error *err)
{
	size_t taken = MIN(size, stream->room);

	if (stream->closed)
		return error_set(err, ERROR_CLOSED, "the connection failed");
	if (stream->refused) {
		assert_int_equal(size, stream->refused_size);
		assert_int_equal(*(const uint8_t *)buffer, stream->refused_first);
	}
	stream->refused = NULL;
	if (stream->chunk)
		taken = MIN(taken, stream->chunk);
	assert_true(stream->size + taken <= sizeof(stream->bytes));
	memcpy(stream->bytes + stream->size, buffer, taken);
	stream->size += taken;
	stream->room -= taken;
	*ret_want = TLS_WANT_NOTHING;
	if (taken == 0) {
		*ret_want = stream->want;
		stream->refused = buffer;
		stream->refused_size = size;
		stream->refused_first = *(const uint8_t *)buffer;
	}
	return (ssize_t)taken;
}

static struct acknowledger *acknowledger;
static struct tls_stream stream;

static int setup(void **state)
{
	(void)state;
	stream = (struct tls_stream){.room = SIZE_MAX, .want = TLS_WANT_WRITE};
	acknowledger = acknowledger_new();
	acknowledger_start(acknowledger, &stream);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	acknowledger_free(acknowledger);
	return 0;
}

static void give(const char *file, uint64_t position)
{
	struct acknowledgement next = {.position = position};

	snprintf(next.file, sizeof(next.file), "%s", file);
	acknowledger_give(acknowledger, &next);
}

/* Returns what acknowledger_send() does; expects so many packets to be whole by it. */
static int send_all(unsigned expected_count)
{
	enum tls_want want;
	unsigned count;
	struct error err;
	int r = acknowledger_send(acknowledger, &count, &want, &err);

	assert_int_equal(count, expected_count);
	if (r == 0)
		assert_int_equal(want, stream.want);
	return r;
}

#define FIRST  "\x1b\0\0\0\xef\x04\x03\x02\x01\0\0\0\0mariadb-bin.000001"
#define SECOND "\x1b\0\0\0\xef\x88\x77\x66\x55\x44\0\0\0mariadb-bin.000002"
#define SIZE   (sizeof(FIRST) - 1)

static void a_packet_is_what_a_server_reads(void **state)
{
	(void)state;
	assert_int_equal(send_all(0), 1);
	assert_null(acknowledger_sent(acknowledger));
	give("mariadb-bin.000001", 0x01020304);
	assert_int_equal(send_all(1), 1);
	give("mariadb-bin.000002", 0x4455667788);
	assert_int_equal(send_all(1), 1);
	assert_int_equal(stream.size, 2 * SIZE);
	assert_memory_equal(stream.bytes, FIRST SECOND, 2 * SIZE);
	assert_int_equal(acknowledger_sent(acknowledger)->position, 0x4455667788);
	assert_string_equal(acknowledger_sent(acknowledger)->file, "mariadb-bin.000002");
	assert_int_equal(send_all(0), 1);
	assert_int_equal(stream.size, 2 * SIZE);
}

static void the_longest_name_fits(void **state)
{
	char name[BINLOG_NAME_MAX + 1];

	(void)state;
	memset(name, 'n', BINLOG_NAME_MAX);
	name[BINLOG_NAME_MAX] = '\0';
	give(name, 4);
	assert_int_equal(send_all(1), 1);
	assert_int_equal(stream.size, 4 + 9 + BINLOG_NAME_MAX);
	assert_int_equal(stream.bytes[0], 9 + BINLOG_NAME_MAX);
	assert_memory_equal(stream.bytes + 13, name, BINLOG_NAME_MAX);
}

static void a_poke_acknowledges_nothing(void **state)
{
	(void)state;
	acknowledger_poke(acknowledger);
	assert_int_equal(send_all(0), 1);
	assert_int_equal(stream.size, 13);
	assert_memory_equal(stream.bytes, "\x09\0\0\0\xef\0\0\0\0\0\0\0\0", 13);
	assert_null(acknowledger_sent(acknowledger));
	/* A packet of use takes its place. */
	acknowledger_poke(acknowledger);
	give("mariadb-bin.000001", 0x01020304);
	assert_int_equal(send_all(1), 1);
	assert_int_equal(stream.size, 13 + SIZE);
	assert_int_equal(acknowledger_sent(acknowledger)->position, 0x01020304);
	acknowledger_poke(acknowledger);
	assert_int_equal(send_all(0), 1);
	assert_int_equal(acknowledger_sent(acknowledger)->position, 0x01020304);
}

static void only_the_newest_is_sent(void **state)
{
	(void)state;
	give("mariadb-bin.000001", 1000);
	give("mariadb-bin.000001", 0x01020304);
	assert_int_equal(send_all(1), 1);
	assert_int_equal(stream.size, SIZE);
	assert_memory_equal(stream.bytes, FIRST, SIZE);
}

static void what_was_begun_is_finished_before_the_next(void **state)
{
	(void)state;
	for (size_t room = 0; room < SIZE; room++) {
		teardown(NULL);
		setup(NULL);
		stream.room = room;
		give("mariadb-bin.000001", 0x01020304);
		assert_int_equal(send_all(0), 0);
		assert_null(acknowledger_sent(acknowledger));
		give("mariadb-bin.000002", 7);
		give("mariadb-bin.000002", 0x4455667788);
		assert_int_equal(send_all(0), 0);
		assert_int_equal(stream.size, room);
		stream.room = SIZE - room + 3;
		stream.want = TLS_WANT_READ;
		assert_int_equal(send_all(1), 0);
		assert_string_equal(acknowledger_sent(acknowledger)->file, "mariadb-bin.000001");
		stream.room = SIZE_MAX;
		stream.chunk = 1;
		assert_int_equal(send_all(1), 1);
		assert_int_equal(stream.size, 2 * SIZE);
		assert_memory_equal(stream.bytes, FIRST SECOND, 2 * SIZE);
	}
}

static void each_packet_is_a_write_of_its_own(void **state)
{
	(void)state;
	stream.room = 5;
	give("mariadb-bin.000001", 0x01020304);
	assert_int_equal(send_all(0), 0);
	give("mariadb-bin.000002", 0x4455667788);
	stream.room = SIZE - 5;
	assert_int_equal(send_all(1), 0);
	assert_int_equal(stream.size, SIZE);
	assert_int_equal(stream.refused_size, SIZE);
}

static void another_stream_is_told_nothing_of_the_last_one(void **state)
{
	(void)state;
	stream.room = 5;
	give("mariadb-bin.000001", 0x01020304);
	assert_int_equal(send_all(0), 0);
	give("mariadb-bin.000001", 0x05060708);
	stream = (struct tls_stream){.room = SIZE_MAX};
	acknowledger_start(acknowledger, &stream);
	assert_int_equal(send_all(0), 1);
	assert_int_equal(stream.size, 0);
	assert_null(acknowledger_sent(acknowledger));
}

static void a_connection_that_failed_is_told(void **state)
{
	enum tls_want want;
	unsigned count;
	struct error err;

	(void)state;
	stream.closed = true;
	give("mariadb-bin.000001", 4);
	assert_fails(acknowledger_send(acknowledger, &count, &want, &err), &err, ERROR_CLOSED,
		     "the connection failed");
	assert_int_equal(count, 0);
	assert_null(acknowledger_sent(acknowledger));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_packet_is_what_a_server_reads),
		TEST(the_longest_name_fits),
		TEST(a_poke_acknowledges_nothing),
		TEST(only_the_newest_is_sent),
		TEST(what_was_begun_is_finished_before_the_next),
		TEST(each_packet_is_a_write_of_its_own),
		TEST(another_stream_is_told_nothing_of_the_last_one),
		TEST(a_connection_that_failed_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
