/* What is accepted as the forwarder's progress is written again as the same progress. */
#include <stdint.h>
#include <string.h>

#include "forward/progress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct progress progress, again;
	char text[PROGRESS_TEXT_MAX];
	struct error err;
	size_t length;

	if (progress_decode((const char *)data, size, &progress, &err) < 0) {
		ASSERT(err.code == ERROR_DEFECT);
		return 0;
	}
	length = progress_encode(&progress, text);
	ASSERT(progress_decode(text, length, &again, &err) == 0);
	ASSERT(memcmp(&progress, &again, sizeof(again)) == 0);
	return 0;
}
