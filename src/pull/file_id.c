#include "pull/file_id.h"

#include <string.h>

#include "base/endian.h"

static void update(struct hasher *hasher, const void *bytes, size_t size)
{
	le32 length = le32_put((uint32_t)size);

	hasher_update(hasher, &length, sizeof(length));
	hasher_update(hasher, bytes, size);
}

void file_id_compute(const struct identity *identity, const char *file, const uint8_t *format_event,
		     size_t format_size, const uint8_t *second_event, size_t second_size,
		     struct hash *ret_id)
{
	CLEANUP(hasher_freep)
	struct hasher *hasher = hasher_new();
	struct identity stable = *identity;
	uint8_t bytes[SEGMENT_IDENTITY_SIZE];

	memset(&stable.spki, 0, sizeof(stable.spki));
	if (stable.flavour == FLAVOUR_MYSQL)
		stable.server_id = 0;
	identity_encode(&stable, bytes);
	hasher_start(hasher);
	hasher_update(hasher, bytes, sizeof(bytes));
	update(hasher, file, strlen(file));
	update(hasher, format_event, format_size);
	update(hasher, second_event, second_size);
	hasher_finish(hasher, ret_id);
}
