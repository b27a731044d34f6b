#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "store/segment_file.h"
#include "store/verify_parts.h"

#define PROGRESS_NSEC 100000000L

/* From the device, past every cache, unless the file system cannot or it is a copy anyway. */
static int open_segment(const struct audit_volume *volume, const char *path, struct error *err)
{
	if (!volume->audit->options->copy) {
		int fd = file_open_direct(volume->root_fd, path, err);

		if (fd != ERROR_USAGE)
			return fd;
	}
	return file_open_read(volume->root_fd, path, err);
}

static void count_bytes(struct audit *audit, uint64_t size)
{
	pthread_mutex_lock(&audit->lock);
	audit->result->byte_count += size;
	pthread_mutex_unlock(&audit->lock);
}

struct hashing {
	struct hasher *hasher;
	uint8_t *buffer; /* of one chunk */
};

/* The next chunk, as far as the file reaches. Direct reads ask for whole blocks. */
static ssize_t read_chunk(struct audit_volume *volume, const struct known_segment *segment,
			  size_t chunk, int fd, struct hashing *hashing, struct error *err)
{
	uint64_t offset = chunk * SEGMENT_CHUNK_SIZE;
	size_t wanted = (size_t)MIN(SEGMENT_CHUNK_SIZE, segment->size - offset);
	ssize_t n = file_read(fd, hashing->buffer, round_up(wanted, BLOCK_SIZE_MAX), offset, err);

	if (n < 0)
		return n;
	n = (ssize_t)MIN((size_t)n, wanted);
	count_bytes(volume->audit, (uint64_t)n);
	return n;
}

static void check_header(struct audit_volume *volume, const struct known_segment *segment,
			 const uint8_t *bytes, size_t size)
{
	if (size < SEGMENT_HEADER_SIZE ||
	    memcmp(bytes, segment->header_bytes, SEGMENT_HEADER_SIZE) != 0)
		audit_report(volume->audit, volume,
			     "%s: bytes 0–%d: the header differs from leaf %" PRIu64, segment->path,
			     SEGMENT_HEADER_SIZE - 1, segment->opened_index);
}

/* The whole file is not what it must be: which parts? Returns how many it told of. */
static int find_chunks(struct audit_volume *volume, const struct known_segment *segment, int fd,
		       struct hashing *hashing, struct error *err)
{
	struct hash hash;
	int count = 0;

	for (size_t chunk = 0; chunk < segment->chunk_count; chunk++) {
		uint64_t offset = chunk * SEGMENT_CHUNK_SIZE;
		ssize_t n = read_chunk(volume, segment, chunk, fd, hashing, err);

		if (n < 0)
			return (int)n;
		hash_bytes(hashing->buffer, (size_t)n, &hash);
		if (memcmp(&hash, &segment->chunks[chunk], sizeof(hash)) == 0)
			continue;
		count++;
		audit_report(volume->audit, volume,
			     "%s: bytes %" PRIu64 "–%" PRIu64 ": hash differs from leaf %" PRIu64,
			     segment->path, offset,
			     MIN(offset + SEGMENT_CHUNK_SIZE, segment->size) - 1,
			     segment->sealed_index);
	}
	return count;
}

/*
 * The hash of the file says whether all is well, at the rate of one SHA-256; those of the chunks
 * are asked only where it is not.
 */
static int hash_segment(struct audit_volume *volume, const struct known_segment *segment, int fd,
			struct hashing *hashing, struct error *err)
{
	struct hash hash;
	int r;

	hasher_start(hashing->hasher);
	for (size_t chunk = 0; chunk < segment->chunk_count; chunk++) {
		ssize_t n = read_chunk(volume, segment, chunk, fd, hashing, err);

		if (n < 0)
			return (int)n;
		if (chunk == 0)
			check_header(volume, segment, hashing->buffer, (size_t)n);
		hasher_update(hashing->hasher, hashing->buffer, (size_t)n);
	}
	hasher_finish(hashing->hasher, &hash);
	if (memcmp(&hash, &segment->hash, sizeof(hash)) == 0)
		return 0;
	r = find_chunks(volume, segment, fd, hashing, err);
	if (r == 0)
		audit_report(volume->audit, volume,
			     "%s: bytes 0–%" PRIu64 ": SHA-256 of the file differs from leaf "
			     "%" PRIu64,
			     segment->path, segment->size - 1, segment->sealed_index);
	return r;
}

/* An open segment: only its header is fixed. */
static int check_open(struct audit_volume *volume, const struct known_segment *segment, int fd,
		      struct hashing *hashing, struct error *err)
{
	ssize_t n = file_read(fd, hashing->buffer, BLOCK_SIZE_MAX, 0, err);

	if (n < 0)
		return (int)n;
	check_header(volume, segment, hashing->buffer, (size_t)n);
	return 0;
}

static int check_segment(struct audit_volume *volume, const struct known_segment *segment,
			 struct hashing *hashing, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open_segment(volume, segment->path, err);
	uint64_t size;
	int r;

	if (fd < 0)
		return fd;
	r = file_size(fd, &size, err);
	if (r < 0)
		return r;
	audit_flag(volume, fd, segment->path,
		   segment->sealed ? FILE_PROTECTION_IMMUTABLE : FILE_PROTECTION_APPEND);
	if (!segment->sealed)
		return check_open(volume, segment, fd, hashing, err);
	if (size != segment->size)
		audit_report(volume->audit, volume,
			     "%s: has %" PRIu64 " bytes, leaf %" PRIu64 " says %" PRIu64,
			     segment->path, size, segment->sealed_index, segment->size);
	return hash_segment(volume, segment, fd, hashing, err);
}

static void run_job(struct audit *audit, size_t job, struct hashing *hashing)
{
	struct known_segment *segment = audit->segments[job / audit->options->volume_count];
	struct audit_volume *volume = &audit->volumes[job % audit->options->volume_count];
	struct error err;

	if (volume->root_fd < 0)
		return;
	/* Positive: how many defects it told of. */
	if (check_segment(volume, segment, hashing, &err) < 0)
		audit_report(audit, volume, "%s: %s", segment->path, err.message);
}

static void *worker(void *context)
{
	struct audit *audit = context;
	struct hashing hashing = {
		.hasher = hasher_new(),
		.buffer = file_buffer_new(audit->buffer_size),
	};
	size_t jobs = audit->segment_count * audit->options->volume_count;

	pthread_mutex_lock(&audit->lock);
	while (audit->next_job < jobs) {
		size_t job = audit->next_job++;

		pthread_mutex_unlock(&audit->lock);
		run_job(audit, job, &hashing);
		pthread_mutex_lock(&audit->lock);
	}
	audit->running--;
	pthread_cond_signal(&audit->changed);
	pthread_mutex_unlock(&audit->lock);
	hasher_free(hashing.hasher);
	free(hashing.buffer);
	return NULL;
}

/* Until all workers are done; reports progress meanwhile. Called and returns with the lock. */
static void wait_for_workers(struct audit *audit)
{
	const struct verify_options *options = audit->options;

	while (audit->running > 0) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_NSEC;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&audit->changed, &audit->lock, &until);
		if (options->report_progress)
			options->report_progress(options->context, audit->result->byte_count,
						 audit->byte_total);
	}
}

static unsigned thread_count(const struct audit *audit)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t jobs = audit->segment_count * audit->options->volume_count;
	unsigned count = audit->options->thread_count;

	if (count == 0)
		count = processors > 0 ? (unsigned)processors : 1;
	return (unsigned)MIN((size_t)MIN(count, (unsigned)VERIFY_THREADS_MAX), jobs);
}

int audit_segments(struct audit *audit, struct error *err)
{
	pthread_t threads[VERIFY_THREADS_MAX];
	unsigned wanted = thread_count(audit), started = 0;

	pthread_mutex_lock(&audit->lock);
	for (; started < wanted; started++) {
		if (pthread_create(&threads[started], NULL, worker, audit) != 0)
			break;
		audit->running++;
	}
	wait_for_workers(audit);
	pthread_mutex_unlock(&audit->lock);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (wanted > 0 && started == 0)
		return error_set(err, ERROR_FAILED, "no thread could be started");
	return 0;
}
