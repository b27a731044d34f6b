#include "pull/suspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/*
 * Two would do: the last archived event, which comes again with each connection and may be damaged,
 * and one behind it. If only one were known, the two would push each other out for ever.
 */
#define PLACES_MAX 4

/* Where an event had a wrong CRC. */
struct spot {
	char file[BINLOG_NAME_MAX + 1]; /* "": nowhere */
	uint64_t position;
	uint32_t length;
	bool has_hash;
	struct hash hash;
};

struct suspect {
	struct hasher *hasher;
	struct spot spots[PLACES_MAX];
	size_t oldest;	   /* of the spots: the next to be forgotten */
	struct spot *spot; /* that the event at hand stands at, and so it is hashed; else NULL */
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
	suspect->spot = NULL;
	for (size_t i = 0; i < PLACES_MAX; i++) {
		struct spot *spot = &suspect->spots[i];

		if (spot->position == position && spot->file[0] && strcmp(spot->file, file) == 0)
			suspect->spot = spot;
	}
	if (suspect->spot)
		hasher_start(suspect->hasher);
}

void suspect_update(struct suspect *suspect, const void *bytes, size_t size)
{
	if (suspect->spot)
		hasher_update(suspect->hasher, bytes, size);
}

static void remember(struct suspect *suspect, const struct spot *spot)
{
	suspect->spots[suspect->oldest] = *spot;
	suspect->oldest = (suspect->oldest + 1) % PLACES_MAX;
}

enum suspect_verdict suspect_judge(struct suspect *suspect, const char *file, uint64_t position,
				   const uint8_t *whole, uint32_t length)
{
	struct spot *before = suspect->spot;
	struct spot now = {.position = position, .length = length, .has_hash = before || whole};
	enum suspect_verdict verdict = SUSPECT_FIRST;

	snprintf(now.file, sizeof(now.file), "%s", file);
	if (before)
		hasher_finish(suspect->hasher, &now.hash);
	else if (whole)
		hash_bytes(whole, length, &now.hash);
	if (before && before->has_hash)
		verdict = before->length == length &&
					  memcmp(&before->hash, &now.hash, sizeof(now.hash)) == 0
				  ? SUSPECT_SAME
				  : SUSPECT_DIFFERENT;
	if (before)
		*before = now;
	else
		remember(suspect, &now);
	suspect->spot = NULL;
	return verdict;
}
