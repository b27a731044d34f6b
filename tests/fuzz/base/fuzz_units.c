/* Sizes, durations, times, names and digits as people write them. What reads as a time and is
 * written reads as the same time. */
#include <stdint.h>
#include <string.h>

#include "base/hex.h"
#include "base/name.h"
#include "base/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[200] = {0};
	char written[TIME_TEXT_SIZE];
	char size_text[SIZE_TEXT_SIZE];
	uint8_t bytes[8];
	struct error err;
	uint64_t number;
	uint64_t again;
	int r;

	memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
	if (size_parse(text, &number, &err) == 0)
		size_format(number, size_text);
	r = duration_parse(text, &number, &err);
	ASSERT(r == 0 || err.code == ERROR_USAGE);
	if (time_parse(text, &number, &err) == 0) {
		time_format(number, written);
		r = time_parse(written, &again, &err);
		ASSERT(r == 0 && number == again);
	}
	r = name_check_source(text, &err);
	ASSERT(r < 0 || !strchr(text, '/'));
	r = name_check_binlog(text, &err);
	ASSERT(r < 0 || (!strchr(text, '/') && text[0] != '.'));
	r = name_check_export(text, &err);
	ASSERT(r < 0 || (!strchr(text, '/') && text[0] != '.'));
	r = hex_decode(text, bytes, sizeof(bytes), &err);
	ASSERT(r == 0 || err.code == ERROR_DEFECT);
	return 0;
}
