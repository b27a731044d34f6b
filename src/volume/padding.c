#include "volume/padding.h"

#include <string.h>

bool padding_is_zero(const uint8_t *bytes, size_t size)
{
	/* Equal to itself shifted by one, and its first byte is zero: memcmp at its full speed. */
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

bool padded_text_encode(const char *text, uint8_t *ret_bytes, size_t size)
{
	size_t length = strlen(text);

	if (length > size)
		return false;
	memset(ret_bytes, 0, size);
	memcpy(ret_bytes, text, length);
	return true;
}

bool padded_text_decode(const uint8_t *bytes, size_t size, char *ret_text)
{
	size_t length = 0;

	while (length < size && bytes[length])
		length++;
	if (!padding_is_zero(bytes + length, size - length))
		return false;
	memcpy(ret_text, bytes, length);
	ret_text[length] = '\0';
	return true;
}
