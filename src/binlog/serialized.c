#include "binlog/serialized.h"

#include "base/endian.h"

#define FULL_SIZE 9 /* 64 bits of number behind a byte of ones */

static size_t integer_size(uint8_t first)
{
	size_t size = 1;

	while (size < FULL_SIZE && (first & (1U << (size - 1))))
		size++;
	return size;
}

bool serialized_unsigned(struct serialized *serialized, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t size;

	if (serialized->size == 0)
		return false;
	size = integer_size(serialized->bytes[0]);
	if (size > serialized->size)
		return false;
	if (size == FULL_SIZE) {
		value = get_le64(serialized->bytes + 1);
	} else {
		for (size_t i = size; i > 0; i--)
			value = value << 8 | serialized->bytes[i - 1];
		value >>= size;
	}
	serialized->bytes += size;
	serialized->size -= size;
	*ret_value = value;
	return true;
}

bool serialized_signed(struct serialized *serialized, int64_t *ret_value)
{
	uint64_t value;

	if (!serialized_unsigned(serialized, &value))
		return false;
	*ret_value = value & 1 ? -(int64_t)(value >> 1) - 1 : (int64_t)(value >> 1);
	return true;
}
