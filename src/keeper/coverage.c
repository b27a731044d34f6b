#include "keeper/coverage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "base/units.h"
#include "keeper/source.h"

static void unmap_list(struct coverage *coverage)
{
	if (coverage->list)
		munmap((void *)(uintptr_t)coverage->list, coverage->list_size);
	coverage->list = NULL;
	coverage->list_size = 0;
}

void coverage_release(struct coverage *coverage)
{
	unmap_list(coverage);
	free(TAKE(coverage->report));
}

/* --- until when ------------------------------------------------------------------------------ */

bool coverage_place(const struct source *source, char *ret_file, uint64_t *ret_position)
{
	const struct sealing *newest = NULL;

	for (const struct sealing *s = source->sealings; s; s = s->next) {
		if (s->has_progress && s->opened_index >= source->resume_index)
			newest = s;
	}
	if (!newest && source->resume.kind == ATTACHED_START)
		return false;
	memcpy(ret_file, newest ? newest->record.header.binlog_file : source->resume.binlog_file,
	       BINLOG_NAME_MAX + 1);
	*ret_position = newest ? newest->progress.good_end : source->resume.good_end;
	return true;
}

/* Names of one server: numbers that grow, and become longer behind 999999. */
static int compare_names(const char *a, const char *b)
{
	size_t a_length = strlen(a), b_length = strlen(b);

	return a_length != b_length ? (a_length > b_length) - (a_length < b_length) : strcmp(a, b);
}

static bool is_reached(const struct coverage_mark *mark, const char *file, uint64_t position)
{
	int order = compare_names(file, mark->file);

	return order > 0 || (order == 0 && position >= mark->position);
}

static void advance(struct coverage *coverage, uint64_t usec)
{
	coverage->until_usec = MAX(coverage->until_usec, usec);
}

void coverage_caught_up(struct source *source, uint64_t usec)
{
	advance(&source->coverage, usec);
}

void coverage_sealed(struct source *source, uint64_t transaction_usec, uint64_t sealed_usec)
{
	advance(&source->coverage, MIN(transaction_usec, sealed_usec));
}

/* A moment of the server's clock as ours. */
static uint64_t vault_time(const struct coverage *coverage, uint64_t server_usec)
{
	const struct observed *report = coverage->report;
	int64_t ahead;

	if (!report || !report->server_usec || !server_usec)
		return server_usec;
	ahead = (int64_t)(report->server_usec - report->observed_usec);
	if (ahead < 0)
		return server_usec + (uint64_t)-ahead;
	return server_usec > (uint64_t)ahead ? server_usec - (uint64_t)ahead : 0;
}

void coverage_progress(struct source *source)
{
	struct coverage *coverage = &source->coverage;
	const struct progress *progress = &source->progress;
	char file[BINLOG_NAME_MAX + 1];
	uint64_t position;

	if (source->has_progress)
		advance(coverage, MIN(vault_time(coverage, progress->transaction_usec),
				      progress->received_usec));
	if (!coverage->awaited.file[0] || !coverage_place(source, file, &position) ||
	    !is_reached(&coverage->awaited, file, position))
		return;
	advance(coverage, coverage->awaited.usec);
	coverage->awaited.file[0] = '\0';
	if (is_reached(&coverage->end, file, position))
		advance(coverage, coverage->end.usec);
	else
		coverage->awaited = coverage->end;
}

uint64_t coverage_missed_since(const struct source *source, uint64_t now_usec)
{
	uint64_t since = source->coverage.until_usec;

	/* Nothing is known of a time before us. */
	if (since == 0)
		since = source->keeper->started_usec;
	return now_usec > since && now_usec - since > source->config->maximum_uncovered_usec ? since
											     : 0;
}

/* --- reports --------------------------------------------------------------------------------- */

static int take_list(struct coverage *coverage, struct message *message,
		     const struct observed *report, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = message_take_fd(message, 0);
	const void *bytes;
	size_t size;
	int r = channel_body_map(fd, OBSERVED_LIST_SIZE_MAX, &bytes, &size, err);

	if (r < 0)
		return r;
	r = observed_list_check(bytes, size, report->file_count, err);
	if (r < 0) {
		munmap((void *)(uintptr_t)bytes, size);
		return r;
	}
	unmap_list(coverage);
	coverage->list = bytes;
	coverage->list_size = size;
	return 0;
}

/* Where the server was when it was asked: at the end of the last file. */
static void take_end(struct coverage *coverage)
{
	struct observed_file file;
	size_t offset = 0;

	while (observed_list_next(coverage->list, coverage->list_size, &offset, &file)) {
		memcpy(coverage->end.file, file.name, sizeof(coverage->end.file));
		coverage->end.position = file.size;
	}
	coverage->end.usec = coverage->report->observed_usec;
	if (!coverage->awaited.file[0])
		coverage->awaited = coverage->end;
}

int coverage_observed(struct source *source, struct message *message, struct error *err)
{
	struct coverage *coverage = &source->coverage;
	struct observed *report = calloc(1, sizeof(*report));
	int r;

	ASSERT(report);
	r = observed_decode(message, report, err);
	if (r == 0 && report->file_count > 0)
		r = take_list(coverage, message, report, err);
	if (r < 0) {
		free(report);
		return r;
	}
	memcpy(coverage->failure, report->sentence, sizeof(coverage->failure));
	coverage->failed_usec = report->observed_usec;
	if (report->file_count == 0) {
		free(report);
		return 0;
	}
	free(coverage->report);
	coverage->report = report;
	take_end(coverage);
	coverage_progress(source);
	return 0;
}

/* --- what is missing ------------------------------------------------------------------------- */

/* The list against the durable position. */
struct missing {
	bool known;	 /* there is a list */
	uint64_t size;	 /* bytes that are not durable */
	bool is_current; /* all of them are of the file that the server writes */
	char file[BINLOG_NAME_MAX +
		  1]; /* the oldest that is not whole, "" if that is the current */
	bool purged;  /* the list begins behind what is durable, and does not join it */
};

static void find_missing(const struct source *source, struct missing *missing)
{
	const struct coverage *coverage = &source->coverage;
	char durable_file[BINLOG_NAME_MAX + 1] = "";
	uint64_t position = 0;
	bool any = coverage_place(source, durable_file, &position), first = true;
	struct observed_file file;
	size_t offset = 0;

	memset(missing, 0, sizeof(*missing));
	while (coverage->list &&
	       observed_list_next(coverage->list, coverage->list_size, &offset, &file)) {
		int order = any ? compare_names(file.name, durable_file) : 1;
		bool is_last = offset == coverage->list_size;
		uint64_t size = order > 0 ? file.size : 0;

		if (order == 0 && file.size > position)
			size = file.size - position;
		if (first && any && order > 0)
			missing->purged = source->resume.kind != ATTACHED_NEXT ||
					  strcmp(source->resume.next_file, file.name) != 0;
		first = false;
		missing->known = true;
		missing->size += size;
		if (size > 0 && !is_last && !missing->file[0])
			memcpy(missing->file, file.name, sizeof(missing->file));
	}
	missing->is_current = missing->known && !missing->file[0];
}

uint64_t coverage_behind(const struct source *source)
{
	const struct progress *progress = &source->progress;
	struct missing missing;

	find_missing(source, &missing);
	if (missing.known)
		return missing.size;
	/* Of the file at hand alone, and only if both are of the same one. */
	if (source->has_progress && progress->source_position >= progress->good_end)
		return progress->source_position - progress->good_end;
	return UINT64_MAX;
}

/*
 * A server purges a file when its last change is older than expire_usec, and never the one that it
 * writes. The oldest that we have not got whole was last changed after the moment until which we
 * are covered.
 */
static json_t *purge_object(const struct source *source, const struct missing *missing,
			    uint64_t now_usec)
{
	const struct coverage *coverage = &source->coverage;
	const struct observed *report = coverage->report;
	uint64_t from = missing->is_current ? now_usec : coverage->until_usec, at;
	json_t *object = json_object();

	json_put_u64(object, "expire_usec", report->expire_usec);
	json_put_u64(object, "size_limit", report->size_limit);
	json_put_string(object, "file", missing->file);
	json_put_bool(object, "purged", missing->purged);
	if (report->expire_usec > 0 && from > 0 && !checked_add(from, report->expire_usec, &at))
		json_put_u64(object, "usec", at > now_usec ? at - now_usec : 0);
	return object;
}

static json_t *observed_object(const struct coverage *coverage)
{
	const struct observed *report = coverage->report;
	json_t *object = json_object();

	json_put_string(object, "sentence", coverage->failure);
	if (coverage->failure[0])
		json_put_u64(object, "failed", coverage->failed_usec);
	if (!report)
		return object;
	json_put_u64(object, "time", report->observed_usec);
	json_put_string(object, "server", report->server);
	json_put_u64(object, "server_time", report->server_usec);
	json_put_bool(object, "read_only", report->read_only);
	json_put_string(object, "file", coverage->end.file);
	json_put_u64(object, "position", coverage->end.position);
	json_put_u64(object, "files", report->file_count);
	json_put_string(object, "gtids", report->gtids);
	if (report->semi_sync != OBSERVED_SEMI_SYNC_UNKNOWN) {
		json_put_bool(object, "semi_sync", report->semi_sync == OBSERVED_SEMI_SYNC_ON);
		json_put_u64(object, "semi_sync_clients", report->semi_sync_client_count);
		json_put_u64(object, "semi_sync_acknowledged", report->semi_sync_yes_count);
		json_put_u64(object, "semi_sync_not_acknowledged", report->semi_sync_no_count);
	}
	return object;
}

static void put_missed(const struct source *source, uint64_t now_usec, uint64_t behind,
		       json_t *object)
{
	uint64_t since = coverage_missed_since(source, now_usec);
	char size[SIZE_TEXT_SIZE], text[MESSAGE_SENTENCE_SIZE];

	if (!since)
		return;
	json_put_u64(object, "missed_since", since);
	if (json_string_length(json_object_get(object, "sentence")) > 0)
		return;
	size_format(behind, size);
	snprintf(text, sizeof(text),
		 behind == UINT64_MAX || behind == 0
			 ? "the server has not shown for longer than maximum-uncovered that it has "
			   "nothing beyond what is durable"
			 : "the server is %s ahead, for longer than maximum-uncovered: is it the "
			   "network, rate-limit, or the volume? Do: binvault status, again",
		 size);
	json_put_string(object, "sentence", text);
}

/* The archived set of GTIDs, as the puller stated it last, as soon as it is durable. */
static void put_gtids(const struct coverage *coverage, const char *file, uint64_t position,
		      json_t *covered)
{
	const struct observed *report = coverage->report;
	struct coverage_mark given = {0};

	if (!report || !report->given_gtids[0] || !report->given_file[0])
		return;
	memcpy(given.file, report->given_file, sizeof(given.file));
	given.position = report->given_position;
	if (!is_reached(&given, file, position))
		return;
	json_put_string(covered, "gtids", report->given_gtids);
	json_put_string(covered, "gtids_file", given.file);
	json_put_u64(covered, "gtids_position", given.position);
}

void coverage_status(const struct source *source, uint64_t now_usec, json_t *object)
{
	const struct coverage *coverage = &source->coverage;
	uint64_t behind = coverage_behind(source);
	json_t *covered = json_object();
	char file[BINLOG_NAME_MAX + 1];
	struct missing missing;
	uint64_t position;

	if (coverage_place(source, file, &position)) {
		json_put_string(covered, "file", file);
		json_put_u64(covered, "position", position);
		put_gtids(coverage, file, position, covered);
	}
	if (source->has_progress)
		json_put_u64(covered, "received", source->progress.received_usec);
	if (coverage->until_usec)
		json_put_u64(covered, "until", coverage->until_usec);
	json_put(object, "covered", covered);
	if (behind != UINT64_MAX)
		json_put_u64(object, "behind", behind);
	if (coverage->until_usec)
		json_put_u64(object, "behind_usec",
			     now_usec > coverage->until_usec ? now_usec - coverage->until_usec : 0);
	put_missed(source, now_usec, behind, object);
	if (coverage->report || coverage->failure[0])
		json_put(object, "observed", observed_object(coverage));
	if (!coverage->report)
		return;
	find_missing(source, &missing);
	json_put(object, "purge", purge_object(source, &missing, now_usec));
}

json_t *coverage_files(const struct source *source)
{
	const struct coverage *coverage = &source->coverage;
	struct observed_file file;
	json_t *array = json_array();
	size_t offset = 0;

	ASSERT(array);
	while (coverage->list &&
	       observed_list_next(coverage->list, coverage->list_size, &offset, &file)) {
		json_t *entry = json_object();

		json_put_string(entry, "name", file.name);
		json_put_u64(entry, "size", file.size);
		json_array_append_new(array, entry);
	}
	return array;
}
