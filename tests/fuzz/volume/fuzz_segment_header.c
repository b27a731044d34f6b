/* Any 1024 bytes: refused, or encoded to the same bytes again. */
#include <stdint.h>
#include <string.h>

#include "volume/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[SEGMENT_HEADER_SIZE] = {0}, again[SEGMENT_HEADER_SIZE];
	struct segment_header header;
	struct error err = {0};

	memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	if (segment_header_decode(bytes, &header, &err) < 0)
		return 0;
	ASSERT(segment_header_encode(&header, again, &err) == 0);
	ASSERT(memcmp(bytes, again, sizeof(bytes)) == 0);
	return 0;
}
