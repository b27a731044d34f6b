/* What is accepted as a note has a body that is composed again as the same bytes. */
#include <stdint.h>
#include <string.h>

#include "ledger/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct checkpoint checkpoint;
	const struct checkpoint_keys none = {.count = 0};
	char body[CHECKPOINT_BODY_SIZE];
	struct error err;
	int length;

	if (checkpoint_decode((const char *)data, size, &checkpoint, &err) < 0)
		return 0;
	length = checkpoint_body(checkpoint.origin, checkpoint.size, &checkpoint.root, body, &err);
	ASSERT(length >= 0 && (size_t)length == checkpoint.body_length);
	ASSERT(memcmp(body, checkpoint.body, checkpoint.body_length) == 0);
	ASSERT(memcmp(body, data, checkpoint.body_length) == 0);
	ASSERT(checkpoint_verify(&checkpoint, checkpoint.origin, &none, &err) == ERROR_DEFECT);
	return 0;
}
