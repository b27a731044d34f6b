/* FILE:POSITION as people write it: what is accepted is written back the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/until.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[512], again[512], file[BINLOG_NAME_MAX + 1];
	struct error err = {0};
	uint64_t position, same;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (until_parse_position(text, file, &position, &err) < 0) {
		ASSERT(err.code == ERROR_USAGE && err.message[0]);
		return 0;
	}
	snprintf(again, sizeof(again), "%s:%" PRIu64, file, position);
	ASSERT(until_parse_position(again, file, &same, &err) == 0 && same == position);
	return 0;
}
