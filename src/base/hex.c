#include "base/hex.h"

#include <string.h>

#include "base/checked.h"

void hex_encode(const void *bytes, size_t size, char *text)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = bytes;

	for (size_t i = 0; i < size; i++) {
		*text++ = digits[in[i] >> 4];
		*text++ = digits[in[i] & 15];
	}
	*text = '\0';
}

void hex_encode_uuid(const uint8_t uuid[static 16], char text[static HEX_UUID_SIZE])
{
	static const uint8_t part_size[] = {4, 2, 2, 2, 6};

	for (size_t i = 0; i < ARRAY_LENGTH(part_size); i++) {
		hex_encode(uuid, part_size[i], text);
		uuid += part_size[i];
		text += 2 * part_size[i];
		if (i + 1 < ARRAY_LENGTH(part_size))
			*text++ = '-';
	}
}

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

int hex_decode(const char *text, void *ret_bytes, size_t size, struct error *err)
{
	uint8_t *out = ret_bytes;

	if (strlen(text) != 2 * size)
		return error_set(err, ERROR_DEFECT, "%zu hexadecimal digits where %zu belong",
				 strlen(text), 2 * size);
	for (size_t i = 0; i < size; i++) {
		int high = digit_value(text[2 * i]);
		int low = digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return error_set(err, ERROR_DEFECT,
					 "'%.2s' at digit %zu is not lower-case hexadecimal",
					 text + 2 * i, 2 * i);
		out[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}
