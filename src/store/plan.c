#include "store/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define FIRST_POSITION 4 /* of a binlog file: behind its magic number */

/* One opened segment, and what is known of it. */
struct item {
	uint64_t opened_index;
	bool sealed;
	struct plan_segment segment;
};

/* A binlog file of the source: in the order in which they were first opened. */
struct file {
	struct hash generation, file_id;
	char name[BINLOG_NAME_MAX + 1];
};

struct plan {
	char source[SOURCE_NAME_MAX + 1];
	struct item *items;
	size_t item_count, item_capacity;
	struct period_record *periods;
	size_t period_count, period_capacity;
	struct plan_generation
		*generations; /* all, until plan_finish() keeps those that are read */
	size_t generation_count, generation_capacity;
	bool finished;
	struct plan_segment *segments, *overlaps;
	size_t segment_count, overlap_count;
	struct plan_gap *gaps;
	size_t gap_count;
};

struct plan *plan_new(const char *source)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	ASSERT(plan && strlen(source) < sizeof(plan->source));
	memcpy(plan->source, source, strlen(source) + 1);
	return plan;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->items);
	free(plan->periods);
	free(plan->generations);
	free(plan->segments);
	free(plan->overlaps);
	free(plan->gaps);
	free(plan);
}

static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? 2 * *capacity : 64;
	array = realloc(array, *capacity * size);
	ASSERT(array);
	return array;
}

/* --- taking leaves --------------------------------------------------------------------------- */

static bool same_hash(const struct hash *a, const struct hash *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Mostly the last one again. */
static struct plan_generation *find_generation(struct plan *plan, const struct hash *generation)
{
	struct plan_generation *new;

	for (size_t i = plan->generation_count; i-- > 0;) {
		if (same_hash(&plan->generations[i].generation, generation))
			return &plan->generations[i];
	}
	plan->generations = grow(plan->generations, plan->generation_count,
				 &plan->generation_capacity, sizeof(*plan->generations));
	new = &plan->generations[plan->generation_count++];
	*new = (struct plan_generation){.generation = *generation};
	return new;
}

static int add_generation(struct plan *plan, const json_t *object, struct error *err)
{
	struct generation_record record;
	struct plan_generation *generation;
	int r = generation_record_decode(object, &record, err);

	if (r < 0 || strcmp(record.source, plan->source) != 0)
		return r;
	generation = find_generation(plan, &record.generation);
	generation->record = record;
	generation->has_record = true;
	generation->overlaps = record.reason == GENERATION_FAILOVER;
	return 0;
}

static int add_gap_accepted(struct plan *plan, const json_t *object, struct error *err)
{
	struct gap_accepted_record record;
	uint64_t usec;
	int r = gap_accepted_record_decode(object, &record, err);

	if (r == 0)
		r = record_time(object, &usec, err);
	if (r < 0 || strcmp(record.source, plan->source) != 0)
		return r;
	gap_accepted_text(&record, usec, find_generation(plan, &record.generation)->accepted);
	return 0;
}

static void note_generation(struct plan *plan, const struct segment_sealed_record *record)
{
	struct plan_generation *generation = find_generation(plan, &record->generation);

	if (record->opened_index < generation->opened_index)
		return;
	generation->opened_index = record->opened_index;
	generation->gtids_archived = record->gtids_archived;
	memcpy(generation->identity, record->identity, SEGMENT_IDENTITY_SIZE);
}

static int add_opened(struct plan *plan, const json_t *object, struct error *err)
{
	struct segment_opened_record record;
	struct item item = {0};
	int r = segment_opened_record_decode(object, &record, err);

	if (r == 0)
		r = record_index(object, &item.opened_index, err);
	if (r < 0 || strcmp(record.header.source, plan->source) != 0)
		return r;
	memcpy(item.segment.segment_id, record.header.segment_id, SEGMENT_ID_SIZE);
	memcpy(item.segment.header_bytes, record.header_bytes, SEGMENT_HEADER_SIZE);
	memcpy(item.segment.path, record.path, sizeof(item.segment.path));
	item.segment.file_id = record.header.file_id;
	plan->items =
		grow(plan->items, plan->item_count, &plan->item_capacity, sizeof(*plan->items));
	plan->items[plan->item_count++] = item;
	return 0;
}

static struct item *find_item(struct plan *plan, uint64_t opened_index)
{
	/* A sealed leaf comes soon after its opened one: from the end. */
	for (size_t i = plan->item_count; i-- > 0;) {
		if (plan->items[i].opened_index == opened_index)
			return &plan->items[i];
	}
	return NULL;
}

static int add_sealed(struct plan *plan, const json_t *object, struct error *err)
{
	struct segment_sealed_record *record = calloc(1, sizeof(*record));
	struct item *item = NULL;
	int r;

	ASSERT(record);
	r = segment_sealed_record_decode(object, record, err);
	if (r < 0 || strcmp(record->source, plan->source) != 0) {
		if (r == 0)
			segment_sealed_record_release(record);
		free(record);
		return r;
	}
	item = find_item(plan, record->opened_index);
	if (!item || memcmp(item->segment.segment_id, record->segment_id, SEGMENT_ID_SIZE) != 0) {
		r = error_set(err, ERROR_DEFECT, "a segment is sealed that was never opened");
	} else {
		struct plan_segment *segment = &item->segment;

		item->sealed = true;
		memcpy(segment->period_id, record->period_id, STORE_ID_SIZE);
		memcpy(segment->path, record->path, sizeof(segment->path));
		memcpy(segment->binlog_file, record->binlog_file, sizeof(segment->binlog_file));
		segment->generation = record->generation;
		segment->file_hash = record->hashes.file;
		segment->file_size = record->hashes.size;
		segment->start_position = record->start_position;
		segment->end = record->end;
		note_generation(plan, record);
		r = record_index(object, &segment->leaf_index, err);
		if (r == 0)
			r = record_time(object, &segment->sealed_usec, err);
	}
	segment_sealed_record_release(record);
	free(record);
	return r;
}

static int add_period(struct plan *plan, const json_t *object, struct error *err)
{
	struct period_record record;
	int r = period_record_decode(object, &record, err);

	if (r < 0 || strcmp(record.source, plan->source) != 0)
		return r;
	plan->periods = grow(plan->periods, plan->period_count, &plan->period_capacity,
			     sizeof(*plan->periods));
	plan->periods[plan->period_count++] = record;
	return 0;
}

int plan_add(struct plan *plan, const json_t *object, struct error *err)
{
	enum record_type type;
	int r = record_type(object, &type, err);

	ASSERT(!plan->finished);
	if (r == 0 && type == RECORD_PERIOD)
		r = add_period(plan, object, err);
	if (r == 0 && type == RECORD_GENERATION)
		r = add_generation(plan, object, err);
	if (r == 0 && type == RECORD_GAP_ACCEPTED)
		r = add_gap_accepted(plan, object, err);
	if (r == 0 && type == RECORD_SEGMENT_OPENED)
		r = add_opened(plan, object, err);
	if (r == 0 && type == RECORD_SEGMENT_SEALED)
		r = add_sealed(plan, object, err);
	return r;
}

/* --- order ----------------------------------------------------------------------------------- */

/* Where a segment stands: generation and file by their first appearance, then position. */
struct rank {
	size_t generation, file;
	uint64_t start, good_end, opened_index;
	size_t item;
};

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_rank(const void *left, const void *right)
{
	const struct rank *a = left, *b = right;
	int r = compare_u64(a->generation, b->generation);

	if (r == 0)
		r = compare_u64(a->file, b->file);
	if (r == 0)
		r = compare_u64(a->start, b->start);
	if (r == 0) /* the longer first: it covers the other */
		r = compare_u64(b->good_end, a->good_end);
	return r ? r : compare_u64(a->opened_index, b->opened_index);
}

/* Ranks of all sealed items, in the order of the archive. Returns how many. */
static size_t rank_all(const struct plan *plan, struct rank *ranks)
{
	struct file *files = calloc(plan->item_count + 1, sizeof(*files));
	size_t file_count = 0, count = 0;

	ASSERT(files);
	for (size_t i = 0; i < plan->item_count; i++) {
		const struct plan_segment *segment = &plan->items[i].segment;
		size_t generation, file;

		if (!plan->items[i].sealed)
			continue;
		for (file = file_count; file-- > 0;) { /* mostly the last one again */
			if (same_hash(&files[file].generation, &segment->generation) &&
			    same_hash(&files[file].file_id, &segment->file_id))
				break;
		}
		if (file == SIZE_MAX) {
			file = file_count++;
			files[file].generation = segment->generation;
			files[file].file_id = segment->file_id;
		}
		for (generation = 0; generation < file; generation++) {
			if (same_hash(&files[generation].generation, &segment->generation))
				break;
		}
		ranks[count++] = (struct rank){generation,
					       file,
					       segment->start_position,
					       segment->end.summary.event_end,
					       plan->items[i].opened_index,
					       i};
	}
	free(files);
	qsort(ranks, count, sizeof(*ranks), compare_rank);
	return count;
}

static bool file_was_ended(const struct plan_segment *segment)
{
	return segment->end.ended == SEGMENT_ENDED_ROTATE || segment->end.next_file[0];
}

/* What of one file is chosen: each rank, and how far the segments that join behind it reach. */
struct choice {
	const struct rank *rank;
	uint64_t reach;
	size_t next; /* the one that joins, SIZE_MAX: none */
	bool taken;
};

static void take(struct plan *plan, const struct rank *rank)
{
	plan->segments[plan->segment_count++] = plan->items[rank->item].segment;
}

static void set_aside(struct plan *plan, const struct rank *rank)
{
	plan->overlaps[plan->overlap_count++] = plan->items[rank->item].segment;
}

/* From the last to the first: everything that joins stands behind. Sorted by start. */
static void find_joins(struct choice *choices, size_t count)
{
	for (size_t i = count; i-- > 0;) {
		size_t low = i + 1, high = count;

		while (low < high) {
			size_t middle = (low + high) / 2;

			if (choices[middle].rank->start < choices[i].rank->good_end)
				low = middle + 1;
			else
				high = middle;
		}
		choices[i].reach = choices[i].rank->good_end;
		choices[i].next = SIZE_MAX;
		for (; low < count && choices[low].rank->start == choices[i].rank->good_end;
		     low++) {
			if (choices[i].next == SIZE_MAX || choices[low].reach > choices[i].reach) {
				choices[i].reach = choices[low].reach;
				choices[i].next = low;
			}
		}
	}
}

/*
 * Of the segments of one file that hold bytes, the chain that joins and reaches furthest; behind a
 * hole the next one. Bytes that a chain holds already are an overlap: a pending tail was pulled
 * again from the last sealed end. Returns where the last chain ends.
 */
static uint64_t choose_chains(struct plan *plan, struct choice *choices, size_t count)
{
	uint64_t reached = 0;

	find_joins(choices, count);
	for (size_t first = 0; first < count; first++) {
		size_t best = first;

		if (choices[first].taken || choices[first].rank->good_end <= reached)
			continue;
		for (size_t i = first + 1;
		     i < count && choices[i].rank->start == choices[first].rank->start; i++) {
			if (choices[i].reach > choices[best].reach)
				best = i;
		}
		for (; best != SIZE_MAX; best = choices[best].next) {
			take(plan, choices[best].rank);
			choices[best].taken = true;
			reached = choices[best].rank->good_end;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (!choices[i].taken)
			set_aside(plan, choices[i].rank);
	}
	return reached;
}

/* One without bytes counts where nothing else says as much: that the file ends there. */
static void choose_empty(struct plan *plan, const struct rank *ranks, size_t count,
			 uint64_t reached)
{
	bool found = reached > 0;

	for (size_t i = 0; i < count; i++) {
		const struct plan_segment *segment = &plan->items[ranks[i].item].segment;

		if (ranks[i].start != ranks[i].good_end)
			continue;
		if (!found || (ranks[i].start == reached && file_was_ended(segment) &&
			       !file_was_ended(&plan->segments[plan->segment_count - 1])))
			take(plan, &ranks[i]);
		else
			set_aside(plan, &ranks[i]);
		found = true;
	}
}

static void choose_file(struct plan *plan, const struct rank *ranks, size_t count)
{
	struct choice *choices = calloc(count, sizeof(*choices));
	size_t full = 0;

	ASSERT(choices);
	for (size_t i = 0; i < count; i++) {
		if (ranks[i].start != ranks[i].good_end)
			choices[full++].rank = &ranks[i];
	}
	choose_empty(plan, ranks, count, choose_chains(plan, choices, full));
	free(choices);
}

static void choose_all(struct plan *plan, const struct rank *ranks, size_t count)
{
	plan->segments = calloc(count + 1, sizeof(*plan->segments));
	plan->overlaps = calloc(count + 1, sizeof(*plan->overlaps));
	ASSERT(plan->segments && plan->overlaps);
	for (size_t begin = 0, end; begin < count; begin = end) {
		for (end = begin + 1; end < count && ranks[end].file == ranks[begin].file; end++)
			;
		choose_file(plan, &ranks[begin], end - begin);
	}
}

static bool same_file(const struct plan_segment *a, const struct plan_segment *b)
{
	return same_hash(&a->generation, &b->generation) && same_hash(&a->file_id, &b->file_id);
}

/* Take those that @leave says out of the plan. */
static void set_segments_aside(struct plan *plan,
			       bool (*leave)(const struct plan_segment *segment,
					     const void *context),
			       const void *context, bool keep)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->segment_count; i++) {
		if (!leave(&plan->segments[i], context))
			plan->segments[count++] = plan->segments[i];
		else if (keep)
			plan->overlaps[plan->overlap_count++] = plan->segments[i];
	}
	plan->segment_count = count;
}

/* Where a generation holds a file that the one before holds too, with another end. */
struct lost_end {
	struct hash before;
	struct hash file_id;
};

static bool is_lost_end(const struct plan_segment *segment, const void *context)
{
	const struct lost_end *lost = context;

	return same_hash(&segment->generation, &lost->before) &&
	       same_hash(&segment->file_id, &lost->file_id);
}

/* The new end of a file counts: it is the last that the generation before holds. */
static void drop_lost_ends(struct plan *plan)
{
	for (size_t i = 0; i < plan->generation_count; i++) {
		const struct generation_record *record = &plan->generations[i].record;
		struct lost_end lost = {.before = record->before};
		const struct plan_segment *first = NULL;

		if (!plan->generations[i].has_record || record->reason != GENERATION_DIVERGED)
			continue;
		for (size_t k = 0; !first && k < plan->segment_count; k++) {
			if (same_hash(&plan->segments[k].generation, &record->generation))
				first = &plan->segments[k];
		}
		if (!first)
			continue;
		lost.file_id = first->file_id;
		set_segments_aside(plan, is_lost_end, &lost, true);
	}
}

static bool is_of_another(const struct plan_segment *segment, const void *context)
{
	const char *digits = context;
	char text[HEX_SIZE(HASH_SIZE)];

	hex_encode(segment->generation.bytes, HASH_SIZE, text);
	return strncmp(text, digits, strlen(digits)) != 0;
}

/* Those that are read, in their order. */
static void list_generations(struct plan *plan)
{
	struct plan_generation *read = calloc(plan->segment_count + 1, sizeof(*read));
	size_t count = 0;

	ASSERT(read);
	for (size_t i = 0; i < plan->segment_count; i++) {
		struct plan_segment *segment = &plan->segments[i];

		if (count == 0 || !same_hash(&read[count - 1].generation, &segment->generation))
			read[count++] = *find_generation(plan, &segment->generation);
		segment->generation_index = count - 1;
	}
	free(plan->generations);
	plan->generations = read;
	plan->generation_count = count;
}

static void mark_files(struct plan *plan)
{
	for (size_t i = 0; i < plan->segment_count; i++) {
		struct plan_segment *segment = &plan->segments[i];

		segment->last_of_file =
			i + 1 == plan->segment_count || !same_file(segment, segment + 1);
		segment->file_complete = segment->last_of_file && file_was_ended(segment);
	}
}

/* --- gaps ------------------------------------------------------------------------------------ */

static struct plan_gap *__attribute__((format(printf, 3, 4)))
add_gap(struct plan *plan, size_t before, const char *format, ...)
{
	struct plan_gap *gap = &plan->gaps[plan->gap_count++];
	va_list arguments;

	gap->before = before;
	va_start(arguments, format);
	vsnprintf(gap->sentence, sizeof(gap->sentence), format, arguments);
	va_end(arguments);
	return gap;
}

/* The gap that a generation says itself that it begins with. */
static void add_generation_gap(struct plan *plan, size_t before,
			       const struct plan_generation *generation)
{
	bool accepted = generation->accepted[0] != '\0';

	add_gap(plan, before, "%s%s%s", generation->record.sentence, accepted ? "; " : "",
		generation->accepted)
		->accepted = accepted;
}

/* Is all sealed that the generation goes on behind, and nothing missing? */
static bool generation_joins(const struct generation_record *record,
			     const struct plan_segment *before)
{
	if (record->gap || !same_hash(&record->before, &before->generation))
		return false;
	/* It begins with the file whose old end is set aside. */
	if (record->reason == GENERATION_DIVERGED)
		return before->file_complete &&
		       strcmp(before->end.next_file, record->binlog_file) == 0;
	return strcmp(before->binlog_file, record->after_file) == 0 &&
	       before->end.summary.event_end >= record->after_position;
}

static void check_join(struct plan *plan, size_t position)
{
	const struct plan_segment *before = &plan->segments[position - 1];
	const struct plan_segment *after = &plan->segments[position];
	uint64_t good_end = before->end.summary.event_end;

	if (same_file(before, after)) {
		if (good_end != after->start_position)
			add_gap(plan, position,
				"%.128s: a segment ends at %" PRIu64 " and the next begins at "
				"%" PRIu64,
				after->binlog_file, good_end, after->start_position);
		return;
	}
	if (!same_hash(&before->generation, &after->generation)) {
		const struct plan_generation *new = &plan->generations[after->generation_index];

		if (generation_joins(&new->record, before))
			return;
		if (new->has_record && !new->record.gap)
			add_gap(plan, position,
				"%.128s goes on behind %.128s:%" PRIu64
				", and what is sealed before "
				"it ends at %.128s:%" PRIu64,
				after->binlog_file, new->record.after_file,
				new->record.after_position, before->binlog_file, good_end);
		else if (new->has_record)
			add_generation_gap(plan, position, new);
		else
			add_gap(plan, position,
				"%.128s:%" PRIu64 " is followed by %.128s of a new history of the "
				"server",
				before->binlog_file, good_end, after->binlog_file);
		return;
	}
	if (!before->file_complete)
		add_gap(plan, position,
			"%.128s is archived to %" PRIu64 " only, and %.128s follows",
			before->binlog_file, good_end, after->binlog_file);
	else if (before->end.next_file[0] && strcmp(before->end.next_file, after->binlog_file) != 0)
		add_gap(plan, position, "%.128s must be followed by %.128s, and %.128s follows",
			before->binlog_file, before->end.next_file, after->binlog_file);
	if (after->start_position != FIRST_POSITION)
		add_gap(plan, position, "%.128s is archived from %" PRIu64 " only",
			after->binlog_file, after->start_position);
}

static void check_joins(struct plan *plan)
{
	plan->gaps = calloc(2 * plan->segment_count + 1, sizeof(*plan->gaps));
	ASSERT(plan->gaps);
	if (plan->segment_count && plan->segments[0].start_position != FIRST_POSITION)
		add_gap(plan, 0, "%.128s is archived from %" PRIu64 " only",
			plan->segments[0].binlog_file, plan->segments[0].start_position);
	for (size_t i = 1; i < plan->segment_count; i++)
		check_join(plan, i);
}

/* --- limits ---------------------------------------------------------------------------------- */

static int not_archived(const struct plan *plan, const char *file, struct error *err)
{
	if (plan->segment_count == 0)
		return error_set(err, ERROR_NOT_FOUND, "nothing of source '%s' is sealed yet",
				 plan->source);
	return error_set(err, ERROR_NOT_FOUND,
			 "'%s' of source '%s' is not archived here; archived are %s to %s", file,
			 plan->source, plan->segments[0].binlog_file,
			 plan->segments[plan->segment_count - 1].binlog_file);
}

static void cut_begin(struct plan *plan, size_t first)
{
	plan->segment_count -= first;
	memmove(plan->segments, plan->segments + first,
		plan->segment_count * sizeof(*plan->segments));
}

/* The newest generation that holds the file: names come again after RESET. */
static int cut_from(struct plan *plan, const char *file, struct error *err)
{
	size_t first = SIZE_MAX;

	for (size_t i = plan->segment_count; i-- > 0;) {
		if (strcmp(plan->segments[i].binlog_file, file) != 0)
			continue;
		if (first != SIZE_MAX && !same_file(&plan->segments[i], &plan->segments[first]))
			break;
		first = i;
	}
	if (first == SIZE_MAX)
		return not_archived(plan, file, err);
	cut_begin(plan, first);
	return 0;
}

/* Up to the segment that holds the position. */
static int cut_to(struct plan *plan, const char *file, uint64_t position, struct error *err)
{
	size_t last = SIZE_MAX;
	uint64_t reached = 0;

	for (size_t i = 0; i < plan->segment_count; i++) {
		const struct plan_segment *segment = &plan->segments[i];

		if (strcmp(segment->binlog_file, file) != 0)
			continue;
		/* A later file of this name is meant: the history that goes on. */
		if (last == SIZE_MAX || !same_file(&plan->segments[last], segment) ||
		    segment->start_position < position)
			last = i;
		reached = segment->end.summary.event_end;
	}
	if (last == SIZE_MAX)
		return not_archived(plan, file, err);
	if (reached < position)
		return error_set(err, ERROR_NOT_FOUND,
				 "'%s' is archived to %" PRIu64 ", not to %" PRIu64, file, reached,
				 position);
	plan->segment_count = last + 1;
	return 0;
}

int plan_finish(struct plan *plan, const struct plan_limits *limits, struct error *err)
{
	struct rank *ranks = calloc(plan->item_count + 1, sizeof(*ranks));
	int r = 0;

	ASSERT(ranks && !plan->finished);
	plan->finished = true;
	choose_all(plan, ranks, rank_all(plan, ranks));
	free(ranks);
	if (limits && limits->generation && limits->generation[0])
		set_segments_aside(plan, is_of_another, limits->generation, false);
	else
		drop_lost_ends(plan);
	mark_files(plan);
	if (limits && limits->from_file && limits->from_file[0])
		r = cut_from(plan, limits->from_file, err);
	if (r == 0 && limits && limits->limit == REQUEST_LIMIT_POSITION)
		r = cut_to(plan, limits->limit_file, limits->limit_position, err);
	if (r == 0 && limits && plan->segment_count == 0)
		r = not_archived(plan, "", err);
	if (r < 0)
		return r;
	list_generations(plan);
	check_joins(plan);
	return 0;
}

/* --- questions ------------------------------------------------------------------------------- */

size_t plan_count(const struct plan *plan)
{
	return plan->segment_count;
}

const struct plan_segment *plan_at(const struct plan *plan, size_t position)
{
	ASSERT(position < plan->segment_count);
	return &plan->segments[position];
}

size_t plan_gap_count(const struct plan *plan)
{
	return plan->gap_count;
}

const struct plan_gap *plan_gap_at(const struct plan *plan, size_t position)
{
	ASSERT(position < plan->gap_count);
	return &plan->gaps[position];
}

size_t plan_overlap_count(const struct plan *plan)
{
	return plan->overlap_count;
}

const struct plan_segment *plan_overlap_at(const struct plan *plan, size_t position)
{
	ASSERT(position < plan->overlap_count);
	return &plan->overlaps[position];
}

size_t plan_generation_count(const struct plan *plan)
{
	return plan->generation_count;
}

const struct plan_generation *plan_generation_at(const struct plan *plan, size_t position)
{
	ASSERT(position < plan->generation_count);
	return &plan->generations[position];
}

uint64_t plan_byte_count(const struct plan *plan)
{
	uint64_t size = 0;

	for (size_t i = 0; i < plan->segment_count; i++)
		size += plan->segments[i].file_size;
	return size;
}

const struct period_record *plan_period(const struct plan *plan, const struct plan_segment *segment)
{
	for (size_t i = 0; i < plan->period_count; i++) {
		if (memcmp(plan->periods[i].id, segment->period_id, STORE_ID_SIZE) == 0)
			return &plan->periods[i];
	}
	return NULL;
}
