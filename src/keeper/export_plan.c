#include "keeper/export_plan.h"

#include <stdlib.h>
#include <string.h>

#include "store/store.h"

struct entry {
	const struct plan *plan;
	const struct plan_segment *segment;
};

struct export_plan {
	bool restores;
	char (*sources)[SOURCE_NAME_MAX + 1];
	struct plan **plans; /* one a source */
	size_t source_count;
	struct entry *entries;
	size_t count;
	uint64_t byte_count;
};

void export_plan_free(struct export_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; plan->plans && i < plan->source_count; i++)
		plan_free(plan->plans[i]);
	free(plan->plans);
	free(plan->sources);
	free(plan->entries);
	free(plan);
}

static void add_source(struct export_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->source_count; i++) {
		if (strcmp(plan->sources[i], name) == 0)
			return;
	}
	plan->sources = reallocarray(plan->sources, plan->source_count + 1, sizeof(*plan->sources));
	ASSERT(plan->sources);
	strncpy(plan->sources[plan->source_count], name, SOURCE_NAME_MAX);
	plan->sources[plan->source_count++][SOURCE_NAME_MAX] = '\0';
}

/* Sources that are no longer configured have segments as well. */
static int find_source(void *context, const struct leaf *leaf, struct error *err)
{
	const char *name;

	if (!leaf_is(leaf, record_type_name(RECORD_SEGMENT_SEALED)))
		return 0;
	if (json_get_string(leaf->object, "source", &name, err) < 0)
		return err->code;
	add_source(context, name);
	return 0;
}

static int take_leaf(void *context, const struct leaf *leaf, struct error *err)
{
	const struct export_plan *plan = context;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->source_count; i++)
		r = plan_add(plan->plans[i], leaf->object, err);
	return r;
}

static void add_entry(struct export_plan *plan, const struct plan *of,
		      const struct plan_segment *segment)
{
	plan->entries[plan->count++] = (struct entry){of, segment};
	plan->byte_count += segment->file_size;
}

static void list_entries(struct export_plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->source_count; i++)
		count += plan_count(plan->plans[i]) + plan_overlap_count(plan->plans[i]);
	plan->entries = calloc(count + 1, sizeof(*plan->entries));
	ASSERT(plan->entries);
	for (size_t i = 0; i < plan->source_count; i++) {
		const struct plan *of = plan->plans[i];

		for (size_t k = 0; k < plan_count(of); k++)
			add_entry(plan, of, plan_at(of, k));
		for (size_t k = 0; !plan->restores && k < plan_overlap_count(of); k++)
			add_entry(plan, of, plan_overlap_at(of, k));
	}
}

static int finish(struct export_plan *plan, const struct request_record *request, struct error *err)
{
	const struct plan_limits limits = {
		.from_file = request->from_file,
		.generation = request->generation,
		.limit = request->limit,
		.limit_usec = request->limit_usec,
		.limit_file = request->limit_file,
		.limit_position = request->limit_position,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->source_count; i++)
		r = plan_finish(plan->plans[i], plan->restores ? &limits : NULL, err);
	if (r < 0)
		return r;
	list_entries(plan);
	for (size_t i = 0; r == 0 && i < plan->count; i++) {
		if (plan->restores && request->limit != REQUEST_LIMIT_TIME)
			r = export_plan_gap(plan, i, err);
	}
	return r;
}

static int read_leaves(struct export_plan *plan, const struct store *store,
		       const struct request_record *request, struct error *err)
{
	int r = 0;

	if (plan->restores)
		add_source(plan, request->source);
	else
		r = store_leaves(store, find_source, plan, err);
	if (r < 0)
		return r;
	plan->plans = calloc(plan->source_count + 1, sizeof(*plan->plans));
	ASSERT(plan->plans);
	for (size_t i = 0; i < plan->source_count; i++)
		plan->plans[i] = plan_new(plan->sources[i]);
	return store_leaves(store, take_leaf, plan, err);
}

int export_plan_make(const struct config *config, const struct request_record *request,
		     struct export_plan **ret_plan, struct error *err)
{
	CLEANUP(export_plan_freep)
	struct export_plan *plan = calloc(1, sizeof(*plan));
	CLEANUP(store_freep)
	struct store *store = NULL;
	const char *volumes[CONFIG_VOLUMES_MAX];
	int r;

	ASSERT(plan);
	plan->restores = request->kind == REQUEST_RESTORE;
	for (size_t i = 0; i < config->volume_count; i++)
		volumes[i] = config->volumes[i];
	r = store_open(volumes, config->volume_count, STORE_READ, &store, err);
	if (r == 0)
		r = read_leaves(plan, store, request, err);
	if (r == 0)
		r = finish(plan, request, err);
	if (r < 0)
		return r;
	*ret_plan = TAKE(plan);
	return 0;
}

size_t export_plan_count(const struct export_plan *plan)
{
	return plan->count;
}

const struct plan_segment *export_plan_at(const struct export_plan *plan, size_t position)
{
	ASSERT(position < plan->count);
	return plan->entries[position].segment;
}

const struct period_record *export_plan_period(const struct export_plan *plan, size_t position)
{
	ASSERT(position < plan->count);
	return plan_period(plan->entries[position].plan, plan->entries[position].segment);
}

const struct plan *export_plan_source(const struct export_plan *plan)
{
	return plan->restores ? plan->plans[0] : NULL;
}

uint64_t export_plan_byte_count(const struct export_plan *plan)
{
	return plan->byte_count;
}

json_t *export_plan_crc_wrong(const struct export_plan *plan, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct plan_segment *segment = export_plan_at(plan, i);
		json_t *object;

		if (!(segment->end.summary.flags & SUMMARY_CRC_WRONG))
			continue;
		object = json_object();
		json_put_string(object, "file", segment->binlog_file);
		json_put_u64(object, "start", segment->start_position);
		json_put_u64(object, "end", segment->end.summary.event_end);
		json_array_append_new(list, object);
	}
	return list;
}

/* The first file behind all gaps, from which a restore is possible; NULL if there is none. */
static const char *file_behind_gaps(const struct plan *plan)
{
	size_t position = plan_gap_at(plan, plan_gap_count(plan) - 1)->before;

	while (position < plan_count(plan) && plan_at(plan, position)->start_position != 4)
		position++;
	return position < plan_count(plan) ? plan_at(plan, position)->binlog_file : NULL;
}

int export_plan_gap(const struct export_plan *plan, size_t position, struct error *err)
{
	const struct plan *of = plan->entries[position].plan;

	for (size_t i = 0; i < plan_gap_count(of); i++) {
		const struct plan_gap *gap = plan_gap_at(of, i);
		const char *file;

		if (gap->before != position)
			continue;
		file = file_behind_gaps(of);
		if (!file)
			return error_set(err, ERROR_DEFECT, "gap: %s", gap->sentence);
		return error_set(err, ERROR_DEFECT,
				 "gap: %.700s. What lies behind it can be restored: --from-file %s",
				 gap->sentence, file);
	}
	return 0;
}
