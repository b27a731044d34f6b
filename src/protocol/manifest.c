#include "protocol/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

uint8_t *manifest_pae(const void *body, size_t size, size_t *ret_size)
{
	char head[128];
	int length = snprintf(head, sizeof(head), "DSSEv1 %zu %s %zu ", strlen(MANIFEST_MEDIA_TYPE),
			      MANIFEST_MEDIA_TYPE, size);
	uint8_t *bytes;

	ASSERT(length > 0 && (size_t)length < sizeof(head));
	bytes = malloc((size_t)length + size);
	ASSERT(bytes);
	memcpy(bytes, head, (size_t)length);
	memcpy(bytes + length, body, size);
	*ret_size = (size_t)length + size;
	return bytes;
}
