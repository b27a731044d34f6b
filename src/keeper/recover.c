#include "keeper/recover.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "store/segment_file.h"
#include "volume/reader.h"
#include "volume/writer.h"

/* This version keeps an archive on one volume. */
#define VOLUME 0

/* Open from the device, with the lease that proves that there is no writer. */
static int open_quiet(const struct recover_request *request, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = segment_file_open(request->store, VOLUME, request->opened->path, SEGMENT_DIRECT,
				   err);
	int r;

	if (fd == ERROR_NOT_FOUND)
		return error_set(err, ERROR_DEFECT,
				 "the file is missing, and its segment-opened leaf is in the "
				 "ledger: somebody removed it");
	if (fd < 0)
		return fd;
	r = file_lease(fd, err);
	if (r < 0)
		return r;
	return TAKE_FD(fd);
}

static int check_header(const struct recover_request *request, const uint8_t *header_bytes,
			struct error *err)
{
	if (memcmp(header_bytes, request->opened->header_bytes, SEGMENT_HEADER_SIZE) != 0)
		return error_set(err, ERROR_DEFECT,
				 "its header is not the one in its segment-opened leaf");
	return 0;
}

/* Filler up to a whole block, then END. The lease is given up before: it would refuse us too. */
static int append_end(const struct recover_request *request, const struct segment_scan *scan,
		      struct error *err)
{
	CLEANUP(segment_writer_freep)
	struct segment_writer *writer = NULL;
	CLEANUP(close_fdp)
	int fd = -1;
	const struct segment_writer_options options = {.resume = &scan->state};
	bool is_void = scan->void_range.end > scan->void_range.begin;
	struct segment_output output;
	uint64_t size;
	int r;

	r = segment_writer_new(&scan->header, request->key, &options, &writer, err);
	if (r == 0)
		r = segment_writer_end(writer, SEGMENT_ENDED_RECOVERED, NULL,
				       is_void ? &scan->void_range : NULL, request->now_usec,
				       &output, err);
	if (r == 0 && scan->filler_size > 0)
		r = file_append_filler(store_volume_fd(request->store, VOLUME),
				       request->opened->path, '\0', scan->header.block_size, err);
	if (r < 0)
		return r;
	fd = segment_file_open(request->store, VOLUME, request->opened->path, SEGMENT_APPEND, err);
	if (fd < 0)
		return fd;
	r = file_size(fd, &size, err);
	if (r < 0)
		return r;
	if (size != output.offset)
		return error_set(err, ERROR_BUSY, "the file has grown while it was being ended");
	return file_append_durable(fd, output.bytes, output.size, err);
}

/* Find the longest authenticated prefix and end the segment behind it. */
static int end_interrupted(const struct recover_request *request, struct error *err)
{
	struct segment_scan scan;
	int fd = open_quiet(request, err);
	int r;

	if (fd < 0)
		return fd;
	r = segment_scan(fd, request->key, &scan, err);
	close(fd);
	if (r < 0)
		return r;
	r = check_header(request, scan.header_bytes, err);
	if (r == 0 && scan.sealed)
		r = error_set(err, ERROR_BUSY, "somebody else has ended the segment just now");
	if (r == 0 && scan.stray_offset)
		r = error_set(err, ERROR_DEFECT,
			      "%.400s, but an authentic frame follows at offset %" PRIu64
			      ": this is damage and no torn tail; what was acknowledged is pulled "
			      "again from the server",
			      scan.tear.message, scan.stray_offset);
	if (r == 0)
		r = append_end(request, &scan, err);
	segment_scan_release(&scan);
	return r;
}

static void fill(const struct recover_request *request, const struct segment_reader *reader,
		 const struct segment_end *end, struct segment_sealed_record *record)
{
	const struct segment_header *header = segment_reader_header(reader);

	memcpy(record->segment_id, header->segment_id, SEGMENT_ID_SIZE);
	memcpy(record->period_id, header->period_id, SEGMENT_ID_SIZE);
	record->opened_index = request->opened_index;
	memcpy(record->source, header->source, sizeof(record->source));
	memcpy(record->binlog_file, header->binlog_file, sizeof(record->binlog_file));
	memcpy(record->path, request->opened->path, sizeof(record->path));
	record->generation = header->generation;
	record->file_id = header->file_id;
	memcpy(record->identity, header->identity, SEGMENT_IDENTITY_SIZE);
	record->start_position = header->start_position;
	record->hashes = *segment_reader_hashes(reader);
	record->end = *end;
	segment_sealed_record_set_ranges(record, segment_reader_ranges(reader),
					 segment_reader_ranges_hash(reader));
	segment_sealed_record_set_archived(record, &request->opened->gtids_before);
}

/* 1: there is no END to begin with, and @err says why. */
static int read_whole(const struct recover_request *request, int fd,
		      struct segment_sealed_record *record, struct error *err)
{
	CLEANUP(segment_reader_freep)
	struct segment_reader *reader = NULL;
	struct segment_end end;
	struct frame frame;
	int r = segment_reader_new(fd, &reader, err);

	if (r == 0)
		r = check_header(request, segment_reader_header_bytes(reader), err);
	if (r < 0)
		return r;
	r = segment_reader_unlock(reader, request->key, &end, err);
	if (r < 0)
		return r == ERROR_DEFECT ? 1 : r;
	do
		r = segment_reader_next(reader, &frame, err);
	while (r > 0);
	if (r < 0)
		return r;
	fill(request, reader, &end, record);
	return 0;
}

static int protect(const struct recover_request *request, int fd, struct error *err)
{
	int r = segment_file_protect_immutable(request->store, fd, err);

	if (r < 0)
		return r;
	if (!file_quiet(fd))
		return error_set(err, ERROR_BUSY, "somebody has opened the file for writing");
	return 0;
}

int segment_recover(const struct recover_request *request, struct segment_sealed_record *ret_sealed,
		    bool *ret_ended, struct error *err)
{
	struct segment_sealed_record record = {0};
	bool ended = false;
	int r;

	for (;;) {
		CLEANUP(close_fdp)
		int fd = open_quiet(request, err);

		if (fd < 0)
			return fd;
		r = read_whole(request, fd, &record, err);
		if (r == 0)
			r = protect(request, fd, err);
		if (r <= 0)
			break;
		if (ended)
			return error_set(err, ERROR_IO,
					 "END was appended and is not what the device gives back");
		close(TAKE_FD(fd));
		r = end_interrupted(request, err);
		if (r < 0)
			return r;
		ended = true;
	}
	if (r < 0) {
		segment_sealed_record_release(&record);
		return r;
	}
	*ret_sealed = record;
	*ret_ended = ended;
	return 0;
}
