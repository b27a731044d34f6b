/*
 * Whole files. A fuzzer cannot guess tags, so the input is a list of frames that this seals with
 * the key of the file: each begins with its 48-byte header as it shall stand (nonce as given), a
 * le16 size, the stored bytes. A byte of 1 before a frame breaks its tag; 2 ends the file with
 * END's trailer. Whatever comes out: no crash, and a sealed file reads to its end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/checked.h"
#include "volume/reader.h"

#define BLOCK	 4096
#define FILE_MAX (64 * BLOCK)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static size_t header_put(uint8_t *file)
{
	struct segment_header header = {
		.block_size = BLOCK, .start_position = 4, .source = "s", .binlog_file = "b.1"};
	struct error err = {0};

	ASSERT(segment_header_encode(&header, file, &err) == 0);
	return BLOCK;
}

/* Returns the bytes that the frame takes, 0 when the input or the file is full. */
static size_t frame_put(struct input *input, struct aead *aead, uint8_t *out, size_t room)
{
	size_t stored, total;
	uint8_t how;

	if (input->size < 1 + FRAME_HEADER_SIZE + 2)
		return 0;
	how = input->data[0];
	stored = get_le16(input->data + 1 + FRAME_HEADER_SIZE);
	stored = MIN(stored, input->size - 1 - FRAME_HEADER_SIZE - 2);
	total = round_up(FRAME_OVERHEAD + stored + (how == 2 ? SEGMENT_TRAILER_SIZE : 0), BLOCK);
	if (total > room)
		return 0;
	memcpy(out, input->data + 1, FRAME_HEADER_SIZE);
	aead_seal(aead, out + 36, out, FRAME_HEADER_SIZE, input->data + 1 + FRAME_HEADER_SIZE + 2,
		  stored, out + FRAME_HEADER_SIZE, out + FRAME_HEADER_SIZE + stored);
	if (how == 1)
		out[FRAME_HEADER_SIZE + stored] ^= 1;
	if (how == 2) {
		le64 trailer = le64_put(total);

		memcpy(out + total - sizeof(trailer), &trailer, sizeof(trailer));
	}
	input->data += 1 + FRAME_HEADER_SIZE + 2 + stored;
	input->size -= 1 + FRAME_HEADER_SIZE + 2 + stored;
	return total;
}

static void check(int fd, const struct secret *key)
{
	CLEANUP(segment_reader_freep)
	struct segment_reader *reader = NULL;
	struct segment_outline outline;
	struct segment_scan scan;
	struct error err = {0};
	struct frame frame;
	int result;

	if (segment_outline(fd, &outline, &err) < 0 || segment_scan(fd, key, &scan, &err) < 0)
		return;
	if (scan.sealed) {
		ASSERT(outline.ended);
		ASSERT(segment_reader_new(fd, &reader, &err) == 0);
		ASSERT(segment_reader_unlock(reader, key, NULL, &err) == 0);
		while ((result = segment_reader_next(reader, &frame, &err)) > 0)
			ASSERT(segment_frame_good_size(&frame, scan.end.summary.event_end) <=
			       frame.size);
		ASSERT(result == 0);
	} else {
		ASSERT(scan.void_range.begin == scan.state.offset);
		ASSERT(scan.void_range.end >= scan.file_size);
	}
	segment_scan_release(&scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct aead *aead = NULL;
	struct secret key = {0};
	struct error err = {0};
	uint8_t *file = calloc(1, FILE_MAX);
	size_t used, taken;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	ASSERT(file && fd >= 0);
	ASSERT(secret_init(&key, SEGMENT_KEY_SIZE, &err) == 0);
	ASSERT(aead_new(&key, &aead, &err) == 0);
	used = header_put(file);
	while ((taken = frame_put(&input, aead, file + used, FILE_MAX - used)) > 0)
		used += taken;
	ASSERT(write(fd, file, used) == (ssize_t)used);
	/* what is left of the input is a torn tail */
	ASSERT(write(fd, input.data, input.size) == (ssize_t)input.size);
	check(fd, &key);
	close(fd);
	aead_free(aead);
	secret_release(&key);
	free(file);
	return 0;
}
