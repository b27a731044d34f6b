#include "volume/generation.h"

#include <stddef.h>
#include <string.h>

#include "base/endian.h"

const char *generation_reason_name(enum generation_reason reason)
{
	static const char *const names[GENERATION_REASON_LAST + 1] = {
		[GENERATION_FAILOVER] = "failover", [GENERATION_RESET] = "reset",
		[GENERATION_DIVERGED] = "diverged", [GENERATION_PURGED] = "purged",
		[GENERATION_JUMPED] = "jumped",
	};

	return (unsigned)reason <= GENERATION_REASON_LAST ? names[reason] : NULL;
}

void generation_compute(const struct hash *before, uint64_t position, const struct hash *file_id,
			struct hash *ret_generation)
{
	static const char label[] = "binvault generation v1";
	CLEANUP(hasher_freep)
	struct hasher *hasher = hasher_new();
	le64 place = le64_put(position);

	hasher_start(hasher);
	hasher_update(hasher, label, strlen(label));
	hasher_update(hasher, before->bytes, HASH_SIZE);
	hasher_update(hasher, &place, sizeof(place));
	hasher_update(hasher, file_id->bytes, HASH_SIZE);
	hasher_finish(hasher, ret_generation);
}
