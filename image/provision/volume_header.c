#include "provision/volume_header.h"

#include <stdbool.h>
#include <string.h>

/* LUKS2 on-disk format 1.1.3, section 2.1: magic, version (big-endian), sizes, label. */
#define LUKS2_START	 "LUKS\xba\xbe\x00\x02"
#define LUKS2_START_SIZE 8
#define LABEL_OFFSET	 24
#define LABEL_SIZE	 48

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

/* The whole field: the label, and zeros behind it. */
static bool has_label(const uint8_t *bytes, const char *label)
{
	size_t length = strlen(label);

	return memcmp(bytes + LABEL_OFFSET, label, length) == 0 &&
	       is_zero(bytes + LABEL_OFFSET + length, LABEL_SIZE - length);
}

enum volume_kind volume_kind(const uint8_t *bytes, size_t size)
{
	if (is_zero(bytes, size))
		return VOLUME_BLANK;
	if (size < LABEL_OFFSET + LABEL_SIZE || memcmp(bytes, LUKS2_START, LUKS2_START_SIZE) != 0)
		return VOLUME_FOREIGN;
	if (has_label(bytes, VOLUME_LABEL_NEW))
		return VOLUME_UNFINISHED;
	return has_label(bytes, VOLUME_LABEL_MADE) ? VOLUME_MADE : VOLUME_FOREIGN;
}
