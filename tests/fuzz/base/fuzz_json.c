/* What is accepted as canonical is written again as the same bytes; nothing else is accepted. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *object = NULL;
	struct error err;
	char *again;
	int length;

	if (json_parse_canonical((const char *)data, size, &object, &err) < 0)
		return 0;
	again = malloc(size + 1);
	ASSERT(again);
	length = json_text_canonical(object, again, size + 1, &err);
	ASSERT(length >= 0 && (size_t)length == size && memcmp(again, data, size) == 0);
	free(again);
	json_decref(object);
	return 0;
}
