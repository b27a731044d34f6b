/* One text for one value: what decodes is what encoding gives. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* exactly as large as allowed, so that one byte more is seen by the sanitizer */
	size_t size_max = size / 4 * 3;
	uint8_t *bytes = malloc(size_max + (size_max == 0));
	char *text = malloc(BASE64_SIZE(size_max));
	struct error err;
	int length;

	ASSERT(bytes && text);
	length = base64_decode((const char *)data, size, bytes, size_max, &err);
	if (length >= 0) {
		base64_encode(bytes, (size_t)length, text);
		ASSERT(strlen(text) == size && memcmp(text, data, size) == 0);
	}
	free(text);
	free(bytes);
	return 0;
}
