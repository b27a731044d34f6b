#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/units.h"
#include "command/archive_option.h"
#include "command/commands.h"
#include "store/plan.h"
#include "store/store.h"

#define SOURCES_MAX 1024 /* ever archived; more cannot be configured at a time */

struct listing {
	struct store *store;
	const char *wanted; /* NULL: all */
	struct plan *plans[SOURCES_MAX];
	char names[SOURCES_MAX][SOURCE_NAME_MAX + 1];
	size_t count;
};

static void listing_free(struct listing *listing)
{
	if (!listing)
		return;
	for (size_t i = 0; i < listing->count; i++)
		plan_free(listing->plans[i]);
	store_free(listing->store);
	free(listing);
}
DEFINE_CLEANUP(listing_free, struct listing *);

/* The plan of a leaf's source, made when its first leaf comes. */
static int find_plan(struct listing *listing, const char *source, struct plan **ret_plan,
		     struct error *err)
{
	for (size_t i = 0; i < listing->count; i++) {
		if (strcmp(listing->names[i], source) == 0) {
			*ret_plan = listing->plans[i];
			return 0;
		}
	}
	if (listing->count == SOURCES_MAX)
		return error_set(err, ERROR_FAILED, "more than %d sources in one archive",
				 SOURCES_MAX);
	snprintf(listing->names[listing->count], sizeof(listing->names[0]), "%s", source);
	*ret_plan = listing->plans[listing->count++] = plan_new(source);
	return 0;
}

static int take_leaf(void *context, const struct leaf *leaf, struct error *err)
{
	struct listing *listing = context;
	struct plan *plan = NULL;
	const char *source;
	int r;

	if (!leaf_is(leaf, "period") && !leaf_is(leaf, "generation") &&
	    !leaf_is(leaf, "gap-accepted") && !leaf_is(leaf, "segment-opened") &&
	    !leaf_is(leaf, "segment-sealed"))
		return 0;
	r = json_get_string(leaf->object, "source", &source, err);
	if (r == 0)
		r = name_check_source(source, err);
	if (r < 0 || (listing->wanted && strcmp(listing->wanted, source) != 0))
		return r;
	r = find_plan(listing, source, &plan, err);
	return r < 0 ? r : plan_add(plan, leaf->object, err);
}

static int read_archive(struct command_context *context, struct listing *listing, struct error *err)
{
	struct command_volumes paths;
	int r = command_archive(context, &paths, err);

	if (r == 0)
		r = store_open(paths.volumes, paths.count, STORE_READ, &listing->store, err);
	if (r == 0)
		r = store_leaves(listing->store, take_leaf, listing, err);
	for (size_t i = 0; r == 0 && i < listing->count; i++)
		r = plan_finish(listing->plans[i], NULL, err);
	if (r == ERROR_DEFECT)
		return error_prefix(err, "the archive has a defect (binvault verify tells all)");
	if (r == 0 && listing->wanted && listing->count == 0)
		return error_set(err, ERROR_NOT_FOUND,
				 "nothing of source '%s' is archived. Do: binvault list",
				 listing->wanted);
	return r;
}

static uint64_t binlog_size(const struct plan *plan)
{
	uint64_t size = 0;

	for (size_t i = 0; i < plan_count(plan); i++)
		size += plan_at(plan, i)->end.summary.event_end - plan_at(plan, i)->start_position;
	return size;
}

static size_t file_count(const struct plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan_count(plan); i++)
		count += plan_at(plan, i)->last_of_file;
	return count;
}

/* --- text ------------------------------------------------------------------------------------ */

/* To the second: "2026-08-23 03:21:06Z"; "-" for none. */
static void print_time(uint64_t usec)
{
	char text[TIME_TEXT_SIZE] = "-";

	if (usec) {
		time_format(usec, text);
		text[10] = ' ';
		memcpy(text + 19, "Z", 2);
	}
	printf("  %-20s", text);
}

static bool has_wrong_crc(const struct plan_segment *segment)
{
	return segment->end.summary.flags & SUMMARY_CRC_WRONG;
}

static void print_segment(const struct plan_segment *segment)
{
	char size[SIZE_TEXT_SIZE];

	size_format(segment->file_size, size);
	printf("  %-24s %12" PRIu64 " %12" PRIu64, segment->binlog_file, segment->start_position,
	       segment->end.summary.event_end);
	print_time(segment->end.summary.time_first_usec);
	print_time(segment->end.summary.time_last_usec);
	printf("  %10s  sealed, %s%s\n", size, segment_ended_name(segment->end.ended),
	       has_wrong_crc(segment) ? ", WRONG CRC of the server's in it" : "");
}

/* Where the segment at @position begins one of several. */
static void print_generation(const struct plan *plan, size_t position)
{
	size_t index = plan_at(plan, position)->generation_index;
	const struct plan_generation *generation = plan_generation_at(plan, index);
	char digits[HEX_SIZE(HASH_SIZE)];

	if (plan_generation_count(plan) < 2 ||
	    (position > 0 && plan_at(plan, position - 1)->generation_index == index))
		return;
	hex_encode(generation->generation.bytes, HASH_SIZE, digits);
	printf("  generation %.12s%s%s\n", digits, generation->has_record ? ": " : "",
	       generation->has_record ? generation->record.sentence : "");
}

static void print_open(const struct state_open *open)
{
	const struct segment_header *header = &open->record->header;

	printf("  %-24s %12" PRIu64 " %12s", header->binlog_file, header->start_position, "-");
	print_time(0);
	print_time(0);
	printf("  %10s  open or pending\n", "-");
}

static void print_source(const struct listing *listing, size_t number)
{
	const struct plan *plan = listing->plans[number];
	const struct state *state = store_state(listing->store);
	const char *name = listing->names[number];
	char stored[SIZE_TEXT_SIZE], binlog[SIZE_TEXT_SIZE];
	size_t gap = 0;

	size_format(plan_byte_count(plan), stored);
	size_format(binlog_size(plan), binlog);
	printf("\n%s  %zu files, %zu segments, %s of binlog in %s stored, %zu gaps\n", name,
	       file_count(plan), plan_count(plan), binlog, stored, plan_gap_count(plan));
	printf("  %-24s %12s %12s  %-20s  %-20s  %10s  %s\n", "FILE", "FROM", "TO", "FIRST EVENT",
	       "LAST EVENT", "SIZE", "STATE");
	for (size_t i = 0; i < plan_count(plan); i++) {
		print_generation(plan, i);
		for (; gap < plan_gap_count(plan) && plan_gap_at(plan, gap)->before == i; gap++)
			printf("  GAP  %s\n", plan_gap_at(plan, gap)->sentence);
		print_segment(plan_at(plan, i));
	}
	for (size_t i = 0; i < state_open_count(state, name); i++) {
		struct state_open open = state_open_at(state, name, i);

		print_open(&open);
	}
	if (plan_overlap_count(plan))
		printf("  and %zu segments whose bytes others hold as well, or that end otherwise "
		       "than the server's file: --output=json names them\n",
		       plan_overlap_count(plan));
}

static void print_text(const struct listing *listing)
{
	const struct store_record *archive = state_archive(store_state(listing->store));
	char id[UUID_SIZE];

	uuid_text(archive->archive_id, id);
	printf("%s  archive %s · times UTC, as the servers say\n", archive->name, id);
	for (size_t i = 0; i < listing->count; i++)
		print_source(listing, i);
	if (listing->count == 0)
		printf("nothing is archived yet\n");
}

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *segment_json(const struct plan_segment *segment)
{
	const struct segment_summary *summary = &segment->end.summary;
	json_t *object = json_object();

	json_put_string(object, "file", segment->binlog_file);
	json_put_u64(object, "start", segment->start_position);
	json_put_u64(object, "end", summary->event_end);
	json_put_u64(object, "events", summary->event_count);
	json_put_u64(object, "transactions", summary->transaction_count);
	json_put_u64(object, "time_first_usec", summary->time_first_usec);
	json_put_u64(object, "time_last_usec", summary->time_last_usec);
	json_put_u64(object, "size", segment->file_size);
	json_put_string(object, "ended", segment_ended_name(segment->end.ended));
	json_put_string(object, "next_file", segment->end.next_file);
	json_put_bool(object, "file_complete", segment->file_complete);
	json_put_bool(object, "crc_wrong", has_wrong_crc(segment));
	json_put_string(object, "path", segment->path);
	json_put_hex(object, "segment", segment->segment_id, SEGMENT_ID_SIZE);
	json_put_hex(object, "generation", segment->generation.bytes, HASH_SIZE);
	json_put_hex(object, "sha256", segment->file_hash.bytes, HASH_SIZE);
	json_put_u64(object, "leaf", segment->leaf_index);
	json_put_u64(object, "sealed_usec", segment->sealed_usec);
	return object;
}

static json_t *open_json(const struct state_open *open)
{
	const struct segment_header *header = &open->record->header;
	json_t *object = json_object();

	json_put_string(object, "file", header->binlog_file);
	json_put_u64(object, "start", header->start_position);
	json_put_string(object, "path", open->record->path);
	json_put_hex(object, "segment", header->segment_id, SEGMENT_ID_SIZE);
	json_put_u64(object, "leaf", open->index);
	return object;
}

static json_t *source_json(const struct listing *listing, size_t number)
{
	const struct plan *plan = listing->plans[number];
	const struct state *state = store_state(listing->store);
	const char *name = listing->names[number];
	json_t *object = json_object(), *segments = json_array(), *gaps = json_array(),
	       *overlaps = json_array(), *open = json_array();

	for (size_t i = 0; i < plan_count(plan); i++)
		json_array_append_new(segments, segment_json(plan_at(plan, i)));
	for (size_t i = 0; i < plan_gap_count(plan); i++)
		json_array_append_new(gaps, json_string(plan_gap_at(plan, i)->sentence));
	for (size_t i = 0; i < plan_overlap_count(plan); i++)
		json_array_append_new(overlaps, segment_json(plan_overlap_at(plan, i)));
	for (size_t i = 0; i < state_open_count(state, name); i++) {
		struct state_open found = state_open_at(state, name, i);

		json_array_append_new(open, open_json(&found));
	}
	json_put_string(object, "source", name);
	json_put_u64(object, "file_count", file_count(plan));
	json_put_u64(object, "stored_size", plan_byte_count(plan));
	json_put_u64(object, "binlog_size", binlog_size(plan));
	json_put(object, "segments", segments);
	json_put(object, "gaps", gaps);
	json_put(object, "overlaps", overlaps);
	json_put(object, "open", open);
	return object;
}

static void print_json(const struct listing *listing)
{
	const struct store_record *archive = state_archive(store_state(listing->store));
	CLEANUP(json_decrefp)
	json_t *object = json_object();
	json_t *sources = json_array();
	char id[UUID_SIZE];

	uuid_text(archive->archive_id, id);
	for (size_t i = 0; i < listing->count; i++)
		json_array_append_new(sources, source_json(listing, i));
	json_put(object, "schema", json_integer(1));
	json_put_string(object, "archive", id);
	json_put_string(object, "name", archive->name);
	json_put(object, "sources", sources);
	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	putchar('\n');
}

static bool has_open_gap(const struct plan *plan)
{
	for (size_t i = 0; i < plan_gap_count(plan); i++) {
		if (!plan_gap_at(plan, i)->accepted)
			return true;
	}
	return false;
}

static int run(struct command_context *context, struct error *err)
{
	CLEANUP(listing_freep)
	struct listing *listing = calloc(1, sizeof(*listing));
	int r;

	ASSERT(listing);
	listing->wanted = context->argument_count ? context->arguments[0] : NULL;
	r = listing->wanted ? name_check_source(listing->wanted, err) : 0;
	if (r == 0)
		r = read_archive(context, listing, err);
	if (r < 0)
		return r;
	if (context->output == COMMAND_OUTPUT_JSON)
		print_json(listing);
	else
		print_text(listing);
	for (size_t i = 0; i < listing->count; i++) {
		if (has_open_gap(listing->plans[i]))
			r = COMMAND_ATTENTION;
	}
	return r;
}

static const struct command_option options[] = {
	ARCHIVE_OPTION,
	{NULL, NULL, NULL},
};

const struct command command_list = {
	.verb = "list",
	.arguments = "[SOURCE]",
	.argument_max = 1,
	.summary = "list what is archived: binlog files, ranges, times, sizes, gaps",
	.description = "Reads the ledger only, needs no daemon and no key. Exit status 6 if there "
		       "is a gap that nobody has accepted (source accept-gap).",
	.reads = true,
	.options = options,
	.run = run,
};
