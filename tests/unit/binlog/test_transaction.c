#include "unit/cmocka_prelude.h"

#include <stdlib.h>

#include "binlog/gtid_text.h"
#include "binlog/transaction.h"
#include "unit/binlog/golden_transactions.h"

static struct error err;

#define FILE_COUNT (sizeof(golden_transactions) / sizeof(golden_transactions[0]))

static void format_of(const struct golden *golden, struct format *format)
{
	const uint8_t *event = golden->bytes + BINLOG_MAGIC_SIZE;
	struct event_header header;

	assert_ok(event_header_decode(event, golden->size - BINLOG_MAGIC_SIZE, &header, &err),
		  &err);
	assert_ok(format_decode(event, header.length, format, &err), &err);
}

/* Feed the event at @at; return where the next one begins. */
static size_t feed_at(struct transaction_tracker *tracker, const struct golden *golden, size_t at,
		      size_t prefix_max, struct transaction_step *step)
{
	const uint8_t *event = golden->bytes + at;
	struct event_header header;
	uint8_t *exact; /* so that a byte too far is seen */
	size_t size;

	assert_ok(event_header_decode(event, golden->size - at, &header, &err), &err);
	size = header.length < prefix_max ? header.length : prefix_max;
	exact = malloc(size);
	assert_non_null(exact);
	memcpy(exact, event, size);
	transaction_feed(tracker, &header, exact, size, step);
	free(exact);
	return at + header.length;
}

static void every_end_in(const struct golden_transactions *file)
{
	static struct golden golden;
	struct transaction_tracker tracker;
	struct transaction_step step;
	struct format format;
	size_t found = 0, started = 0;

	golden_load(&golden, file->path);
	format_of(&golden, &format);
	transaction_init(&tracker, &format);
	for (size_t at = BINLOG_MAGIC_SIZE; at < golden.size;) {
		bool was_outside = tracker.state == TRANSACTION_NONE;
		char text[GTID_TEXT_SIZE];

		at = feed_at(&tracker, &golden, at, TRANSACTION_PREFIX_SIZE, &step);
		assert_false(step.abandoned);
		if (step.starts) {
			assert_true(was_outside);
			started++;
		}
		assert_int_equal(step.inside, step.starts || !was_outside);
		if (!step.ends)
			continue;
		assert_true(found < file->count);
		assert_int_equal(at, file->transactions[found].end);
		assert_int_equal(step.gtid_is_known, file->transactions[found].gtid != NULL);
		if (step.gtid_is_known) {
			assert_ok(gtid_format(&step.gtid, text, &err), &err);
			assert_string_equal(text, file->transactions[found].gtid);
		}
		/* One transaction ran under SET timestamp. */
		if (file->path == golden_transactions[0].path)
			assert_int_equal(step.timestamp == 1000000000, at == 12992);
		found++;
	}
	assert_int_equal(found, file->count);
	assert_int_equal(started, file->count);
}

static void every_end_in_a_real_file_is_found_and_no_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILE_COUNT; i++)
		every_end_in(&golden_transactions[i]);
}

static bool is_end(const struct golden_transactions *file, size_t at)
{
	for (size_t i = 0; i < file->count; i++)
		if (file->transactions[i].end == at)
			return true;
	return false;
}

static void short_prefixes_of(const struct golden_transactions *file)
{
	static struct golden golden;
	struct transaction_tracker tracker;
	struct transaction_step step;
	struct format format;

	golden_load(&golden, file->path);
	format_of(&golden, &format);
	for (size_t prefix = EVENT_HEADER_SIZE; prefix < 200; prefix++) {
		transaction_init(&tracker, &format);
		for (size_t at = BINLOG_MAGIC_SIZE; at < golden.size;) {
			at = feed_at(&tracker, &golden, at, prefix, &step);
			if (step.ends && !is_end(file, at))
				fail_msg("%s, prefix of %zu: false end at %zu", file->path, prefix,
					 at);
		}
	}
}

/* However little of each event is given, an end may be missed but none is invented. */
static void a_short_prefix_never_makes_an_end_early(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILE_COUNT; i++)
		short_prefixes_of(&golden_transactions[i]);
}

static void starts_at_any_event_of(const struct golden_transactions *file)
{
	static struct golden golden;
	struct transaction_tracker tracker;
	struct transaction_step step;
	struct format format;

	golden_load(&golden, file->path);
	format_of(&golden, &format);
	for (size_t from = BINLOG_MAGIC_SIZE; from < golden.size;) {
		size_t last = 0, at = from;

		transaction_resume(&tracker, &format, is_end(file, from));
		while (at < golden.size) {
			at = feed_at(&tracker, &golden, at, TRANSACTION_PREFIX_SIZE, &step);
			if (!step.ends)
				continue;
			if (!is_end(file, at))
				fail_msg("%s, start at %zu: false end at %zu", file->path, from,
					 at);
			last = at;
		}
		if (from <= file->transactions[file->count - 2].end)
			assert_int_equal(last, file->transactions[file->count - 1].end);
		transaction_init(&tracker, &format);
		from = feed_at(&tracker, &golden, from, TRANSACTION_PREFIX_SIZE, &step);
	}
}

static void a_start_at_any_event_invents_no_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILE_COUNT; i++)
		starts_at_any_event_of(&golden_transactions[i]);
}

static void a_file_without_checksums_is_followed(void **state)
{
	static struct golden golden;
	struct transaction_tracker tracker;
	struct transaction_step step;
	struct format format;
	size_t ends = 0;

	(void)state;
	golden_load(&golden, GOLDEN_NO_CHECKSUM);
	format_of(&golden, &format);
	transaction_init(&tracker, &format);
	for (size_t at = BINLOG_MAGIC_SIZE; at < golden.size;) {
		at = feed_at(&tracker, &golden, at, TRANSACTION_PREFIX_SIZE, &step);
		if (step.ends) {
			assert_int_equal(at, 450);
			ends++;
		}
	}
	assert_int_equal(ends, 1);
}

static void a_file_of_no_transactions_has_none(void **state)
{
	static struct golden golden;
	struct transaction_tracker tracker;
	struct transaction_step step;
	struct format format;

	(void)state;
	golden_load(&golden, GOLDEN_STOPPED);
	format_of(&golden, &format);
	transaction_init(&tracker, &format);
	for (size_t at = BINLOG_MAGIC_SIZE; at < golden.size;) {
		at = feed_at(&tracker, &golden, at, TRANSACTION_PREFIX_SIZE, &step);
		assert_false(step.starts || step.inside || step.ends || step.abandoned);
	}
}

/* Event by event, as letters; the answer, as letters: see script(). */
static const struct format plain_format = {
	.post_header_length = {[EVENT_QUERY] = 13, [EVENT_ROTATE] = 8},
};

static size_t put_query(uint8_t *event, const char *text)
{
	memset(event + EVENT_HEADER_SIZE, 0, 13);
	event[EVENT_HEADER_SIZE + 8] = 4; /* database */
	put_le(event + EVENT_HEADER_SIZE + 11, 3, 2);
	memcpy(event + EVENT_HEADER_SIZE + 13, "\x01\x02\x03shop", 8);
	memcpy(event + EVENT_HEADER_SIZE + 21, text, strlen(text));
	return put_header(event, EVENT_QUERY, 0, 21 + strlen(text));
}

static size_t put_mariadb_gtid(uint8_t *event, uint8_t flags)
{
	memset(event + EVENT_HEADER_SIZE, 0, 19);
	put_le(event + EVENT_HEADER_SIZE, 42, 8);
	event[EVENT_HEADER_SIZE + 12] = flags;
	return put_header(event, EVENT_MARIADB_GTID, 0, 19);
}

static size_t put_mysql_gtid(uint8_t *event, uint8_t type)
{
	memset(event + EVENT_HEADER_SIZE, 7, 42);
	put_le(event + EVENT_HEADER_SIZE + 17, 42, 8);
	return put_header(event, type, 0, 42);
}

static size_t put_tagged_gtid(uint8_t *event)
{
	/* version, size, and the fields: a UUID of ones, the number 42 (signed), the tag "a" */
	static const uint8_t body[] = {2, 50, 0, 2, 2, 2, 2, 2, 2,    2, 2, 2,	2,
				       2, 2,  2, 2, 2, 2, 2, 4, 0xa8, 6, 2, 'a'};

	memcpy(event + EVENT_HEADER_SIZE, body, sizeof(body));
	return put_header(event, EVENT_GTID_TAGGED, 0, sizeof(body));
}

static size_t put_rows(uint8_t *event, uint8_t type, uint16_t flags)
{
	memset(event + EVENT_HEADER_SIZE, 0, 10);
	put_le(event + EVENT_HEADER_SIZE + 6, flags, 2);
	return put_header(event, type, 0, 10);
}

/* One word of a script is one event. */
static size_t put_word(uint8_t *event, const char *word)
{
	static const struct {
		const char *word;
		uint8_t type;
		uint16_t flags;
	} simple[] = {
		{"xid", EVENT_XID, 0},
		{"xa-prepare", EVENT_XA_PREPARE, 0},
		{"intvar", EVENT_INTVAR, 0},
		{"uservar", EVENT_USER_VAR, 0},
		{"rand", EVENT_RAND, 0},
		{"map", EVENT_TABLE_MAP, 0},
		{"annotate", EVENT_MARIADB_ANNOTATE, 0},
		{"checkpoint", EVENT_MARIADB_CHECKPOINT, 0},
		{"payload", EVENT_TRANSACTION_PAYLOAD, 0},
		{"context", EVENT_TRANSACTION_CONTEXT, 0},
		{"view", EVENT_VIEW_CHANGE, 0},
		{"incident", EVENT_INCIDENT, 0},
		{"rotate", EVENT_ROTATE, 0},
		{"stop", EVENT_STOP, 0},
		{"fde", EVENT_FORMAT_DESCRIPTION, 0},
		{"begin-load", EVENT_BEGIN_LOAD_QUERY, 0},
		{"append", EVENT_APPEND_BLOCK, 0},
		{"load", EVENT_EXECUTE_LOAD_QUERY, 0},
		{"zquery", EVENT_MARIADB_QUERY_COMPRESSED, 0},
		{"ignorable", 99, EVENT_FLAG_IGNORABLE},
		{"unknown", 100, 0},
	};

	for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++)
		if (strcmp(simple[i].word, word) == 0) {
			memset(event + EVENT_HEADER_SIZE, 0, 8);
			return put_header(event, simple[i].type, simple[i].flags, 8);
		}
	if (strcmp(word, "gtid") == 0)
		return put_mariadb_gtid(event, GTID_FLAG_TRANSACTIONAL);
	if (strcmp(word, "alone") == 0)
		return put_mariadb_gtid(event, GTID_FLAG_STANDALONE | GTID_FLAG_DDL);
	if (strcmp(word, "gtid33") == 0)
		return put_mysql_gtid(event, EVENT_GTID);
	if (strcmp(word, "gtid34") == 0)
		return put_mysql_gtid(event, EVENT_ANONYMOUS_GTID);
	if (strcmp(word, "gtid42") == 0)
		return put_tagged_gtid(event);
	if (strcmp(word, "rows") == 0)
		return put_rows(event, EVENT_WRITE_ROWS_V1, 0);
	if (strcmp(word, "rows-other") == 0)
		return put_rows(event, EVENT_WRITE_ROWS, 0xfffe);
	if (strcmp(word, "rows-end") == 0)
		return put_rows(event, EVENT_WRITE_ROWS_V1, 1);
	if (strcmp(word, "zrows-end") == 0)
		return put_rows(event, EVENT_MARIADB_DELETE_ROWS_COMPRESSED, 1);
	if (strncmp(word, "q:", 2) == 0)
		return put_query(event, word + 2);
	fail_msg("no event '%s'", word);
	return 0;
}

/*
 * Feed the events of @words and compare with @answers: a letter for each event, '.' outside,
 * 's' starts, 'i' inside, 'e' ends, 'w' starts and ends, 'S' starts and what was open before is
 * abandoned, '!' outside and abandoned.
 */
static void script(const char *const words[], const char *answers)
{
	struct transaction_tracker tracker;
	size_t count = 0;

	transaction_init(&tracker, &plain_format);
	for (; words[count]; count++) {
		uint8_t event[8192];
		struct event_header header;
		struct transaction_step step;
		size_t size = put_word(event, words[count]);
		char answer;

		assert_ok(event_header_decode(event, size, &header, &err), &err);
		transaction_feed(&tracker, &header, event, size, &step);
		answer = step.starts && step.ends ? 'w'
			 : step.starts		  ? (step.abandoned ? 'S' : 's')
			 : step.ends		  ? 'e'
			 : step.inside		  ? 'i'
			 : step.abandoned	  ? '!'
						  : '.';
		if (answer != answers[count])
			fail_msg("event %zu (%s) of '%s': '%c'", count, words[count], answers,
				 answer);
	}
	assert_int_equal(count, strlen(answers));
}

#define SCRIPT(answers, ...) script((const char *const[]){__VA_ARGS__, NULL}, answers)

static void a_mariadb_transaction_ends_with_its_commit(void **state)
{
	(void)state;
	SCRIPT("siiie", "gtid", "annotate", "map", "rows-end", "xid");
	SCRIPT("siiie", "gtid", "map", "rows-end", "q:INSERT 'COMMIT'", "q:COMMIT");
	SCRIPT("siiie", "gtid", "q:UPDATE a", "q:SAVEPOINT `x`", "q:ROLLBACK TO `x`", "q:ROLLBACK");
	SCRIPT("siie", "gtid", "rows-end", "q:XA END X'31',X'',1", "xa-prepare");
	SCRIPT("se", "gtid", "q:XA COMMIT X'31',X'',1");
	SCRIPT("se", "gtid", "q:XA ROLLBACK X'31',X'',1");
	SCRIPT("siiie", "gtid", "begin-load", "append", "load", "xid");
	SCRIPT("siie", "gtid", "q:CREATE TABLE x", "zrows-end", "xid");
	SCRIPT("siie", "gtid", "zquery", "unknown", "q:COMMIT");
	SCRIPT("siiie", "gtid", "q:COMMIT ", "q:commit", "q:COMMITTED", "xid");
}

static void a_standalone_group_ends_with_its_first_full_statement(void **state)
{
	(void)state;
	SCRIPT("se.", "alone", "q:CREATE TABLE t (i INT)", "rotate");
	SCRIPT("siiie", "alone", "intvar", "rand", "uservar", "q:INSERT INTO t VALUES (1)");
	SCRIPT("siiiie", "alone", "annotate", "map", "rows", "rows", "rows-end");
	SCRIPT("siie", "alone", "rows-other", "rows-other", "rows-end");
	SCRIPT("siie", "alone", "begin-load", "append", "load");
	SCRIPT("se", "alone", "zquery");
	SCRIPT("siie", "alone", "checkpoint", "unknown", "q:TRUNCATE t");
	SCRIPT("siie", "alone", "incident", "ignorable", "q:DROP t");
	SCRIPT("siie", "alone", "q:BEGIN", "q:INSERT", "q:COMMIT");
}

static void a_mysql_gtid_begins_a_transaction_or_a_statement(void **state)
{
	(void)state;
	SCRIPT("siiie", "gtid33", "q:BEGIN", "map", "rows-end", "xid");
	SCRIPT("siiie", "gtid34", "q:BEGIN", "map", "rows-end", "q:COMMIT");
	SCRIPT("se", "gtid33", "q:CREATE TABLE t (i INT)");
	SCRIPT("sie", "gtid42", "uservar", "q:CREATE USER u");
	SCRIPT("se", "gtid33", "payload");
	SCRIPT("sie", "gtid33", "context", "payload");
	SCRIPT("siiie", "gtid33", "q:XA START X'31',X'',1", "rows-end", "q:XA END X'31',X'',1",
	       "xa-prepare");
	SCRIPT("se", "gtid33", "q:XA COMMIT X'31',X'',1");
	SCRIPT("siiie", "gtid33", "q:BEGIN", "q:CREATE TABLE t (i INT) START TRANSACTION",
	       "rows-end", "xid");
	SCRIPT("siiiie", "gtid33", "q:BEGIN", "q:INSERT", "q:SAVEPOINT `x`", "q:ROLLBACK TO `x`",
	       "q:ROLLBACK");
	SCRIPT("siie", "gtid33", "q:BEGIN", "view", "q:COMMIT");
	SCRIPT("se", "gtid33", "incident");
	SCRIPT("siie", "gtid33", "map", "rows-end", "xid");
	SCRIPT("siie", "gtid33", "q:begin", "rows-end", "xid");
	SCRIPT("sie", "gtid33", "ignorable", "q:DROP TABLE t");
	SCRIPT("siie", "gtid33", "unknown", "q:DROP TABLE t", "xid");
}

static void without_a_gtid_only_a_commit_ends_anything(void **state)
{
	(void)state;
	SCRIPT("siie", "q:BEGIN", "map", "rows-end", "xid");
	SCRIPT("siS", "q:DROP TABLE t", "q:DROP TABLE u", "gtid");
	SCRIPT("siie", "intvar", "q:INSERT", "q:INSERT", "q:COMMIT");
	SCRIPT("...", "unknown", "ignorable", "context");
}

static void a_torn_transaction_is_never_ended(void **state)
{
	(void)state;
	SCRIPT("siS", "gtid", "rows", "gtid");
	SCRIPT("si!", "gtid", "rows", "rotate");
	SCRIPT("si!se", "gtid", "rows", "stop", "gtid", "xid");
	SCRIPT("s!se", "gtid33", "fde", "gtid33", "q:DROP TABLE t");
}

static void events_about_the_file_stand_outside(void **state)
{
	(void)state;
	SCRIPT("....", "fde", "checkpoint", "incident", "rotate");
	SCRIPT("sie.", "gtid", "checkpoint", "xid", "checkpoint");
}

static void a_statement_whose_text_lies_too_far_back_ends_nothing(void **state)
{
	struct transaction_tracker tracker;
	struct transaction_step step;
	struct event_header header;
	uint8_t event[8192] = {0};
	size_t size;

	(void)state;
	transaction_init(&tracker, &plain_format);
	size = put_mysql_gtid(event, EVENT_GTID);
	assert_ok(event_header_decode(event, size, &header, &err), &err);
	transaction_feed(&tracker, &header, event, size, &step);
	assert_true(step.starts);
	memset(event, 0, sizeof(event));
	size = put_header(event, EVENT_QUERY, 0, 6000);
	put_le(event + EVENT_HEADER_SIZE + 11, 5000, 2);
	memcpy(event + EVENT_HEADER_SIZE + 13 + 5000 + 1, "DROP TABLE tables_and_more", 26);
	assert_ok(event_header_decode(event, size, &header, &err), &err);
	transaction_feed(&tracker, &header, event, TRANSACTION_PREFIX_SIZE, &step);
	assert_true(step.inside);
	assert_false(step.ends);
	size = put_header(event, EVENT_XID, 0, 8);
	assert_ok(event_header_decode(event, size, &header, &err), &err);
	transaction_feed(&tracker, &header, event, size, &step);
	assert_true(step.ends);
}

static void a_begin_of_which_too_little_is_given_ends_nothing(void **state)
{
	uint8_t event[8192];
	size_t gtid_size, size;

	(void)state;
	for (size_t prefix = EVENT_HEADER_SIZE; prefix < EVENT_HEADER_SIZE + 21 + 8; prefix++) {
		struct transaction_tracker tracker;
		struct transaction_step step;
		struct event_header header;

		transaction_init(&tracker, &plain_format);
		gtid_size = put_mysql_gtid(event, EVENT_GTID);
		assert_ok(event_header_decode(event, gtid_size, &header, &err), &err);
		transaction_feed(&tracker, &header, event, gtid_size, &step);
		size = put_query(event, "XA START X'31',X'',1");
		assert_ok(event_header_decode(event, size, &header, &err), &err);
		/* What lies behind the prefix must not count: another text stands there. */
		memset(event + prefix, 'x', size - prefix);
		transaction_feed(&tracker, &header, event, prefix, &step);
		assert_false(step.ends);
	}
}

static void the_first_event_seen_gives_the_time(void **state)
{
	struct transaction_tracker tracker;
	struct transaction_step step;
	struct event_header header;
	uint8_t event[64];
	size_t size;

	(void)state;
	transaction_resume(&tracker, &plain_format, false);
	size = put_rows(event, EVENT_WRITE_ROWS, 1);
	assert_ok(event_header_decode(event, size, &header, &err), &err);
	transaction_feed(&tracker, &header, event, size, &step);
	assert_int_equal(step.timestamp, 1700000000);
	assert_false(step.gtid_is_known);
	assert_true(step.inside);
	assert_false(step.starts);
	header.type = EVENT_XID;
	header.timestamp = 1700000009;
	transaction_feed(&tracker, &header, event, size, &step);
	assert_true(step.ends);
	assert_int_equal(step.timestamp, 1700000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_end_in_a_real_file_is_found_and_no_other),
		cmocka_unit_test(a_short_prefix_never_makes_an_end_early),
		cmocka_unit_test(a_start_at_any_event_invents_no_end),
		cmocka_unit_test(a_file_without_checksums_is_followed),
		cmocka_unit_test(a_file_of_no_transactions_has_none),
		cmocka_unit_test(a_mariadb_transaction_ends_with_its_commit),
		cmocka_unit_test(a_standalone_group_ends_with_its_first_full_statement),
		cmocka_unit_test(a_mysql_gtid_begins_a_transaction_or_a_statement),
		cmocka_unit_test(without_a_gtid_only_a_commit_ends_anything),
		cmocka_unit_test(a_torn_transaction_is_never_ended),
		cmocka_unit_test(events_about_the_file_stand_outside),
		cmocka_unit_test(a_statement_whose_text_lies_too_far_back_ends_nothing),
		cmocka_unit_test(a_begin_of_which_too_little_is_given_ends_nothing),
		cmocka_unit_test(the_first_event_seen_gives_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
