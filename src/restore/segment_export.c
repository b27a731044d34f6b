#include "restore/segment_export.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "volume/reader.h"

/* One segment on its way. */
struct pass {
	struct segment_export *export;
	const struct export_segment *wanted;
	struct segment_reader *reader;
	struct segment_end end;
	uint64_t frame_count;
	uint64_t crc_wrong_before; /* how many the chain had met in earlier segments */
	bool begun;		   /* the chain is where the segment begins */
};

/* --- what the leaf says ---------------------------------------------------------------------- */

static int open_segment(struct pass *pass, struct export_segment *wanted, int fd, struct error *err)
{
	struct secret key = {0};
	int r = secret_init(&key, sizeof(wanted->key), err);

	if (r == 0)
		memcpy(key.bytes, wanted->key, sizeof(wanted->key));
	secret_wipe(wanted->key, sizeof(wanted->key));
	if (r == 0)
		r = segment_reader_new(fd, &pass->reader, err);
	/* Before the key: it was derived from the leaf's header and opens nothing under another. */
	if (r == 0 && memcmp(segment_reader_header_bytes(pass->reader), wanted->header,
			     SEGMENT_HEADER_SIZE) != 0)
		r = error_set(err, ERROR_DEFECT,
			      "segment header: it is not the one that the ledger holds");
	if (r == 0)
		r = segment_reader_unlock(pass->reader, &key, &pass->end, err);
	secret_release(&key);
	return r;
}

static int check_leaf(const struct pass *pass, struct error *err)
{
	const struct segment_header *header = segment_reader_header(pass->reader);
	const struct segment_summary *summary = &pass->end.summary;

	if (header->start_position != pass->wanted->start_position)
		return error_set(err, ERROR_DEFECT,
				 "it begins at %" PRIu64 ", the ledger says at %" PRIu64,
				 header->start_position, pass->wanted->start_position);
	if (summary->event_end != pass->wanted->good_end)
		return error_set(err, ERROR_DEFECT,
				 "its events end at %" PRIu64 ", the ledger says at %" PRIu64,
				 summary->event_end, pass->wanted->good_end);
	return 0;
}

static int check_hashes(const struct pass *pass, struct error *err)
{
	const struct segment_hashes *hashes = segment_reader_hashes(pass->reader);

	if (hashes->size != pass->wanted->file_size)
		return error_set(err, ERROR_DEFECT,
				 "the file has %" PRIu64 " bytes, the ledger says %" PRIu64,
				 hashes->size, pass->wanted->file_size);
	if (memcmp(hashes->file.bytes, pass->wanted->file_hash.bytes, HASH_SIZE) != 0)
		return error_set(err, ERROR_DEFECT,
				 "SHA-256 of the file is not what the ledger says");
	return 0;
}

/* The events that were counted here are those that the puller counted. */
static int check_events(const struct pass *pass, uint64_t events_before, struct error *err)
{
	const struct segment_summary *summary = &pass->end.summary;
	const struct chain *chain = &pass->export->chain;
	int r = chain_check_whole(chain, err);

	if (r < 0)
		return r;
	if (chain->position != summary->event_end ||
	    chain->event_count - events_before != summary->event_count)
		return error_set(err, ERROR_DEFECT,
				 "%" PRIu64 " events to %" PRIu64
				 " were found, the segment's end says %" PRIu64 " to %" PRIu64,
				 chain->event_count - events_before, chain->position,
				 summary->event_count, summary->event_end);
	if (chain->has_crc && (chain->crc_wrong_count > pass->crc_wrong_before) !=
				      (bool)(summary->flags & SUMMARY_CRC_WRONG))
		return error_set(err, ERROR_DEFECT,
				 "the segment's end names an event with a wrong CRC, and there is "
				 "none");
	if (summary->event_count == 0)
		return 0;
	if (chain->last_event_position != summary->last_event_position ||
	    (chain->has_crc && chain->last_event_crc != summary->last_event_crc))
		return error_set(err, ERROR_DEFECT,
				 "the last event at %" PRIu64
				 " with CRC %08x is not the one that the segment's end names",
				 chain->last_event_position, chain->last_event_crc);
	return 0;
}

/* --- where it begins ------------------------------------------------------------------------- */

static bool goes_on(const struct pass *pass)
{
	const struct segment_export *export = pass->export;
	const struct segment_header *header = segment_reader_header(pass->reader);

	return export->continues &&
	       memcmp(export->file_id.bytes, header->file_id.bytes, HASH_SIZE) == 0 &&
	       export->chain.position == header->start_position;
}

static int begin_file(struct pass *pass, struct error *err)
{
	static const struct chain_limit none = {CHAIN_NO_LIMIT, CHAIN_NO_LIMIT};
	struct segment_export *export = pass->export;
	int r;

	chain_begin(&export->chain, pass->wanted->limited ? &export->limit : &none);
	pass->begun = true;
	if (!export->output)
		return 0;
	r = output_begin(export->output, pass->wanted->name, err);
	if (r == 0)
		r = output_write(export->output, BINLOG_MAGIC, BINLOG_MAGIC_SIZE, err);
	return r;
}

static int begin(struct pass *pass, struct error *err)
{
	const struct segment_header *header = segment_reader_header(pass->reader);
	struct segment_export *export = pass->export;
	bool open = export->output && output_is_open(export->output);

	if (goes_on(pass)) {
		pass->begun = true;
		return 0;
	}
	if (export->output && (open || header->start_position != CHAIN_FIRST_POSITION))
		return error_set(err, ERROR_DEFECT,
				 "%s from %" PRIu64 " does not follow what was read before",
				 header->binlog_file, header->start_position);
	if (header->start_position == CHAIN_FIRST_POSITION)
		return begin_file(pass, err);
	return 0; /* verify: the session has the FORMAT_DESCRIPTION */
}

/*
 * In the middle of a file whose beginning was not read. The bytes of a SESSION are a le32 size, so
 * much JSON, and the FORMAT_DESCRIPTION event (pull/handshake.h).
 */
static void resume_from(struct pass *pass, const struct frame *session)
{
	struct format format;
	struct error ignored;
	const struct format *known = NULL;
	size_t json_size;

	if (session && session->size > 4) {
		json_size = get_le32(session->data);
		if (json_size < session->size - 4 &&
		    format_decode(session->data + 4 + json_size, session->size - 4 - json_size,
				  &format, &ignored) == 0)
			known = &format;
	}
	chain_resume(&pass->export->chain, segment_reader_header(pass->reader)->start_position,
		     known);
	pass->begun = true;
}

/* --- frames ---------------------------------------------------------------------------------- */

/* Of @size bytes that are checked, those up to the limit. */
static int write_data(struct segment_export *export, const uint8_t *data, size_t size,
		      struct error *err)
{
	const struct chain *chain = &export->chain;
	uint64_t written = output_size(export->output);

	/* A position in the file is its offset: the magic has 4 bytes, the first event is at 4. */
	if (chain->reached && written + size > chain->boundary)
		size = chain->boundary > written ? (size_t)(chain->boundary - written) : 0;
	return output_write(export->output, data, size, err);
}

static int take_frame(struct pass *pass, const struct frame *frame, struct error *err)
{
	struct segment_export *export = pass->export;
	size_t size = segment_frame_good_size(frame, pass->end.summary.event_end);
	bool done_before;
	int r;

	pass->frame_count++;
	if (!pass->begun)
		resume_from(pass, frame->header.kind == FRAME_SESSION ? frame : NULL);
	if (size == 0)
		return 0;
	done_before = export->chain.reached;
	export->chain.crc_may_be_wrong = pass->end.summary.flags & SUMMARY_CRC_WRONG;
	r = chain_feed(&export->chain, frame->data, size, err);
	export->binlog_size += size;
	if (r == 0 && export->output && !done_before)
		r = write_data(export, frame->data, size, err);
	return r;
}

static int read_frames(struct pass *pass, struct error *err)
{
	struct segment_export *export = pass->export;
	struct frame frame;
	int r;

	while ((r = segment_reader_next(pass->reader, &frame, err)) > 0) {
		r = take_frame(pass, &frame, err);
		if (r == 0)
			r = export->progress(export->context, frame.offset + frame.total_size, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* --- where it ends --------------------------------------------------------------------------- */

static void note_until(struct segment_export *export, const char *file, uint64_t position)
{
	snprintf(export->until_file, sizeof(export->until_file), "%s", file);
	export->until_position = position;
	if (export->chain.transaction_usec)
		export->until_usec = export->chain.transaction_usec;
}

/* The limit was reached or the file is complete. */
static int end_file(struct segment_export *export, struct error *err)
{
	struct output_file file;
	int r;

	if (!export->output)
		return 0;
	/* Not even its FORMAT_DESCRIPTION: no program could read it. */
	if (export->chain.boundary == CHAIN_FIRST_POSITION)
		return output_drop(export->output, err);
	r = export->chain.reached ? output_cut(export->output, export->chain.boundary, &file, err)
				  : output_finish(export->output, &file, err);
	if (r < 0)
		return r;
	if (export->tar && tar_take(export->tar, &file, err) < 0)
		return err->code;
	manifest_add_file(export->manifest, &file);
	note_until(export, file.name, file.size);
	return 0;
}

static int end(struct pass *pass, uint64_t events_before, struct error *err)
{
	struct segment_export *export = pass->export;
	const struct segment_header *header = segment_reader_header(pass->reader);
	struct manifest_range range = {
		.leaf_index = pass->wanted->leaf_index,
		.start_position = header->start_position,
		.good_end = pass->end.summary.event_end,
		.crc_wrong_count = export->chain.crc_wrong_count - pass->crc_wrong_before,
		.crc_wrong_position = export->chain.crc_wrong_position,
	};
	int r = check_hashes(pass, err);

	if (r == 0)
		r = check_events(pass, events_before, err);
	if (r < 0)
		return r;
	export->finished = export->chain.reached;
	export->file_id = header->file_id;
	export->continues = !export->finished && !pass->wanted->last_of_file;
	if (export->manifest) {
		memcpy(range.segment_id, header->segment_id, SEGMENT_ID_SIZE);
		memcpy(range.binlog_file, header->binlog_file, sizeof(range.binlog_file));
		manifest_add_range(export->manifest, &range);
	}
	return export->continues ? 0 : end_file(export, err);
}

static int run(struct pass *pass, struct error *err)
{
	struct segment_export *export = pass->export;
	uint64_t events_before;
	int r = check_leaf(pass, err);

	if (r == 0)
		r = begin(pass, err);
	/* A chain that is resumed at the first frame counts from 0. */
	events_before = pass->begun ? export->chain.event_count : 0;
	pass->crc_wrong_before = pass->begun ? export->chain.crc_wrong_count : 0;
	if (r == 0)
		r = read_frames(pass, err);
	return r < 0 ? r : end(pass, events_before, err);
}

int segment_export(struct segment_export *export, struct export_segment *wanted, int fd,
		   struct export_segment_done *ret_done, struct error *err)
{
	struct pass pass = {.export = export, .wanted = wanted};
	int r = open_segment(&pass, wanted, fd, err);

	if (r == 0)
		r = run(&pass, err);
	if (r < 0)
		export->continues = false;
	else
		*ret_done = (struct export_segment_done){
			.good_end = pass.end.summary.event_end,
			.frame_count = pass.frame_count,
			.limit_reached = export->finished,
		};
	segment_reader_free(pass.reader);
	return r;
}
