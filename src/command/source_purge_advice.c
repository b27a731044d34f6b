#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "command/commands.h"
#include "command/operator_client.h"
#include "store/plan.h"
#include "store/store.h"

/* A list that is older says too little about what the server has done since. */
#define LIST_AGE_MAX_USEC (10 * 60 * USEC_PER_SEC)

/* Up to where the server's files may go, and why not further. */
struct advice {
	size_t file_count; /* that may be purged: the oldest ones */
	uint64_t byte_count;
	char first[BINLOG_NAME_MAX + 1], last[BINLOG_NAME_MAX + 1]; /* of them */
	char to[BINLOG_NAME_MAX + 1]; /* the one behind them, which stays */
	char reason[512];	      /* why it stays */
};

static void __attribute__((format(printf, 2, 3)))
because(struct advice *advice, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(advice->reason, sizeof(advice->reason), format, arguments);
	va_end(arguments);
}

static int take_leaf(void *context, const struct leaf *leaf, struct error *err)
{
	if (!leaf_is(leaf, "period") && !leaf_is(leaf, "segment-opened") &&
	    !leaf_is(leaf, "segment-sealed"))
		return 0;
	return plan_add(context, leaf->object, err);
}

static int read_plan(const struct config *config, struct plan *plan, struct error *err)
{
	CLEANUP(store_freep)
	struct store *store = NULL;
	const char *volumes[CONFIG_VOLUMES_MAX];
	int r;

	for (size_t i = 0; i < config->volume_count; i++)
		volumes[i] = config->volumes[i];
	r = store_open(volumes, config->volume_count, STORE_READ, &store, err);
	if (r == 0)
		r = store_leaves(store, take_leaf, plan, err);
	if (r == 0)
		r = plan_finish(plan, NULL, err);
	return r == ERROR_DEFECT ? error_prefix(err, "the archive has a defect (binvault verify "
						     "tells all)")
				 : r;
}

/* --- the archive's side ---------------------------------------------------------------------- */

static bool same_hash(const struct hash *a, const struct hash *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool same_file(const struct plan_segment *a, const struct plan_segment *b)
{
	return same_hash(&a->generation, &b->generation) && same_hash(&a->file_id, &b->file_id);
}

/* The first segment of the file of this name in the newest generation, the one that goes on. */
static size_t find_file(const struct plan *plan, const char *name)
{
	size_t count = plan_count(plan);
	const struct plan_segment *newest = count ? plan_at(plan, count - 1) : NULL;

	for (size_t i = count; i-- > 0;) {
		const struct plan_segment *segment = plan_at(plan, i);

		if (!same_hash(&segment->generation, &newest->generation))
			break;
		if (strcmp(segment->binlog_file, name) == 0 &&
		    (i == 0 || !same_file(plan_at(plan, i - 1), segment)))
			return i;
	}
	return SIZE_MAX;
}

static bool has_gap(const struct plan *plan, size_t position)
{
	for (size_t i = 0; i < plan_gap_count(plan); i++) {
		if (plan_gap_at(plan, i)->before == position)
			return true;
	}
	return false;
}

/* Is the file archived from its beginning to the end that the server states, sealed, and followed
 * by @next? Otherwise the reason. */
static bool is_whole(const struct plan *plan, const char *name, uint64_t size, const char *next,
		     struct advice *advice)
{
	size_t at = find_file(plan, name);
	const struct plan_segment *segment;

	if (at == SIZE_MAX) {
		because(advice, "%s is not archived (sealed) from this server", name);
		return false;
	}
	segment = plan_at(plan, at);
	if (segment->start_position != 4) {
		because(advice, "%s is archived from %" PRIu64 " only", name,
			segment->start_position);
		return false;
	}
	while (!segment->last_of_file) {
		if (has_gap(plan, ++at)) {
			because(advice, "the sealed segments of %s do not join", name);
			return false;
		}
		segment = plan_at(plan, at);
	}
	if (!segment->file_complete || segment->end.summary.event_end != size)
		because(advice,
			"%s is sealed to %" PRIu64 ", and has %" PRIu64
			" bytes on the server: what follows is sealed soon, or see binvault status",
			name, segment->end.summary.event_end, size);
	else if (segment->end.next_file[0] && strcmp(segment->end.next_file, next) != 0)
		because(advice,
			"%s was followed by %s, and on the server %s follows: was it reset?", name,
			segment->end.next_file, next);
	else
		return true;
	return false;
}

/* --- both ------------------------------------------------------------------------------------ */

static const char *entry_name(const json_t *files, size_t at)
{
	struct error ignored;
	const char *name;

	return json_get_string(json_array_get(files, at), "name", &name, &ignored) == 0 ? name : "";
}

/* From the oldest on, as long as each is whole: what PURGE removes is everything before a file. */
static void judge(const struct plan *plan, const json_t *files, struct advice *advice)
{
	size_t count = json_array_size(files);

	for (size_t i = 0; i < count; i++) {
		const char *name = entry_name(files, i);
		struct error ignored;
		uint64_t size = 0;

		snprintf(advice->to, sizeof(advice->to), "%s", name);
		if (i + 1 == count) {
			because(advice, "%s is the one that the server writes", name);
			return;
		}
		if (json_get_u64(json_array_get(files, i), "size", &size, &ignored) < 0 ||
		    !is_whole(plan, name, size, entry_name(files, i + 1), advice))
			return;
		if (i == 0)
			snprintf(advice->first, sizeof(advice->first), "%s", name);
		snprintf(advice->last, sizeof(advice->last), "%s", name);
		advice->file_count++;
		advice->byte_count += size;
	}
}

/* Is what the keeper knows of the server good for advice? */
static bool is_usable(const json_t *reply, struct advice *advice)
{
	uint64_t now = 0, time = 0;
	const char *state = "";
	struct error ignored;

	if (json_get_string(reply, "state", &state, &ignored) < 0 ||
	    strcmp(state, "streaming") != 0)
		because(advice,
			"nothing streams from a server of this source now (%s), so it cannot be "
			"told that its files are the archived ones. Do: binvault status",
			state);
	else if (json_array_size(json_object_get(reply, "files")) == 0 ||
		 json_get_u64(reply, "time", &time, &ignored) < 0 ||
		 json_get_u64(reply, "now", &now, &ignored) < 0)
		because(advice,
			"the server's list of files has not come yet: ask again in a minute");
	else if (now > time + LIST_AGE_MAX_USEC)
		because(advice, "the server's list of files is older than 10 minutes. Do: binvault "
				"status says why");
	else
		return true;
	return false;
}

static const char *reply_text(const json_t *reply, const char *key)
{
	struct error ignored;
	const char *text;

	return json_get_string(reply, key, &text, &ignored) == 0 ? text : "";
}

static void print_json(const json_t *reply, const char *source, const char *statement,
		       const struct advice *advice)
{
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	uint64_t time = 0;
	struct error ignored;

	json_put(object, "schema", json_integer(1));
	json_put_string(object, "source", source);
	json_put_string(object, "server", reply_text(reply, "server"));
	if (json_get_u64(reply, "time", &time, &ignored) == 0)
		json_put_u64(object, "listed", time);
	if (statement[0])
		json_put_string(object, "statement", statement);
	json_put_string(object, "reason", advice->reason);
	json_put_u64(object, "files", advice->file_count);
	json_put_u64(object, "bytes", advice->byte_count);
	json_put_string(object, "first", advice->first);
	json_put_string(object, "last", advice->last);
	json_put_string(object, "to", advice->file_count > 0 ? advice->to : "");
	json_dumpf(object, stdout, JSON_COMPACT | JSON_SORT_KEYS);
	putchar('\n');
}

static void print_text(const json_t *reply, const char *statement, const struct advice *advice)
{
	char size[SIZE_TEXT_SIZE];

	if (!statement[0]) {
		printf("Nothing may be purged: %s.\n", advice->reason);
		return;
	}
	size_format(advice->byte_count, size);
	printf("%s\n", statement);
	fprintf(stderr,
		"%zu file%s of %s (%s to %s, %s) %s archived, sealed and on the volume; %s stays: "
		"%s. Whether replicas still need them is not known here: see SHOW REPLICAS.\n",
		advice->file_count, advice->file_count == 1 ? "" : "s", reply_text(reply, "server"),
		advice->first, advice->last, size, advice->file_count == 1 ? "is" : "are",
		advice->to, advice->reason);
}

static int run(struct command_context *context, struct error *err)
{
	const char *source = context->arguments[0];
	CLEANUP(plan_freep)
	struct plan *plan = NULL;
	CLEANUP(json_decrefp)
	json_t *request = json_object();
	CLEANUP(json_decrefp)
	json_t *reply = NULL;
	char statement[BINLOG_NAME_MAX + 64] = "";
	struct advice advice = {0};
	const struct config *config;
	int r = command_config(context, &config, err);

	if (r == 0)
		r = name_check_source(source, err);
	if (r < 0)
		return r;
	json_put_string(request, "verb", "server-files");
	json_put_string(request, "source", source);
	/* The list before the ledger: what was sealed in between can only help. */
	r = operator_ask(config, request, &reply, err);
	if (r < 0)
		return r;
	plan = plan_new(source);
	r = read_plan(config, plan, err);
	if (r < 0)
		return r;
	if (is_usable(reply, &advice))
		judge(plan, json_object_get(reply, "files"), &advice);
	if (advice.file_count > 0)
		snprintf(statement, sizeof(statement), "PURGE BINARY LOGS TO '%s';", advice.to);
	if (context->output == COMMAND_OUTPUT_JSON)
		print_json(reply, source, statement, &advice);
	else
		print_text(reply, statement, &advice);
	return 0;
}

const struct command command_source_purge_advice = {
	.verb = "source purge-advice",
	.arguments = "SOURCE",
	.argument_min = 1,
	.argument_max = 1,
	.summary = "print the SQL that purges what is archived from the source's server",
	.description =
		"Only what is sealed counts, from the server's oldest file on without a hole, of "
		"the size that the server states. Nothing is ever purged by Binvault itself.",
	.reads = true,
	.run = run,
};
