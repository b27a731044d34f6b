/* Frame header, summary, END and GTID ranges: the first byte says which. Each is refused or has
 * one encoding. */
#include <stdint.h>
#include <string.h>

#include "volume/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frame_header(const uint8_t *bytes)
{
	uint8_t again[FRAME_HEADER_SIZE];
	struct frame_header header;
	struct error err = {0};

	if (frame_header_decode(bytes, &header, &err) < 0)
		return;
	frame_header_encode(&header, again);
	ASSERT(memcmp(bytes, again, sizeof(again)) == 0);
	ASSERT(frame_total_size(&header, 4096) <= FRAME_PLAIN_SIZE_MAX + 4096);
}

static void summary(const uint8_t *bytes)
{
	uint8_t again[SEGMENT_SUMMARY_SIZE];
	struct segment_summary value;
	struct error err = {0};

	if (segment_summary_decode(bytes, &value, &err) < 0)
		return;
	segment_summary_encode(&value, again);
	ASSERT(memcmp(bytes, again, sizeof(again)) == 0);
}

static void end(const uint8_t *bytes)
{
	uint8_t again[SEGMENT_END_SIZE];
	struct segment_end value;
	struct error err = {0};

	if (segment_end_decode(bytes, &value, &err) < 0)
		return;
	ASSERT(segment_end_encode(&value, again, &err) == 0);
	ASSERT(memcmp(bytes, again, sizeof(again)) == 0);
}

static void ranges(const uint8_t *bytes, size_t size)
{
	CLEANUP(gtid_ranges_freep)
	struct gtid_ranges *set = gtid_ranges_new(FRAME_RANGES_SIZE_MAX);
	uint8_t again[FRAME_RANGES_SIZE_MAX];
	struct error err = {0};

	if (size < 1 || gtid_ranges_decode(set, bytes + 1, size - 1, bytes[0], &err) < 0 ||
	    gtid_ranges_overflowed(set))
		return;
	ASSERT(gtid_ranges_count(set) == bytes[0] && gtid_ranges_size(set) == size - 1);
	gtid_ranges_encode(set, again);
	ASSERT(memcmp(bytes + 1, again, size - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[SEGMENT_END_SIZE] = {0};

	if (size < 1)
		return 0;
	memcpy(bytes, data + 1, size - 1 < sizeof(bytes) ? size - 1 : sizeof(bytes));
	switch (data[0] % 4) {
	case 0:
		frame_header(bytes);
		break;
	case 1:
		summary(bytes);
		break;
	case 2:
		end(bytes);
		break;
	default:
		ranges(data + 1, size - 1);
	}
	return 0;
}
