#include "pull/suspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

struct suspect {
	struct hasher *hasher;
	bool hashing; /* the event at hand, because it stands where the suspect stood */

	/* The last event whose CRC was wrong. */
	char file[BINLOG_NAME_MAX + 1]; /* "": there was none */
	uint64_t position;
	uint32_t length;
	bool has_hash;
	struct hash hash;
};

struct suspect *suspect_new(void)
{
	struct suspect *suspect = calloc(1, sizeof(*suspect));

	ASSERT(suspect);
	suspect->hasher = hasher_new();
	return suspect;
}

void suspect_free(struct suspect *suspect)
{
	if (!suspect)
		return;
	hasher_free(suspect->hasher);
	free(suspect);
}

void suspect_begin(struct suspect *suspect, const char *file, uint64_t position)
{
	suspect->hashing = suspect->file[0] && suspect->position == position &&
			   strcmp(suspect->file, file) == 0;
	if (suspect->hashing)
		hasher_start(suspect->hasher);
}

void suspect_update(struct suspect *suspect, const void *bytes, size_t size)
{
	if (suspect->hashing)
		hasher_update(suspect->hasher, bytes, size);
}

enum suspect_verdict suspect_judge(struct suspect *suspect, const char *file, uint64_t position,
				   const uint8_t *whole, uint32_t length)
{
	struct suspect before = *suspect;

	suspect->has_hash = suspect->hashing || whole;
	if (suspect->hashing)
		hasher_finish(suspect->hasher, &suspect->hash);
	else if (whole)
		hash_bytes(whole, length, &suspect->hash);
	suspect->hashing = false;
	snprintf(suspect->file, sizeof(suspect->file), "%s", file);
	suspect->position = position;
	suspect->length = length;
	if (!before.hashing || !before.has_hash)
		return SUSPECT_FIRST;
	return before.length == length &&
			       memcmp(before.hash.bytes, suspect->hash.bytes, HASH_SIZE) == 0
		       ? SUSPECT_SAME
		       : SUSPECT_DIFFERENT;
}
