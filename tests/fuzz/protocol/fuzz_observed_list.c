/* Two bytes of a count, then the list. What is accepted is read to its end, and is the same again.
 */
#include "protocol/observed.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[OBSERVED_FILE_SIZE_MAX];
	struct observed_file file;
	struct error err = {0};
	size_t offset = 0, count = 0, before;

	if (size < 2)
		return 0;
	if (observed_list_check(data + 2, size - 2, data[0] | (uint32_t)data[1] << 8, &err) < 0) {
		ASSERT(err.code == ERROR_DEFECT && err.message[0] != '\0');
		return 0;
	}
	data += 2;
	size -= 2;
	for (before = 0; observed_list_next(data, size, &offset, &file); before = offset) {
		ASSERT(observed_file_encode(&file, bytes) == offset - before);
		ASSERT(memcmp(bytes, data + before, offset - before) == 0);
		count++;
	}
	ASSERT(offset == size);
	return count > UINT16_MAX;
}
