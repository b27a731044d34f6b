#include "base/base64.h"

#include <limits.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t size, char *text)
{
	const uint8_t *in = bytes;

	for (; size >= 3; size -= 3, in += 3) {
		*text++ = digits[in[0] >> 2];
		*text++ = digits[(in[0] & 3) << 4 | in[1] >> 4];
		*text++ = digits[(in[1] & 15) << 2 | in[2] >> 6];
		*text++ = digits[in[2] & 63];
	}
	if (size > 0) {
		unsigned second = size == 2 ? in[1] : 0;

		*text++ = digits[in[0] >> 2];
		*text++ = digits[(in[0] & 3) << 4 | second >> 4];
		*text++ = size == 2 ? digits[(second & 15) << 2] : '=';
		*text++ = '=';
	}
	*text = '\0';
}

static int digit_value(char digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

int base64_decode(const char *text, size_t length, void *ret_bytes, size_t size_max,
		  struct error *err)
{
	uint8_t *out = ret_bytes;
	uint32_t bits = 0;
	unsigned bit_count = 0;
	size_t padding = 0;
	size_t size;

	if (length % 4 != 0)
		return error_set(err, ERROR_DEFECT, "base64 of %zu characters, not a multiple of 4",
				 length);
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	size = length / 4 * 3 - padding;
	if (size > size_max || size > INT_MAX)
		return error_set(err, ERROR_DEFECT, "base64 of %zu bytes where at most %zu belong",
				 size, size_max);
	for (size_t i = 0; i < length - padding; i++) {
		int value = digit_value(text[i]);

		if (value < 0)
			return error_set(err, ERROR_DEFECT, "byte 0x%02x at %zu is not base64",
					 (unsigned)(unsigned char)text[i], i);
		bits = bits << 6 | (uint32_t)value;
		bit_count += 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			*out++ = (uint8_t)(bits >> bit_count);
		}
	}
	/* else several texts would mean the same bytes */
	if (bits & ((1u << bit_count) - 1))
		return error_set(err, ERROR_DEFECT, "base64 whose last bits are not zero");
	return (int)size;
}
