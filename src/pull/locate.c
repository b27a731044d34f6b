#include "pull/locate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/start.h"

#define STATEMENT_SIZE 256

/* --- the server's files ---------------------------------------------------------------------- */

struct files {
	char (*names)[BINLOG_NAME_MAX + 1];
	size_t count, capacity;
};

static void files_release(struct files *files)
{
	free(files->names);
}

static int add_name(void *context, const char *name, struct error *err)
{
	struct files *files = context;
	int r = name_check_binlog(name, err);

	if (r < 0)
		return error_prefix(err, "the server's list of binlog files");
	if (files->count == files->capacity) {
		files->capacity = files->capacity ? 2 * files->capacity : 64;
		files->names = reallocarray(files->names, files->capacity, sizeof(*files->names));
		ASSERT(files->names);
	}
	snprintf(files->names[files->count++], sizeof(*files->names), "%s", name);
	return 0;
}

/* A set that the server states. */
struct statement_set {
	enum flavour flavour;
	struct gtid_ranges *set;
	bool found;
};

/* The Info column of the event that a file's transactions come behind. */
static int take_event(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct statement_set *beginning = context;
	const char *wanted = beginning->flavour == FLAVOUR_MYSQL ? "Previous_gtids" : "Gtid_list";
	CLEANUP(freep)
	char *text = NULL;
	size_t length;

	/* Log_name, Pos, Event_type, Server_id, End_log_pos, Info */
	if (count < 6 || !columns[2] || !columns[5] || strcmp(columns[2], wanted) != 0)
		return 0;
	/* MariaDB writes its list in brackets. */
	text = strdup(columns[5] + (columns[5][0] == '['));
	ASSERT(text);
	length = strlen(text);
	if (length > 0 && text[length - 1] == ']')
		text[length - 1] = '\0';
	beginning->found = true;
	return history_read_text(beginning->flavour, text, beginning->set, err);
}

/* Does the file begin with nothing that is not archived? 1 or 0. */
static int begins_archived(struct connection *connection, enum flavour flavour, const char *file,
			   const struct history *history, struct error *err)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *set = history_set_new();
	struct statement_set beginning = {.flavour = flavour, .set = set};
	char statement[STATEMENT_SIZE];
	int r;

	/* The name has been checked: nothing in it needs quoting. */
	snprintf(statement, sizeof(statement), "SHOW BINLOG EVENTS IN '%s' LIMIT 3", file);
	r = connection_table(connection, statement, take_event, &beginning, err);
	if (r < 0)
		return error_prefix(err, "looking for the file that goes on");
	if (!beginning.found)
		return error_set(err, ERROR_REFUSED,
				 "%s of the server does not say which transactions precede it: "
				 "where to go on cannot be told",
				 file);
	if (gtid_ranges_overflowed(set))
		return error_set(err, ERROR_REFUSED,
				 "%s of the server begins with more GTIDs than can be compared",
				 file);
	return gtid_ranges_contain_all(history_set(history), set);
}

/* The last file that begins with nothing that is not archived, or the first of all. Sets only
 * grow from file to file. Returns whether it is the former. */
static int search(struct connection *connection, enum flavour flavour,
		  const struct history *history, char ret_file[static BINLOG_NAME_MAX + 1],
		  struct error *err)
{
	CLEANUP(files_release)
	struct files files = {0};
	size_t low = 0, high;
	int r = connection_rows(connection, "SHOW BINARY LOGS", add_name, &files, err);

	if (r == 0 && files.count == 0)
		r = error_set(err, ERROR_REFUSED, "the server has no binlog file");
	high = files.count;
	while (r >= 0 && low < high) {
		size_t middle = low + (high - low) / 2;

		r = begins_archived(connection, flavour, files.names[middle], history, err);
		if (r > 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (r < 0)
		return r;
	memcpy(ret_file, files.names[low > 0 ? low - 1 : 0], BINLOG_NAME_MAX + 1);
	return low > 0;
}

/* --- another server -------------------------------------------------------------------------- */

static int take_text(void *context, size_t count, const char *const *columns, struct error *err)
{
	struct statement_set *state = context;

	(void)count;
	return columns[0] ? history_read_text(state->flavour, columns[0], state->set, err) : 0;
}

/* Is it a member of the group? And what does it lack of what is archived? */
static int check_member(struct connection *connection, enum flavour flavour,
			const struct history *history, struct location *location, struct error *err)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *executed = history_set_new();
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *lacking = history_set_new();
	struct statement_set state = {.flavour = flavour, .set = executed};
	char text[HISTORY_TEXT_SIZE];
	int r = connection_table(connection,
				 flavour == FLAVOUR_MYSQL ? "SELECT @@global.gtid_executed"
							  : "SELECT @@global.gtid_binlog_state",
				 take_text, &state, err);

	if (r < 0)
		return r;
	if (!gtid_ranges_meet(executed, history_set(history)))
		return error_set(err, ERROR_REFUSED,
				 "the server has none of the transactions that are archived: it is "
				 "no member of this group. Do: correct `servers`, or begin a new "
				 "source");
	gtid_ranges_unite(lacking, history_set(history));
	gtid_ranges_subtract(lacking, executed);
	if (gtid_ranges_count(lacking) == 0)
		return 0;
	history_text(lacking, text);
	snprintf(location->note, sizeof(location->note),
		 ". It lacks %.90s (yet), which is archived", text);
	return 0;
}

static int locate_other(struct connection *connection, const struct server_facts *facts,
			const struct locate_request *request, struct location *location,
			struct error *err)
{
	enum flavour flavour = facts->identity.flavour;
	const struct history *history = request->history;
	int r;

	location->reason = GENERATION_FAILOVER;
	if (!history_known(history) || gtid_ranges_count(history_set(history)) == 0)
		return error_set(err, ERROR_REFUSED,
				 "it is another server than the archived one, and no GTIDs of that "
				 "are known by which it could go on. Do: GTIDs (gtid_mode=ON) on "
				 "all servers of the source, or begin a new source");
	if (history_flavour(history) != flavour)
		return error_set(err, ERROR_REFUSED,
				 "it is a %s server, and what is archived comes from %s: one "
				 "cannot go on for the other. Do: begin a new source",
				 flavour_traits(flavour)->name,
				 flavour_traits(history_flavour(history))->name);
	r = check_member(connection, flavour, history, location, err);
	if (r == 0)
		r = search(connection, flavour, history, location->file, err);
	return r < 0 ? r : 0;
}

/* --- the beginning --------------------------------------------------------------------------- */

/* `start` is a set of GTIDs: of a backup, say. What follows it must be there. */
static int locate_behind(struct connection *connection, const struct server_facts *facts,
			 const char *start, struct location *location, struct error *err)
{
	CLEANUP(history_freep)
	struct history *history = history_new();
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *set = history_set_new();
	enum flavour flavour = facts->identity.flavour;
	int r = history_read_text(flavour, start, set, err);

	if (r < 0)
		return error_prefix(err, "`start`, for a %s server", flavour_traits(flavour)->name);
	history_begin_with(history, flavour, set);
	r = search(connection, flavour, history, location->file, err);
	if (r == 0)
		return error_set(
			err, ERROR_REFUSED,
			"the server has purged what follows start = %.200s: its oldest "
			"file, %s, begins behind that. Do: start = oldest, or a later GTID",
			start, location->file);
	return r < 0 ? r : 0;
}

static int locate_start(struct connection *connection, const struct server_facts *facts,
			const char *start, struct location *location, struct error *err)
{
	switch (start_kind(start)) {
	case START_OLDEST:
		memcpy(location->file, facts->first_file, sizeof(location->file));
		return 0;
	case START_NOW:
		memcpy(location->file, facts->last_file, sizeof(location->file));
		return 0;
	case START_GTID:
		return locate_behind(connection, facts, start, location, err);
	case START_FILE:
	default:
		start_file(start, location->file);
		return 0;
	}
}

int locate(struct connection *connection, const struct server_facts *facts,
	   const struct locate_request *request, struct location *ret_location, struct error *err)
{
	struct location location = {.reason = request->reason};
	const struct place *place = request->place;
	int r = 0;

	if (!place->file[0] && place->next_file[0]) { /* begun, but nothing of it is sealed */
		memcpy(location.file, place->next_file, sizeof(location.file));
	} else if (!place->file[0]) {
		r = locate_start(connection, facts, request->source->start, &location, err);
	} else if (!request->same_server) {
		r = locate_other(connection, facts, request, &location, err);
	} else if (!request->reason && request->behind_torn && place->closed) {
		memcpy(location.file, place->next_file, sizeof(location.file));
		location.behind_torn = true;
	} else if (!request->reason) {
		memcpy(location.file, place->file, sizeof(location.file));
		location.resumes = true;
	} else if (request->reason == GENERATION_DIVERGED) {
		memcpy(location.file, place->file, sizeof(location.file));
	} else {
		memcpy(location.file, facts->first_file, sizeof(location.file));
	}
	if (r < 0)
		return r;
	*ret_location = location;
	return 0;
}
