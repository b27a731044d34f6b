#include "pull/history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "binlog/gtid.h"
#include "binlog/gtid_text.h"
#include "binlog/previous_gtids.h"

/* What a set takes while it is at work; what is kept of it must fit a snapshot. */
#define SET_SIZE_MAX SEALED_RANGES_SIZE_MAX

struct history {
	bool known;
	enum flavour flavour;
	struct gtid_ranges *set;

	/* The set with which the file at hand began, and the transactions in it: with no less the
	 * server can begin its next one. Known if the file was followed from its beginning. */
	bool own_known;
	struct gtid_ranges *own;
};

struct gtid_ranges *history_set_new(void)
{
	return gtid_ranges_new(SET_SIZE_MAX);
}

struct history *history_new(void)
{
	struct history *history = calloc(1, sizeof(*history));

	ASSERT(history);
	history->set = history_set_new();
	history->own = history_set_new();
	return history;
}

void history_free(struct history *history)
{
	if (!history)
		return;
	gtid_ranges_free(history->set);
	gtid_ranges_free(history->own);
	free(history);
}

void history_forget(struct history *history)
{
	gtid_ranges_clear(history->set);
	gtid_ranges_clear(history->own);
	history->known = false;
	history->own_known = false;
}

/* MariaDB: up to the last number of the group. */
static void add_range(enum flavour flavour, struct gtid_ranges *set, const struct gtid_range *range)
{
	struct gtid_range whole = *range;

	if (flavour == FLAVOUR_MARIADB && whole.last > 0)
		whole.first = 1;
	gtid_ranges_add(set, &whole);
}

static void add_interval(enum flavour flavour, struct gtid_ranges *set,
			 const struct gtid_interval *interval)
{
	struct gtid_range range = {
		.group_size = interval->group.size,
		.first = interval->first,
		.last = interval->last,
	};

	memcpy(range.group, interval->group.bytes, interval->group.size);
	add_range(flavour, set, &range);
}

void history_begin_with(struct history *history, enum flavour flavour,
			const struct gtid_ranges *set)
{
	history_forget(history);
	history->flavour = flavour;
	for (size_t i = 0; i < gtid_ranges_count(set); i++)
		add_range(flavour, history->set, gtid_ranges_at(set, i));
	history->known = !gtid_ranges_overflowed(set);
	gtid_ranges_unite(history->own, history->set);
	history->own_known = history->known;
}

int history_begin(struct history *history, enum flavour flavour,
		  const struct gtid_snapshot *snapshot, struct error *err)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *set = NULL;
	int r;

	history_forget(history);
	if (!snapshot->known)
		return 0;
	set = history_set_new();
	r = gtid_snapshot_unite(snapshot, set, err);
	if (r < 0)
		return r;
	history_begin_with(history, flavour, set);
	/* Other servers of the source may have had what this one lacks. */
	history->own_known = false;
	return 0;
}

void history_add(struct history *history, const uint8_t *group, size_t group_size,
		 uint64_t sequence)
{
	struct gtid_range range = {
		.group_size = (uint8_t)group_size,
		.first = sequence,
		.last = sequence,
	};

	if (!history->known)
		return;
	memcpy(range.group, group, group_size);
	add_range(history->flavour, history->set, &range);
	if (history->own_known)
		add_range(history->flavour, history->own, &range);
}

bool history_known(const struct history *history)
{
	return history->known && !gtid_ranges_overflowed(history->set);
}

enum flavour history_flavour(const struct history *history)
{
	return history->flavour;
}

const struct gtid_ranges *history_set(const struct history *history)
{
	return history->set;
}

void history_snapshot(const struct history *history, struct gtid_snapshot *ret_snapshot)
{
	memset(ret_snapshot, 0, sizeof(*ret_snapshot));
	if (history->known)
		gtid_snapshot_take(ret_snapshot, history->set);
}

/* --- what servers say ------------------------------------------------------------------------ */

static int read_previous(const uint8_t *event, size_t size, size_t crc_size,
			 struct gtid_ranges *set, struct error *err)
{
	struct previous_gtids list;
	struct gtid_interval interval;
	int r = previous_gtids_decode(event, size, crc_size, &list, err);

	while (r >= 0) {
		r = previous_gtids_next(&list, &interval, err);
		if (r == 0)
			return 0;
		if (r > 0)
			add_interval(FLAVOUR_MYSQL, set, &interval);
	}
	return r;
}

static int read_list(const uint8_t *event, size_t size, size_t crc_size, struct gtid_ranges *set,
		     struct error *err)
{
	struct gtid_interval interval;
	struct gtid_list list;
	struct gtid gtid;
	int r = gtid_list_decode(event, size, crc_size, &list, err);

	for (uint32_t i = 0; r == 0 && i < list.count; i++) {
		gtid_list_entry(&list, i, &gtid);
		interval = (struct gtid_interval){gtid.group, gtid.sequence, gtid.sequence};
		add_interval(FLAVOUR_MARIADB, set, &interval);
	}
	return r;
}

int history_read_event(enum flavour flavour, const uint8_t *event, size_t size, size_t crc_size,
		       struct gtid_ranges *set, struct error *err)
{
	return flavour == FLAVOUR_MYSQL ? read_previous(event, size, crc_size, set, err)
					: read_list(event, size, crc_size, set, err);
}

int history_read_text(enum flavour flavour, const char *text, struct gtid_ranges *set,
		      struct error *err)
{
	struct gtid_interval interval;
	struct gtid_text reader;
	int r;

	gtid_text_init(&reader, flavour, text);
	while ((r = gtid_text_next(&reader, &interval, err)) > 0)
		add_interval(flavour, set, &interval);
	return r;
}

/* False if it was cut. */
static bool write_text(const struct gtid_ranges *set, char *text, size_t size)
{
	struct gtid_text_writer writer;
	struct error ignored;

	gtid_text_writer_init(&writer, text, size);
	for (size_t i = 0; i < gtid_ranges_count(set); i++) {
		const struct gtid_range *range = gtid_ranges_at(set, i);
		struct gtid_interval interval = {
			.group = {.size = range->group_size},
			.first = range->first,
			.last = range->last,
		};

		memcpy(interval.group.bytes, range->group, range->group_size);
		if (gtid_text_writer_add(&writer, &interval, &ignored) < 0)
			return false; /* the archive's, of no known form */
	}
	return !writer.is_cut;
}

void history_text(const struct gtid_ranges *set, char text[static HISTORY_TEXT_SIZE])
{
	/* What is named so far will do. */
	(void)write_text(set, text, HISTORY_TEXT_SIZE);
	if (gtid_ranges_count(set) == 0)
		snprintf(text, HISTORY_TEXT_SIZE, "nothing");
}

bool history_whole_text(const struct history *history, char *text, size_t size)
{
	if (history_known(history) && write_text(history->set, text, size))
		return true;
	text[0] = '\0';
	return false;
}

/* --- joining --------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
state_reason(struct generation_begin *begin, enum generation_reason reason, const char *format, ...)
{
	va_list arguments;

	begin->reason = reason;
	va_start(arguments, format);
	vsnprintf(begin->sentence, sizeof(begin->sentence), format, arguments);
	va_end(arguments);
}

/* Nothing says whether transactions are missing: then they may be. */
static void join_unknown(const struct history_file *file, struct generation_begin *begin)
{
	begin->gap = true;
	state_reason(begin, file->reason,
		     "%.128s goes on behind %.128s:%" PRIu64 " (%s), and no GTIDs are known that "
		     "could tell whether transactions are missing between them%.100s",
		     file->name, file->after_file, file->after_position,
		     generation_reason_name(file->reason), file->note);
}

/* The server has removed what was not archived, or was reset: its first file tells. */
static void join_purged(const struct history *history, const struct history_file *file,
			const struct gtid_ranges *missing, const char *missing_text,
			struct generation_begin *begin)
{
	bool follows = gtid_ranges_contain_all(file->start, history->set);

	if (follows && gtid_ranges_count(missing) == 0 && file->is_next)
		return;
	if (!follows) {
		begin->gap = true;
		state_reason(
			begin, GENERATION_RESET,
			"the server was reset or built anew: %.128s begins a history that does "
			"not hold what is archived to %.128s:%" PRIu64 "; what it wrote "
			"behind that and before is lost to the archive",
			file->name, file->after_file, file->after_position);
		return;
	}
	begin->gap = gtid_ranges_count(missing) > 0;
	state_reason(begin, GENERATION_PURGED,
		     "the server has %.128s no more, which is archived to %" PRIu64
		     ": it begins with %.128s, and %s between them",
		     file->after_file, file->after_position, file->name,
		     begin->gap ? missing_text : "nothing is missing");
}

static void join_anew(const struct history *history, const struct history_file *file,
		      const struct gtid_ranges *missing, const char *missing_text,
		      struct generation_begin *begin)
{
	begin->gap = gtid_ranges_count(missing) > 0;
	switch (file->reason) {
	case GENERATION_PURGED:
		join_purged(history, file, missing, missing_text, begin);
		break;
	case GENERATION_FAILOVER:
		state_reason(begin, GENERATION_FAILOVER,
			     "another server goes on with %.128s, behind %.128s:%" PRIu64
			     "; %s between them%.128s",
			     file->name, file->after_file, file->after_position,
			     begin->gap ? missing_text : "nothing is missing", file->note);
		break;
	case GENERATION_DIVERGED:
		state_reason(begin, GENERATION_DIVERGED,
			     "the server's %.128s has another end than the archived one, which "
			     "reaches to %" PRIu64 ": it lost its tail in a crash (sync_binlog is "
			     "not 1), or was set back to an earlier state. Both are kept",
			     file->name, file->after_position);
		break;
	case GENERATION_RESET:
	case GENERATION_JUMPED:
	default:
		begin->gap = true;
		state_reason(begin, GENERATION_RESET,
			     "the server was reset or built anew: its %.128s is not the archived "
			     "one, which reaches to %" PRIu64 "; what it wrote behind that and "
			     "before %.128s is lost to the archive",
			     file->after_file, file->after_position, file->name);
	}
}

static struct gtid_group group_of(const struct gtid_range *range)
{
	struct gtid_group group = {.size = range->group_size};

	memcpy(group.bytes, range->group, range->group_size);
	return group;
}

/* MariaDB: FLUSH BINARY LOGS DELETE_DOMAIN_ID has a server forget whole domains; not all of them.
 */
static bool is_forgotten(const struct gtid_ranges *start, const struct gtid_range *range)
{
	struct gtid_group group = group_of(range);

	for (size_t i = 0; i < gtid_ranges_count(start); i++) {
		struct gtid_group other = group_of(gtid_ranges_at(start, i));

		if (gtid_group_same_domain(&group, &other))
			return false;
	}
	return gtid_ranges_count(start) > 0;
}

/* What the server has sent and does not begin this file with: no honest one goes back. */
static void find_lacking(const struct history *history, const struct history_file *file,
			 struct gtid_ranges *lacking)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *missed = history_set_new();

	if (!history->own_known || gtid_ranges_overflowed(history->own))
		return;
	gtid_ranges_unite(missed, history->own);
	gtid_ranges_subtract(missed, file->start);
	for (size_t i = 0; i < gtid_ranges_count(missed); i++) {
		const struct gtid_range *range = gtid_ranges_at(missed, i);

		if (file->flavour != FLAVOUR_MARIADB || !is_forgotten(file->start, range))
			gtid_ranges_add(lacking, range);
	}
}

static void join_in_order(const struct history *history, const struct history_file *file,
			  const struct gtid_ranges *missing, struct generation_begin *begin)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *lacking = history_set_new();
	char list[HISTORY_TEXT_SIZE];

	if (gtid_ranges_count(missing) > 0) {
		begin->gap = true;
		history_text(missing, list);
		state_reason(begin, GENERATION_JUMPED,
			     "%.128s begins with transactions that no archived file holds: %.200s",
			     file->name, list);
		return;
	}
	find_lacking(history, file, lacking);
	if (gtid_ranges_count(lacking) == 0)
		return;
	begin->gap = true;
	history_text(lacking, list);
	state_reason(begin, GENERATION_JUMPED,
		     "%.128s begins without transactions that %.128s before it holds: %.200s. Its "
		     "GTIDs go back, or it is not what the server wrote",
		     file->name, file->after_file, list);
}

void history_join(const struct history *history, const struct history_file *file,
		  struct generation_begin *ret_begin, struct history *ret_next)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *missing = history_set_new();
	char missing_text[HISTORY_TEXT_SIZE], list[HISTORY_TEXT_SIZE];
	bool known = history_known(history) && gtid_ranges_count(history->set) > 0 &&
		     history->flavour == file->flavour && !file->start_unknown &&
		     !gtid_ranges_overflowed(file->start);

	*ret_begin = (struct generation_begin){.after_position = file->after_position};
	snprintf(ret_begin->after_file, sizeof(ret_begin->after_file), "%s", file->after_file);
	if (!known) {
		if (file->reason)
			join_unknown(file, ret_begin);
		history_begin_with(ret_next, file->flavour, file->start);
		ret_next->own_known = ret_next->own_known && !file->start_unknown;
		if (file->start_unknown && !file->reason && history_known(history))
			gtid_ranges_unite(ret_next->set, history->set);
		return;
	}
	gtid_ranges_unite(missing, file->start);
	gtid_ranges_subtract(missing, history->set);
	history_text(missing, list);
	snprintf(missing_text, sizeof(missing_text), "%.200s is missing", list);
	if (file->reason)
		join_anew(history, file, missing, missing_text, ret_begin);
	else
		join_in_order(history, file, missing, ret_begin);
	history_begin_with(ret_next, file->flavour, file->start);
	/* A server that writes anew gives the numbers of what it lost to other transactions. */
	if (ret_begin->reason != GENERATION_RESET && ret_begin->reason != GENERATION_DIVERGED)
		gtid_ranges_unite(ret_next->set, history->set);
}
