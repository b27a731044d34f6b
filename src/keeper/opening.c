#include "keeper/opening.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "crypto/random.h"
#include "io/clock.h"
#include "io/file.h"
#include "keeper/periods.h"

/* Segments of one source that are open at a time: the one that ends, and the next. */
#define WRITING_MAX 3

/* And that are not sealed, for whatever reason: each start without the HSM may leave one behind. */
#define UNSEALED_MAX 1024

static uint64_t space_needed(const struct keeper *keeper)
{
	uint64_t needed = keeper->config->segment_size;

	for (size_t i = 0; i < keeper->source_count; i++) {
		const struct sealing *sealing = keeper->sources[i]->sealings;

		for (; sealing; sealing = sealing->next)
			needed += sealing_space_needed(sealing);
	}
	return needed;
}

int opening_check_space(struct keeper *keeper, struct error *err)
{
	char free_text[SIZE_TEXT_SIZE], needed_text[SIZE_TEXT_SIZE], reserve_text[SIZE_TEXT_SIZE];
	uint64_t free_size, needed = space_needed(keeper), reserve = keeper->config->reserve;
	int r = store_free_space(keeper->store, &free_size, err);

	if (r < 0)
		return r;
	if (free_size >= needed && free_size - needed >= reserve) {
		keeper_alarm_clear(keeper, "volume full");
		return 0;
	}
	size_format(free_size, free_text);
	size_format(needed, needed_text);
	size_format(reserve, reserve_text);
	error_set(err, ERROR_NO_SPACE,
		  "volume full: no space for a segment: '%s' has %s free, open segments may take "
		  "%s of it and %s is the "
		  "reserve: no other is opened until there is room. Do: make the volume larger",
		  store_volume_path(keeper->store, 0), free_text, needed_text, reserve_text);
	keeper_alarm_raise(keeper, "volume full", err->message);
	return err->code;
}

static int check_request(const struct source *source, struct error *err)
{
	size_t writing = 0, unsealed = 0;

	for (const struct sealing *s = source->sealings; s; s = s->next) {
		writing += s->state == SEALING_WRITING;
		unsealed++;
	}
	if (unsealed >= UNSEALED_MAX)
		return error_set(err, ERROR_BUSY,
				 "%zu segments of source %s are not sealed, and no more are "
				 "opened. Do: binvault status says what each of them waits for",
				 unsealed, source->config->name);
	if (writing >= WRITING_MAX)
		return error_set(err, ERROR_BUSY, "%zu segments of source %s are open already",
				 writing, source->config->name);
	return 0;
}

static void fill_header(const struct source *source, const struct open_segment *request,
			const struct period_record *period, struct segment_header *header)
{
	const struct store *store = source->keeper->store;

	header->block_size = store_block_size(store);
	header->start_position = request->start_position;
	header->created_usec = clock_realtime_usec();
	memcpy(header->archive_id, store_archive_id(store), SEGMENT_ID_SIZE);
	random_bytes(header->segment_id, SEGMENT_ID_SIZE);
	memcpy(header->period_id, period->id, SEGMENT_ID_SIZE);
	header->generation = request->generation;
	header->file_id = request->file_id;
	snprintf(header->source, sizeof(header->source), "%s", source->config->name);
	snprintf(header->binlog_file, sizeof(header->binlog_file), "%s", request->binlog_file);
	memcpy(header->identity, request->identity, SEGMENT_IDENTITY_SIZE);
}

static int give_key(const struct secret *period_key, struct segment_opened *opened,
		    struct error *err)
{
	struct secret key = {0};
	int r = segment_key_derive(period_key, opened->header, &key, err);

	if (r < 0)
		return r;
	memcpy(opened->key, key.bytes, sizeof(opened->key));
	secret_release(&key);
	return 0;
}

/* The leaf, and the sealing that follows from it. */
static int append_opened(struct source *source, const char *path,
			 const struct segment_header *header, const uint8_t *bytes,
			 const struct gtid_snapshot *gtids, struct sealing **ret_sealing,
			 struct error *err)
{
	struct segment_opened_record record = {.header = *header, .gtids_before = *gtids};
	uint64_t index = store_tree(source->keeper->store)->size;
	struct state_open open;
	int r;

	snprintf(record.path, sizeof(record.path), "%s", path);
	memcpy(record.header_bytes, bytes, SEGMENT_HEADER_SIZE);
	r = keeper_append(source->keeper, segment_opened_record_encode(&record), err);
	if (r == 0)
		r = state_open_find(store_state(source->keeper->store), header->segment_id, &open,
				    err);
	if (r < 0)
		return r;
	ASSERT(open.index >= index);
	*ret_sealing = source_add(source, open.index, open.record);
	return 0;
}

/* Why this segment begins a generation is in the ledger before the segment. */
static int begin_generation(struct source *source, const struct open_segment *request,
			    struct error *err)
{
	const struct generation_begin *begin = &request->begin;
	const struct state *state = store_state(source->keeper->store);
	const struct generation_record *last = state_generation(state, source->config->name);
	struct generation_record record = {
		.generation = request->generation,
		.before = begin->before,
		.reason = begin->reason,
		.after_position = begin->after_position,
		.gap = begin->gap,
		.gap_count = (last ? last->gap_count : 0) + begin->gap,
	};

	if (!begin->reason ||
	    (last && memcmp(&last->generation, &request->generation, HASH_SIZE) == 0))
		return 0;
	memcpy(record.source, source->config->name, sizeof(record.source));
	memcpy(record.identity, request->identity, SEGMENT_IDENTITY_SIZE);
	memcpy(record.binlog_file, request->binlog_file, sizeof(record.binlog_file));
	memcpy(record.after_file, begin->after_file, sizeof(record.after_file));
	memcpy(record.sentence, begin->sentence, sizeof(record.sentence));
	log_warning("generation.begins", "source", LOG_TEXT(record.source), "reason",
		    LOG_TEXT(generation_reason_name(record.reason)), "gap", LOG_NUMBER(record.gap),
		    "sentence", LOG_TEXT(record.sentence), LOG_END);
	return keeper_append(source->keeper, generation_record_encode(&record), err);
}

int opening_open(struct source *source, const struct open_segment *request,
		 struct segment_files *ret_files, struct segment_opened *ret_opened,
		 struct sealing **ret_sealing, struct error *err)
{
	struct keeper *keeper = source->keeper;
	const struct period_record *period;
	const struct secret *key;
	struct segment_header header = {0};
	struct segment_files files;
	char month[MONTH_SIZE];
	int r = check_request(source, err);

	if (r == 0)
		r = quota_check(source, clock_realtime_usec(), err);
	if (r == 0)
		r = opening_check_space(keeper, err);
	if (r == 0)
		r = begin_generation(source, request, err);
	if (r == 0)
		r = periods_current(keeper->periods, source->config->name,
				    source->config->retention, &period, &key, err);
	if (r < 0)
		return r;
	fill_header(source, request, period, &header);
	r = segment_header_encode(&header, ret_opened->header, err);
	if (r == 0)
		r = give_key(key, ret_opened, err);
	if (r < 0)
		return r;
	month_format(header.created_usec, month);
	r = segment_files_create(keeper->store, ret_opened->header, month, &files, err);
	if (r == 0) {
		r = append_opened(source, files.path, &header, ret_opened->header, &request->gtids,
				  ret_sealing, err);
		if (r < 0)
			segment_files_release(&files);
	}
	if (r < 0) {
		secret_wipe(ret_opened->key, sizeof(ret_opened->key));
		return r;
	}
	quota_opened(source, header.created_usec);
	log_info("segment.opened", "source", LOG_TEXT(header.source), "path", LOG_TEXT(files.path),
		 LOG_END);
	*ret_files = files;
	return 0;
}

/* --- after a crash between the file and its leaf --------------------------------------------- */

#define CANDIDATES_MAX 256

struct candidates {
	struct keeper *keeper;
	size_t count;
	struct {
		char path[SEGMENT_PATH_SIZE];
		uint64_t size;
		bool known;
	} files[CANDIDATES_MAX];
};

static bool is_open(const struct keeper *keeper, const char *path)
{
	const struct state *state = store_state(keeper->store);
	size_t count = state_open_count(state, NULL);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(state_open_at(state, NULL, i).record->path, path) == 0)
			return true;
	}
	return false;
}

/* A descriptor is handed out only after the leaf: a file without one is a header at most, and a
 * sealed one is longer. */
static int find_candidate(void *context, const char *path, uint64_t size, struct error *err)
{
	struct candidates *found = context;

	(void)err;
	if (size > store_block_size(found->keeper->store) || is_open(found->keeper, path) ||
	    found->count == CANDIDATES_MAX)
		return 0;
	snprintf(found->files[found->count].path, SEGMENT_PATH_SIZE, "%s", path);
	found->files[found->count].size = size;
	found->count++;
	return 0;
}

/* Leaves that name it: an orphan of before. */
static int mark_known(void *context, const struct leaf *leaf, struct error *err)
{
	struct candidates *found = context;
	const char *path;
	struct error ignored;

	(void)err;
	if (json_get_string(leaf->object, "path", &path, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < found->count; i++) {
		if (strcmp(found->files[i].path, path) == 0)
			found->files[i].known = true;
	}
	return 0;
}

/* Is the file where opening_open() would have put it? A copy of a header stands elsewhere. */
static int check_place(const struct segment_header *header, const char *path, struct error *err)
{
	char month[MONTH_SIZE], expected[SEGMENT_PATH_SIZE];
	int r;

	month_format(header->created_usec, month);
	r = segment_path(header, month, expected, err);
	if (r == 0 && strcmp(path, expected) != 0)
		r = error_set(err, ERROR_DEFECT, "its header is that of '%s'", expected);
	return r;
}

/* Is it a whole header of ours, whose period is there? */
static int read_header(const struct keeper *keeper, const char *path, uint64_t size,
		       struct segment_opened_record *record, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = -1;
	CLEANUP(freep)
	uint8_t *block = file_buffer_new(BLOCK_SIZE_MAX);
	uint32_t block_size = store_block_size(keeper->store);
	int r;

	if (size < block_size)
		return error_set(err, ERROR_DEFECT, "its header is not whole");
	fd = segment_file_open(keeper->store, 0, path, SEGMENT_BUFFERED, err);
	if (fd < 0)
		return fd;
	r = file_read_exact(fd, block, block_size, 0, err);
	if (r == 0)
		r = segment_header_decode(block, &record->header, err);
	if (r < 0)
		return r;
	if (record->header.block_size != block_size ||
	    memcmp(record->header.archive_id, store_archive_id(keeper->store), SEGMENT_ID_SIZE) ||
	    !state_period_find(store_state(keeper->store), record->header.period_id))
		return error_set(err, ERROR_DEFECT, "its header is not one of this archive");
	r = check_place(&record->header, path, err);
	if (r < 0)
		return r;
	memcpy(record->header_bytes, block, SEGMENT_HEADER_SIZE);
	snprintf(record->path, sizeof(record->path), "%s", path);
	return 0;
}

static int recover_file(struct keeper *keeper, const char *path, uint64_t size, struct error *err)
{
	struct segment_opened_record opened = {0};
	struct orphan_record orphan = {.size = size};
	int r = segment_path_check(path, err);

	if (r < 0) {
		/* No leaf can name it. Nothing of ours, and no reason not to start. */
		log_warning("segment.foreign", "reason", LOG_TEXT(err->message), LOG_END);
		return 0;
	}
	r = read_header(keeper, path, size, &opened, err);
	if (r == 0) {
		log_info("segment.found", "path", LOG_TEXT(path), LOG_END);
		r = keeper_append(keeper, segment_opened_record_encode(&opened), err);
	}
	/* ERROR_DEFECT of the append: a header of ours under another name, or a copy of one. */
	if (r == 0 || (r != ERROR_DEFECT && r != ERROR_REFUSED))
		return r;
	log_warning("segment.orphan", "path", LOG_TEXT(path), "reason", LOG_TEXT(err->message),
		    LOG_END);
	snprintf(orphan.path, sizeof(orphan.path), "%s", path);
	snprintf(orphan.reason, sizeof(orphan.reason),
		 "a file without a leaf, left by a crash: %.400s", err->message);
	return keeper_append(keeper, orphan_record_encode(&orphan), err);
}

int opening_recover(struct keeper *keeper, struct error *err)
{
	CLEANUP(freep)
	struct candidates *found = calloc(1, sizeof(*found));
	int r;

	ASSERT(found);
	found->keeper = keeper;
	r = segment_files_list(keeper->store, 0, find_candidate, found, err);
	if (r == 0 && found->count > 0)
		r = store_leaves(keeper->store, mark_known, found, err);
	for (size_t i = 0; r == 0 && i < found->count; i++) {
		if (!found->files[i].known)
			r = recover_file(keeper, found->files[i].path, found->files[i].size, err);
	}
	return r < 0 ? error_prefix(err, "looking for files without a leaf") : 0;
}
