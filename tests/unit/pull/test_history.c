#include "unit/cmocka_prelude.h"

#include "pull/history.h"

#define ONE "7c370000-0000-0000-0000-000000000001"
#define TWO "7c370000-0000-0000-0000-000000000002"

/* How a file that begins with @start joins what is @archived, by what the servers say. */
struct join {
	enum flavour flavour;
	const char *archived, *start;
	enum generation_reason reason;
	bool is_next;
	/* what must come of it */
	enum generation_reason joined;
	bool gap;
	const char *words;
};

static struct history *archived(enum flavour flavour, const char *text)
{
	struct history *history = history_new();
	struct gtid_ranges *set = history_set_new();
	struct error err;

	assert_ok(history_read_text(flavour, text, set, &err), &err);
	history_begin_with(history, flavour, set);
	gtid_ranges_free(set);
	return history;
}

static void check(const struct join *join, struct history *next)
{
	struct history *history = archived(join->flavour, join->archived);
	struct gtid_ranges *start = history_set_new();
	struct generation_begin begin;
	struct error err;
	struct history_file file = {
		.flavour = join->flavour,
		.name = "binlog.000009",
		.start = start,
		.reason = join->reason,
		.is_next = join->is_next,
		.after_file = "binlog.000008",
		.after_position = 4711,
		.note = "",
	};

	assert_ok(history_read_text(join->flavour, join->start, start, &err), &err);
	history_join(history, &file, &begin, next);
	if (begin.reason != join->joined || begin.gap != join->gap)
		fail_msg("'%s' behind '%s' for reason %d: reason %d, gap %d: %s", join->start,
			 join->archived, join->reason, begin.reason, begin.gap, begin.sentence);
	if (join->words && !strstr(begin.sentence, join->words))
		fail_msg("no '%s' in: %s", join->words, begin.sentence);
	assert_int_equal(begin.after_position, 4711);
	assert_string_equal(begin.after_file, "binlog.000008");
	gtid_ranges_free(start);
	history_free(history);
}

static const struct join joins[] = {
	/* in order */
	{FLAVOUR_MARIADB, "0-1-100", "0-1-100", 0, true, 0, false, NULL},
	{FLAVOUR_MYSQL, ONE ":1-100", ONE ":1-100", 0, true, 0, false, NULL},
	{FLAVOUR_MARIADB, "0-1-100", "0-1-101", 0, true, GENERATION_JUMPED, true, "0-1-101"},
	{FLAVOUR_MYSQL, ONE ":1-100", ONE ":1-102", 0, true, GENERATION_JUMPED, true,
	 ONE ":101-102"},
	{FLAVOUR_MARIADB, "0-1-100,0-2-150", "0-1-100,0-2-149", 0, true, GENERATION_JUMPED, true,
	 "without transactions that binlog.000008 before it holds: 0-2-150"},
	{FLAVOUR_MARIADB, "0-1-100,0-2-150", "0-2-150", 0, true, GENERATION_JUMPED, true,
	 "0-1-100"},
	{FLAVOUR_MARIADB, "0-1-100,7-1-3", "0-1-100", 0, true, 0, false, NULL},
	{FLAVOUR_MYSQL, ONE ":1-100", ONE ":1-98:100", 0, true, GENERATION_JUMPED, true,
	 "without transactions that binlog.000008 before it holds: " ONE ":99"},
	{FLAVOUR_MYSQL, ONE ":1-100", "", 0, true, GENERATION_JUMPED, true, ONE ":1-100"},
	{FLAVOUR_MYSQL, ONE ":1-100", ONE ":1-100," TWO ":7", 0, true, GENERATION_JUMPED, true,
	 TWO ":7"},
	/* another server: its file repeats, begins just there, or behind a gap */
	{FLAVOUR_MARIADB, "0-1-100,0-2-150", "0-1-90", GENERATION_FAILOVER, false,
	 GENERATION_FAILOVER, false, "nothing is missing"},
	{FLAVOUR_MARIADB, "0-1-100", "0-1-100", GENERATION_FAILOVER, false, GENERATION_FAILOVER,
	 false, "nothing is missing"},
	{FLAVOUR_MARIADB, "0-1-100", "0-1-100,0-2-103", GENERATION_FAILOVER, false,
	 GENERATION_FAILOVER, true, "0-2-103 is missing"},
	{FLAVOUR_MYSQL, ONE ":1-100", ONE ":1-90:95", GENERATION_FAILOVER, false,
	 GENERATION_FAILOVER, false, "nothing is missing"},
	{FLAVOUR_MYSQL, ONE ":1-90", ONE ":1-100", GENERATION_FAILOVER, false, GENERATION_FAILOVER,
	 true, ONE ":91-100 is missing"},
	/* purged: what was archived, exactly; what was not; or it was a reset */
	{FLAVOUR_MARIADB, "0-1-100", "0-1-100", GENERATION_PURGED, true, 0, false, NULL},
	{FLAVOUR_MARIADB, "0-1-100", "0-1-100", GENERATION_PURGED, false, GENERATION_PURGED, false,
	 "nothing is missing"},
	{FLAVOUR_MARIADB, "0-1-100", "0-1-120", GENERATION_PURGED, true, GENERATION_PURGED, true,
	 "0-1-120 is missing"},
	{FLAVOUR_MYSQL, ONE ":1-100", ONE ":1-120", GENERATION_PURGED, true, GENERATION_PURGED,
	 true, ONE ":101-120 is missing"},
	{FLAVOUR_MARIADB, "0-1-100", "0-1-7", GENERATION_PURGED, true, GENERATION_RESET, true,
	 "was reset or built anew"},
	{FLAVOUR_MYSQL, ONE ":1-100", "", GENERATION_PURGED, true, GENERATION_RESET, true,
	 "lost to the archive"},
	/* another end of the archived file; another file of its name */
	{FLAVOUR_MARIADB, "0-1-100", "0-1-80", GENERATION_DIVERGED, false, GENERATION_DIVERGED,
	 false, "Both are kept"},
	{FLAVOUR_MARIADB, "0-1-100", "", GENERATION_RESET, false, GENERATION_RESET, true,
	 "is not the archived one"},
	/* servers without GTIDs: nothing proves that nothing is missing */
	{FLAVOUR_MYSQL, "", "", 0, true, 0, false, NULL},
	{FLAVOUR_MYSQL, "", "", GENERATION_PURGED, true, GENERATION_PURGED, true,
	 "no GTIDs are known"},
};

static void files_join_as_their_gtids_say(void **state)
{
	struct history *next = history_new();

	(void)state;
	for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++)
		check(&joins[i], next);
	history_free(next);
}

static void assert_next(const struct join *join, const char *text)
{
	struct history *next = history_new();
	char found[HISTORY_TEXT_SIZE];

	check(join, next);
	history_text(history_set(next), found);
	assert_string_equal(found, text);
	history_free(next);
}

/* After a start, or of a file whose beginning is damaged, nobody knows what this server had. */
static void nothing_is_lacking_of_what_another_server_had(void **state)
{
	struct history *before = archived(FLAVOUR_MYSQL, ONE ":1-100"), *history = history_new();
	struct history *next = history_new();
	struct gtid_ranges *start = history_set_new();
	struct gtid_snapshot snapshot;
	struct generation_begin begin;
	struct error err;
	struct history_file file = {
		.flavour = FLAVOUR_MYSQL,
		.name = "binlog.000009",
		.start = start,
		.is_next = true,
		.after_file = "binlog.000008",
		.after_position = 4711,
		.note = "",
	};

	(void)state;
	history_snapshot(before, &snapshot);
	assert_ok(history_begin(history, FLAVOUR_MYSQL, &snapshot, &err), &err);
	assert_ok(history_read_text(FLAVOUR_MYSQL, ONE ":1-90", start, &err), &err);
	history_join(history, &file, &begin, next);
	assert_int_equal(begin.reason, 0);
	/* But that file was followed from its beginning. */
	history_add(next, (const uint8_t *)"x", 1, 7);
	history_join(next, &file, &begin, history);
	assert_int_equal(begin.reason, GENERATION_JUMPED);
	file.start_unknown = true;
	history_join(next, &file, &begin, history);
	assert_int_equal(begin.reason, 0);
	file.start_unknown = false;
	history_join(history, &file, &begin, next);
	assert_int_equal(begin.reason, 0);
	gtid_ranges_free(start);
	history_free(before);
	history_free(history);
	history_free(next);
}

/* What a server lost, it gives to other transactions: those numbers are not archived any more. */
static void a_server_that_writes_anew_has_its_numbers_anew(void **state)
{
	const struct join diverged = {
		FLAVOUR_MARIADB, "0-1-100",	      "0-1-80", GENERATION_DIVERGED,
		false,		 GENERATION_DIVERGED, false,	NULL};
	const struct join failover = {
		FLAVOUR_MYSQL, ONE ":1-100",	    ONE ":1-90", GENERATION_FAILOVER,
		false,	       GENERATION_FAILOVER, false,	 NULL};
	const struct join purged = {
		FLAVOUR_MYSQL, ONE ":1-100",	  ONE ":1-120", GENERATION_PURGED,
		true,	       GENERATION_PURGED, true,		NULL};

	(void)state;
	assert_next(&diverged, "0-1-80");
	assert_next(&failover, ONE ":1-100");
	assert_next(&purged, ONE ":1-120");
}

static void transactions_count_as_they_come(void **state)
{
	struct history *history = archived(FLAVOUR_MYSQL, ONE ":1-5");
	const struct gtid_range *range = gtid_ranges_at(history_set(history), 0);
	uint8_t group[GTID_GROUP_SIZE_MAX];
	size_t size = range->group_size;
	struct gtid_snapshot snapshot;
	char text[HISTORY_TEXT_SIZE];
	struct error err;

	(void)state;
	memcpy(group, range->group, size);
	history_add(history, group, size, 6);
	history_add(history, group, size, 9);
	history_text(history_set(history), text);
	assert_string_equal(text, ONE ":1-6:9");
	history_snapshot(history, &snapshot);
	assert_true(snapshot.known);
	history_forget(history);
	assert_false(history_known(history));
	assert_ok(history_begin(history, FLAVOUR_MYSQL, &snapshot, &err), &err);
	history_text(history_set(history), text);
	assert_string_equal(text, ONE ":1-6:9");
	history_free(history);
}

/* Another server of the domain goes on with its sequence: it has all up to its last number. */
static void a_mariadb_server_has_all_up_to_its_last_number(void **state)
{
	struct history *history = archived(FLAVOUR_MARIADB, "0-1-100");
	struct gtid_ranges *start = history_set_new();
	uint8_t group[9] = {'M', 0, 0, 0, 0, 2, 0, 0, 0};
	struct error err;

	(void)state;
	history_add(history, group, sizeof(group), 101);
	history_add(history, group, sizeof(group), 150);
	assert_ok(history_read_text(FLAVOUR_MARIADB, "0-1-100,0-2-150", start, &err), &err);
	assert_true(gtid_ranges_equal(history_set(history), start));
	gtid_ranges_free(start);
	history_free(history);
}

static void a_set_that_overflows_is_not_known_any_more(void **state)
{
	struct history *history = archived(FLAVOUR_MARIADB, "0-1-1");
	struct gtid_snapshot snapshot;
	uint8_t group[9] = {'M'};

	(void)state;
	for (uint32_t i = 1; i < 200; i++) {
		group[1] = (uint8_t)i;
		history_add(history, group, sizeof(group), 1);
	}
	assert_true(history_known(history));
	history_snapshot(history, &snapshot);
	assert_false(snapshot.known); /* too many for a leaf */
	for (uint32_t i = 0; i < 3000; i++) {
		group[2] = (uint8_t)i;
		group[3] = (uint8_t)(i >> 8);
		history_add(history, group, sizeof(group), 1);
	}
	assert_false(history_known(history));
	history_free(history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_join_as_their_gtids_say),
		cmocka_unit_test(nothing_is_lacking_of_what_another_server_had),
		cmocka_unit_test(a_server_that_writes_anew_has_its_numbers_anew),
		cmocka_unit_test(transactions_count_as_they_come),
		cmocka_unit_test(a_mariadb_server_has_all_up_to_its_last_number),
		cmocka_unit_test(a_set_that_overflows_is_not_known_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
